"""The float network as a recurrent step, in place of ``clip.tflite``: to judge it, and rivals of it, without export."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.contracts.clip_model import FEATURES_VERSION, ClipManifest
from training.clips.gru import forward, logits, run, scaled, sigmoid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.clips.gru import Weights

    Answer = tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.float32]]


def manifest_of(new_from: float | None, joins: bool = False) -> ClipManifest:
    """Manifest of a step that is no file: what it decides."""
    return ClipManifest(
        features_version=FEATURES_VERSION, graph_sha256="", frame_model_sha256="", new_from=new_from, joins=joins
    )


class FloatStep:
    """Step of float weights. Its states are the bytes of float32 values, since states are int8 to their host."""

    def __init__(self, weights: Weights, manifest: ClipManifest) -> None:
        self._weights, self._manifest = weights, manifest

    @property
    def manifest(self) -> ClipManifest:
        """Description: what the step decides."""
        return self._manifest

    def begin(self) -> NDArray[np.int8]:
        """State of which nothing is known: zero."""
        return np.zeros(4 * len(self._weights["U"]), np.int8)

    def step(self, features: NDArray[np.float32], states: NDArray[np.int8]) -> Answer:
        """New states, malignancy and presence, see `RecurrentStep`."""
        before = np.ascontiguousarray(states).view(np.float32)
        after = np.ascontiguousarray(forward(self._weights, scaled(features), before).after, np.float32)
        said = sigmoid(logits(self._weights, after))
        return after.view(np.int8), said[:, 0], said[:, 1]


class ShuffledStep:
    """The same network, told all frames of a track so far in a random order at each step: it cannot use their order."""

    def __init__(self, weights: Weights, manifest: ClipManifest, seed: int = 0) -> None:
        self._weights, self._manifest = weights, manifest
        self._rng = np.random.default_rng(seed)
        self._seen: list[list[NDArray[np.float32]]] = []

    @property
    def manifest(self) -> ClipManifest:
        """Description: what the step decides."""
        return self._manifest

    def begin(self) -> NDArray[np.int8]:
        """State that names a new track."""
        self._seen.append([])
        return np.array([len(self._seen) - 1], np.int64).view(np.int8)

    def step(self, features: NDArray[np.float32], states: NDArray[np.int8]) -> Answer:
        """Malignancy and presence of each track's frames in a random order; the states name the tracks."""
        names = np.ascontiguousarray(states).view(np.int64)[:, 0].tolist()
        for name, row in zip(names, features, strict=True):
            self._seen[name].append(row)
        ends = np.array([len(self._seen[name]) for name in names])
        x = np.zeros((len(names), int(ends.max()), features.shape[1]), np.float32)
        for row, name in enumerate(names):
            x[row, : ends[row]] = scaled(np.array(self._seen[name]))[self._rng.permutation(ends[row])]
        both = sigmoid(run(self._weights, x)[np.arange(len(names)), ends - 1])
        return states, both[:, 0], both[:, 1]
