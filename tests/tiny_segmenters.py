"""Tiny segmentation networks as they come from elsewhere, made by hand: no signature, no metadata, no TensorFlow.

They know one thing: places brighter than the middle grey. What they outline can be told from the pixels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from tiny_classifiers import Made

from tests.export.small_graphs import GraphMaker
from tests.export.small_int8_graphs import UINT8, QuantisedMaker

LABELS = ("background", "bright", "red")
STEEP = 24.0
"""Logit for a value of 1 over the middle grey."""


def float_segmenter(
    side: int = 32, labels: int = 3, ends: str = "SOFTMAX", stride: int = 1, channels: int = 3, height: int = 0
) -> Made:
    """One convolution of a pixel, and SOFTMAX, LOGISTIC or nothing (logits): background, bright, red, and no more.

    With one label it is brightness. ``stride``: input pixels for a place of the map.
    """
    make, high = GraphMaker(), height or side
    image = make.tensor((1, high, side, channels))
    weights, bias = np.zeros((labels, 1, 1, channels)), np.full(labels, -2 * STEEP)
    bright = min(1, labels - 1)
    weights[bright], bias[bright] = STEEP / channels, -STEEP / 2
    if labels > 1:
        bias[0] = 0.0
    if labels > 2 and channels == 3:
        weights[2, 0, 0], bias[2] = (3 * STEEP, -2 * STEEP, -2 * STEEP), 0.0
    options = schema.Conv2DOptionsT()
    options.padding, options.strideW, options.strideH = 0, stride, stride
    options.dilationWFactor = options.dilationHFactor = 1
    shape = (1, -(-high // stride), -(-side // stride), labels)
    inputs = [image, make.tensor(weights.shape, weights), make.tensor(bias.shape, bias)]
    out = make.add("CONV_2D", inputs, shape, options, "Conv2DOptions")
    return Made(make, [image], [_end(make, out, shape, ends)])


def _end(make: GraphMaker, source: int, shape: tuple[int, ...], ends: str) -> int:
    options: Any = None
    if ends == "SOFTMAX":
        options = schema.SoftmaxOptionsT()
        options.beta = 1.0
    return make.add(ends, [source], shape, options, "SoftmaxOptions") if ends else source


def uint8_segmenter(side: int = 32, seed: int = 6) -> Made:
    """Quantised throughout, with weights drawn by chance: a map of one label at half the resolution, by sigmoid."""
    make = QuantisedMaker(seed)
    image = make.quantised((1, side, side, 3), 1.0, 0, dtype=UINT8)
    source = make.operator("QUANTIZE", [image], ((1, side, side, 3), 1.0, -128))
    first = make.plain(source, 8, kernel=3, stride=2, gain=0.02)
    logits = make.plain(make.plain(first, 8), 1, clipped=False, gain=6.0)
    return Made(make, [image], [make.head(logits, "LOGISTIC")])
