"""Distance between filled and real tissue in ImageNet features (EfficientNet-Lite0): how much like tissue it looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from training import network
from training.weights import imagenet_lite0

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from training.gan.windows import FilledPicture

FEATURES = "block4"
SIZE = 96
"""Side that windows are enlarged to."""


def feature_distance_ratio(pictures: Sequence[FilledPicture], seed: int) -> dict[str, float]:
    """Median distance of filled windows to the nearest real one, over that of real windows to the nearest other.

    Features are the mean and the standard deviation of each channel of an ImageNet layer, each scaled by its spread
    over the real windows. Real windows are halved by patient: none is compared with its own picture.
    """
    beside = [one for one in pictures if one.kind == "beside"]
    groups = sorted({one.item.group for one in beside})
    order = np.random.default_rng(seed).permutation(len(groups))
    first = {groups[i] for i in order[: len(groups) // 2]}
    base = [one for one in beside if one.item.group in first]
    other = [one for one in beside if one.item.group not in first]
    if not base or not other:
        return {"ratio": float("nan"), "windows": 0}
    real_base = _features([one.window(one.real) for one in base])
    spread = real_base.std(axis=0) + 1e-6
    distances = [
        float(np.median(_nearest(_features(windows) / spread, real_base / spread)))
        for windows in ([one.window(one.filled) for one in other], [one.window(one.real) for one in other])
    ]
    return {"ratio": distances[0] / distances[1], "windows": len(other)}


def _features(windows: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
    model = network.build(SIZE, SIZE)
    network.load_imagenet(model, imagenet_lite0())
    layer = next(each for each in model.layers if each.name in (FEATURES, f"{FEATURES}_bn2"))
    import keras

    part = keras.Model(model.inputs, layer.output)
    out = []
    for start in range(0, len(windows), 64):
        grey = np.stack(windows[start : start + 64]).astype(np.float32)[..., None]
        maps = np.asarray(part(tf.image.resize(tf.repeat(grey, 3, axis=-1), (SIZE, SIZE)), training=False))
        out.append(np.concatenate([maps.mean(axis=(1, 2)), maps.std(axis=(1, 2))], axis=1))
    return np.concatenate(out)


def _nearest(queries: NDArray[np.float64], base: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.array([np.sqrt(((base - one) ** 2).sum(axis=1).min()) for one in queries])
    return found
