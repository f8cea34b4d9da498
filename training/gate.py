"""The anatomy gate: is this breast B-mode at all? A linear unit on the trained network's pooled features.

It is fitted after the network, on frozen features, so that mask and malignancy are what they were. Its figure is
honest by leaving out: every frame of a file is scored by a gate that saw nothing of that file's family.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from edge.preprocess.preprocessor import Preprocessor
from training import fakes, looks, network
from training.geometry import random_matrix, warp
from training.phantoms import phantom
from training.samples import augment, lesion_free, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import keras
    from numpy.typing import NDArray

    from training.datasets import Item
    from training.negatives import Negative
    from training.recipe import Recipe

VIEWS = 120
"""Training views of each family of files: as many of a single picture as of a clip with hundreds of frames."""
PHOTO_VIEWS = 12
MADE = 300
"""Made pictures of each kind."""
PHANTOM_FRAMES = 80
VIEW_SIDE = 560
"""Longer side in pixels that views are made at: at full size they would cost minutes and show the network the same."""


@dataclass(frozen=True, eq=False)
class Examples:
    """What the gate learns from: tensors and, of each, the answer, the family and the weight."""

    tensors: NDArray[np.uint8]
    wanted: NDArray[np.int_]
    families: NDArray[np.str_]

    def weights(self, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Families of one side weigh the same; both sides together weigh the same."""
        out = np.zeros(len(self.wanted))
        for side in (0, 1):
            names = np.unique(self.families[chosen & (self.wanted == side)])
            for name in names:
                rows = chosen & (self.wanted == side) & (self.families == name)
                out[rows] = 1.0 / len(names) / rows.sum()
        return out[chosen] * chosen.sum() / out[chosen].sum()


