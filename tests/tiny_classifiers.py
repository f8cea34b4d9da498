"""Tiny classifiers as they come from elsewhere, made by hand: no signature, no metadata, no TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tests.export.small_graphs import RELU6, GraphMaker
from tests.export.small_int8_graphs import UINT8, QuantisedMaker

LABELS = ("cyst", "solid", "normal")


@dataclass
class Made:
    """A model that can still be changed before it is packed."""

    make: GraphMaker
    inputs: list[int]
    outputs: list[int]

    def bytes(self) -> bytes:
        return self.make.pack(self.inputs, self.outputs)


def float_classifier(side: int = 24, channels: int = 3, labels: int = 3, ends: str = "SOFTMAX", seed: int = 5) -> Made:
    """Conv, mean, dense, and what it ends with: SOFTMAX, LOGISTIC, or nothing (logits)."""
    rng = np.random.default_rng(seed)
    make = GraphMaker()
    image = make.tensor((1, side, side, channels))
    weights = rng.normal(0, 0.6, (6, 3, 3, channels))
    first = make.conv(image, weights, rng.uniform(0, 1, 6), side, RELU6)
    pooled = make.mean(first, 6)
    options = schema.FullyConnectedOptionsT()
    inputs = [
        pooled,
        make.tensor((labels, 6), rng.normal(0, 1.5, (labels, 6))),
        make.tensor((labels,), np.zeros(labels)),
    ]
    out = make.add("FULLY_CONNECTED", inputs, (1, labels), options, "FullyConnectedOptions")
    if ends == "SOFTMAX":
        softmax = schema.SoftmaxOptionsT()
        softmax.beta = 1.0
        out = make.add("SOFTMAX", [out], (1, labels), softmax, "SoftmaxOptions")
    elif ends:
        out = make.add(ends, [out], (1, labels))
    return Made(make, [image], [out])


def int8_classifier(side: int = 32, uint8: bool = True, seed: int = 4) -> Made:
    """Quantised throughout: an image as uint8 (its quantisation the pixel value), three labels by softmax as uint8."""
    make = QuantisedMaker(seed)
    image = make.quantised(
        (1, side, side, 3), 1.0 if uint8 else 1 / 255, 0 if uint8 else -128, dtype=UINT8 if uint8 else 9
    )
    source = image
    if uint8:
        source = make.operator("QUANTIZE", [image], ((1, side, side, 3), 1.0, -128))
    first = make.plain(source, 8, kernel=3, stride=2, gain=0.02 if uint8 else 5.0)
    trunk = make.plain(first, 12, stride=2, clipped=False)
    wide = make.flat(make.deep(make.deep(trunk, (8, 1), 1), (1, 8), 1))
    scores = make.head(make.matrix(wide, 3, False), "SOFTMAX")
    return Made(make, [image], [scores])


def edited(data: bytes, change: Any) -> bytes:
    """The model after ``change`` has altered it as schema objects."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    change(model)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())
