"""Compute a head in floats on maps of features, and give each channel of its means the same range."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from export.head_replacement.head_design import HeadDesign

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from export.head_replacement.head_design import HeadLayer

    Floats = NDArray[np.float64]

LEAST_DEVIATION, LEAST_SHARE = 0.02, 0.01
"""Channels that vary by less than this, or by less than this share of what the liveliest does, are scaled as if they
varied by so much: in pictures that are not representative they may."""


def run_head(design: HeadDesign, features: Mapping[str, NDArray[np.floating]]) -> dict[str, Floats]:
    """Results of all layers by name, (n, height, width, channels).

    ``features``: the graph's tensors by name, (n, height, width, channels) real values. What the device adds, the
    sigmoid of the last layer, is not in it.
    """
    found: dict[str, Floats] = {}
    for layer in design.layers:
        sources = [found[name] for name in layer.inputs]
        result = features[layer.tensor].astype(np.float64) if layer.kind == "tensor" else _run(design, layer, sources)
        low, high = {"relu": (0.0, np.inf), "relu6": (0.0, 6.0), None: (-np.inf, np.inf)}[layer.activation]
        if layer.limits is not None:
            low, high = max(low, layer.limits[0]), min(high, layer.limits[1])
        found[layer.name] = np.clip(result, low, high)
    return found


def _run(design: HeadDesign, layer: HeadLayer, sources: list[Floats]) -> Floats:
    first = sources[0]
    if layer.kind == "mean":
        count, height, width, channels = first.shape
        means = first.reshape(count, layer.bands, height // layer.bands * width, channels).mean(axis=2)[:, :, None]
        weights = design.weights(layer)
        return np.asarray(means * (1.0 if weights is None else weights) + design.bias(layer, channels))
    if layer.kind == "conv":
        weights = design.weights(layer)
        assert weights is not None  # checked by `head_design.shapes`
        windows = np.lib.stride_tricks.sliding_window_view(first, weights.shape[:2], axis=(1, 2))
        return np.asarray(np.einsum("nyxchw,hwco->nyxo", windows, weights, optimize=True)) + design.bias(
            layer, weights.shape[3]
        )
    if layer.kind == "concatenate":
        return np.concatenate(sources, axis=3)
    second = sources[1]
    return np.asarray(
        {
            "add": np.add,
            "subtract": np.subtract,
            "multiply": np.multiply,
            "maximum": np.maximum,
            "minimum": np.minimum,
        }[layer.kind](first, second)
    )


def standardise(design: HeadDesign, found: Mapping[str, Floats]) -> HeadDesign:
    """The same head with every channel of a mean shifted and scaled to mean 0 and deviation 1, its readers adapted.

    All channels of a map share one step of 8 bits: that of the widest. Means that only convolutions read can be given
    one range for all channels, at no cost: the factor goes into the constant that a mean is made with. Means that are
    scaled by hand stay as they are.

    ``found``: results of `run_head` on representative pictures.
    """
    arrays = dict(design.arrays)
    for layer in design.layers:
        readers = design.consumers(layer.name)
        plain = layer.kind == "mean" and design.weights(layer) is None and not (layer.limits or layer.activation)
        if not plain or not readers or any(each.kind != "conv" for each in readers):
            continue
        values = found[layer.name].reshape(-1, found[layer.name].shape[-1])
        shift, scale = values.mean(axis=0), values.std(axis=0)
        scale = np.maximum(scale, max(LEAST_DEVIATION, LEAST_SHARE * scale.max()))
        old = design.bias(layer, len(shift))
        arrays[f"{layer.name}.weights"], arrays[f"{layer.name}.bias"] = 1 / scale, (old - shift) / scale
        for reader in readers:
            weights = arrays[f"{reader.name}.weights"]
            bias = arrays.get(f"{reader.name}.bias", np.zeros(weights.shape[3]))
            arrays[f"{reader.name}.bias"] = bias + np.einsum("hwco,c->o", weights, shift)
            arrays[f"{reader.name}.weights"] = weights * scale[:, None]
    return HeadDesign(design.layers, arrays)