@dataclass(frozen=True, eq=False)
class Gate:
    """A fitted gate: probability = sigmoid(weights . features + bias)."""

    weights: NDArray[np.float64]
    bias: float

    def __call__(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Probability for each row of (n, k) features."""
        return 1.0 / (1.0 + np.exp(-(features @ self.weights + self.bias)))


def examples(items: Sequence[Item], negatives: Sequence[Negative], recipe: Recipe) -> Examples:
    """Positives: training pictures plain and augmented, lesion-free crops, linear phantoms. Negatives: all else."""
    rng = np.random.default_rng((recipe.seed, 77))
    preprocess = Preprocessor(recipe.preprocess)
    rows: list[tuple[Any, int, str]] = []
    train = [item for item in items if item.split == "train"]
    for item in train:
        rows.append((plain(item, preprocess).tensor, 1, "picture"))
        rows.append((plain(augment(rng, item), preprocess).tensor, 1, "picture"))
    for item in train[::5]:
        crop = lesion_free(rng, item)
        if crop is not None:
            rows.append((plain(crop, preprocess).tensor, 1, "crop"))
    for number in range(PHANTOM_FRAMES):
        rows.append((plain(phantom(recipe.seed, number), preprocess).tensor, 1, "phantom"))
        sector = phantom(recipe.seed, number, "sector")
        rows.append((preprocess(looks.transport(rng, looks.tone(rng, sector.image)))[0][0], 0, "sector-phantom"))
    for _ in range(MADE):
        donor = train[int(rng.integers(len(train)))].image
        rows.append((preprocess(looks.transport(rng, fakes.bent(rng, donor)))[0][0], 0, "bent"))
        rows.append((preprocess(fakes.test_card(rng))[0][0], 0, "test-card"))
    rows += _views(rng, negatives, preprocess)
    tensors, wanted, families = zip(*rows, strict=True)
    return Examples(np.stack(tensors), np.array(wanted), np.array(families))


def _views(
    rng: np.random.Generator, negatives: Sequence[Negative], preprocess: Preprocessor
) -> list[tuple[Any, int, str]]:
    rows = []
    for family in sorted({n.family for n in negatives}):
        members = [n for n in negatives if n.family == family]
        photo = members[0].photograph
        for _ in range(PHOTO_VIEWS if photo else VIEWS):
            rows.append(
                (_view(rng, members[int(rng.integers(len(members)))], preprocess), 0, "photograph" if photo else family)
            )
    return rows


def _view(rng: np.random.Generator, negative: Negative, preprocess: Preprocessor) -> NDArray[np.uint8]:
    """One frame, whole or cut, mirrored, in other tones: what the device might see of the like."""
    import cv2

    pixels = negative.pixels
    if rng.random() < 0.3:
        return preprocess(pixels, negative.regions)[0][0]
    grey = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    if negative.regions and rng.random() < 0.7:
        x, y, w, h = preprocess.crop_for(grey, negative.regions)
        grey = grey[y : y + h, x : x + w]
    if max(grey.shape) > VIEW_SIDE:
        scale = VIEW_SIDE / max(grey.shape)
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width = grey.shape
    if rng.random() < 0.6:
        matrix, size = random_matrix(rng, width, height)
        grey, _ = warp(grey, grey, matrix, size)
    return preprocess(looks.transport(rng, looks.grain(rng, looks.tone(rng, grey))))[0][0]


def features(model: keras.Model, tensors: NDArray[np.uint8], batch: int = 64) -> NDArray[np.float32]:
    """Pooled features (n, k) of tensors (n, h, w, 3), in the order that `network.bake_gate` takes."""
    import tensorflow as tf

    pools = network.pooled_features(model)
    call = tf.function(lambda x: tf.concat(pools(tf.cast(x, tf.float32), training=False), axis=1))
    return np.concatenate([call(tensors[i : i + batch]).numpy() for i in range(0, len(tensors), batch)])


def fit(found: NDArray[np.floating], data: Examples, strength: float, without: str | None = None) -> Gate:
    """Logistic regression on standardised features; ``without``: a family that it must not see."""
    chosen = data.families != without if without is not None else np.ones(len(data.wanted), bool)
    scaler = StandardScaler().fit(found[chosen])
    scale = np.maximum(scaler.scale_, 1e-3)
    regression = LogisticRegression(C=strength, max_iter=2000)
    regression.fit((found[chosen] - scaler.mean_) / scale, data.wanted[chosen], sample_weight=data.weights(chosen))
    weights = regression.coef_[0] / scale
    return Gate(weights, float(regression.intercept_[0] - weights @ scaler.mean_))


def threshold(gate: Gate, held: NDArray[np.floating], refusals: float) -> float:
    """The probability under which the share ``refusals`` of the held features' pictures lies."""
    return float(np.quantile(gate(held), refusals))


def leave_one_out(
    found: NDArray[np.floating],
    data: Examples,
    held: NDArray[np.floating],
    judged: dict[str, tuple[str, NDArray[np.floating]]],
    recipe: Recipe,
    log: Callable[[str], None],
) -> dict[str, dict[str, Any]]:
    """By file: frames, how many pass, and their scores, each by a gate (and its threshold) without that family.

    Args:
        found: features of ``data``.
        data: all that the shipped gate learns from.
        held: features of the validation pictures, which the thresholds are chosen on.
        judged: by file name, its family and its frames' features, as the device sees them.
        recipe: of the run.
        log: takes a line for each file.
    """
    table = {}
    for family in sorted({name for name, _ in judged.values()}):
        gate = fit(found, data, recipe.gate.strength, without=family)
        limit = threshold(gate, held, recipe.gate.refusals)
        for file, (name, frames) in judged.items():
            if name == family:
                scores = gate(frames)
                table[file] = {
                    "family": family,
                    "frames": len(scores),
                    "passed": int((scores >= limit).sum()),
                    "threshold": limit,
                    "scores": scores,
                }
                log(f"gate without {family}: {file} passes {table[file]['passed']} of {len(scores)} frames")
    return table
