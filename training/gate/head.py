"""Layers of the fitted anatomy gate in the network: pooled features in, the anatomy head out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import layers

from edge.contracts.manifest import ANATOMY, LESION_MASK, MALIGNANCY
from training.gate.anatomy_gate import CENTRE, DISTANCE_FEATURES, REGRESSION_FEATURES, SHARPNESS
from training.network import SKIPS, mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.gate.anatomy_gate import AnatomyGate, FeatureCluster

POOLED = {"pool8": SKIPS[8], "pool16": SKIPS[16], "merge8": "merge8", "merge16": "merge16"}
"""By feature: the layer whose mean over the picture is the feature."""


def pooled(model: keras.Model) -> dict[str, Any]:
    """Pooled features of the gate as tensors of ``model``, by name."""
    found = {}
    for name in (*REGRESSION_FEATURES, *DISTANCE_FEATURES):
        found[name] = mean(model.get_layer(POOLED[name]).output, f"gate_{name}")
    return found


def features(model: keras.Model, tensors: NDArray[np.uint8], batch: int = 64) -> dict[str, NDArray[np.float32]]:
    """Compute the gate's features of tensors (n, h, w, 3) uint8, by name: (n, channels) float32."""
    import tensorflow as tf

    part = keras.Model(model.inputs, pooled(model))
    call = tf.function(lambda x: part(tf.cast(x, tf.float32), training=False))
    parts = [call(tensors[i : i + batch]) for i in range(0, len(tensors), batch)]
    return {name: np.concatenate([p[name].numpy() for p in parts]) for name in parts[0]}


def with_gate(model: keras.Model, gate: AnatomyGate) -> keras.Model:
    """Add the anatomy head to the model beside its two heads; it shares their layers and changes none."""
    found = pooled(model)
    # One unit for each feature, added up: a joint input would have to share one quantisation step.
    units = [
        _dense(found[n], w[:, None], gate.bias if n == REGRESSION_FEATURES[0] else 0.0, n)
        for n, w in gate.weights.items()
    ]
    like = layers.ReLU(6.0, name="gate_like")(layers.Add(name="gate_sum")(units))
    joined = layers.Concatenate(name="gate_near")([found[n] for n in DISTANCE_FEATURES])
    first, second = (_near(joined, cluster, name) for name, cluster in gate.clusters.items())
    # max(a, b) = a + relu(b - a), min(a, b) = a - relu(a - b): ReLU runs everywhere in int8.
    near = layers.Add(name="gate_nearest")([first, _relu_difference(second, first, "gate_nearer")])
    least = layers.Subtract(name="gate_least")([like, _relu_difference(like, near, "gate_farther")])
    anatomy = _dense(least, np.array([[SHARPNESS]]), -SHARPNESS * CENTRE, ANATOMY, "sigmoid", prefix="")
    heads = {MALIGNANCY: model.get_layer(MALIGNANCY).output, LESION_MASK: model.get_layer(LESION_MASK).output}
    return keras.Model(model.inputs, {**heads, ANATOMY: anatomy}, name="lite0_gated")


def _dense(
    x: Any, kernel: NDArray[np.float64], bias: Any, name: str, activation: Any = None, *, prefix: str = "gate_unit_"
) -> Any:
    layer = layers.Dense(kernel.shape[1], activation=activation, name=f"{prefix}{name}")
    out = layer(x)
    layer.set_weights([kernel.astype(np.float32), np.broadcast_to(np.float32(bias), (kernel.shape[1],))])
    return out


def _near(x: Any, cluster: FeatureCluster, name: str) -> Any:
    """relu6 of a cluster's margin: |z| as relu6(z) + relu6(-z), summed with equal weights."""
    axes = np.concatenate([cluster.axes, -cluster.axes], axis=1)
    both = _dense(x, axes, np.concatenate([cluster.offset, -cluster.offset]), f"axes_{name}", keras.activations.relu6)
    count = cluster.axes.shape[1]
    weight = np.full((2 * count, 1), -cluster.slope / count)
    return _dense(both, weight, cluster.intercept, f"margin_{name}", keras.activations.relu6)


def _relu_difference(a: Any, b: Any, name: str) -> Any:
    return layers.ReLU(name=name)(layers.Subtract(name=f"{name}_by")([a, b]))
