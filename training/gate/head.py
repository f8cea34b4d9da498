"""Layers of the fitted anatomy gate in the network: means in depth bands in, the anatomy head out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import layers

from edge.contracts.manifest import ANATOMY
from training.gate.anatomy_gate import BANDS, BLOCKS
from training.network import FIXED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.gate.anatomy_gate import AnatomyGate

LAYERS = {"block15": "block15_bn2"}
"""Layer whose output a block's map is, where it is not called as the block: the last one has nothing to add."""


def pooled(model: keras.Model) -> dict[str, Any]:
    """Features of the gate as tensors of ``model``, by block."""
    return {name: band_means(model.get_layer(LAYERS.get(name, name)).output, f"gate_{name}") for name in BLOCKS}


def band_means(x: Any, name: str) -> Any:
    """Means of (n, h, w, c) over the width and `BANDS` bands of rows, (n, `BANDS` * c), band after band.

    As DEPTHWISE_CONV_2D with constants; see `training.network.mean`. Along the rows first: of what is one column wide
    any stride across is the same, and TensorFlow has one stride for both. Bands of a map whose rows are no multiple of
    `BANDS` overlap.
    """
    stride_down = x.shape[1] // BANDS
    rows = x.shape[1] - (BANDS - 1) * stride_down
    for side, size, stride in (("along", (1, x.shape[2]), 1), ("down", (rows, 1), stride_down)):
        constant = keras.initializers.Constant(1.0 / max(size))
        layer = layers.DepthwiseConv2D(
            size,
            stride,
            use_bias=False,
            depthwise_initializer=constant,
            trainable=False,
            name=f"{name}_{side}{FIXED}",
        )
        x = layer(x)
    return layers.Reshape((BANDS * x.shape[3],), name=name)(x)


def features(model: keras.Model, tensors: NDArray[np.uint8], batch: int = 64) -> dict[str, NDArray[np.float32]]:
    """Compute the gate's features of tensors (n, h, w, 3) uint8, by block."""
    import tensorflow as tf

    part = keras.Model(model.inputs, pooled(model))
    call = tf.function(lambda x: part(tf.cast(x, tf.float32), training=False))
    parts = [call(tensors[i : i + batch]) for i in range(0, len(tensors), batch)]
    return {name: np.concatenate([p[name].numpy() for p in parts]) for name in parts[0]}


def with_gate(model: keras.Model, gate: AnatomyGate) -> keras.Model:
    """Add the anatomy head to the model beside its heads; it shares their layers and changes none."""
    found = pooled(model)
    # One matrix for each block, added up: a joint input would have to share one quantisation step.
    units = [
        _dense(found[name], kernel, gate.bias if name == BLOCKS[0] else 0.0, f"gate_units_{name}")
        for name, kernel in gate.kernels.items()
    ]
    hidden = layers.ReLU(name="gate_hidden")(layers.Add(name="gate_sum")(units))
    anatomy = _dense(hidden, gate.weights[:, None], gate.offset, ANATOMY, "sigmoid")
    return keras.Model(model.inputs, {**model.output, ANATOMY: anatomy}, name="lite0_gated")


def _dense(x: Any, kernel: NDArray[np.float64], bias: Any, name: str, activation: Any = None) -> Any:
    layer = layers.Dense(kernel.shape[1], activation=activation, name=name)
    out = layer(x)
    layer.set_weights([kernel.astype(np.float32), np.broadcast_to(np.float32(bias), (kernel.shape[1],))])
    return out
