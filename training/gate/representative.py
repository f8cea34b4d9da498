"""Representative tensors of the anatomy gate's examples, which set the steps of its int8 layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.gate.examples import GateExamples

COUNTS = {
    "picture": 130,
    "bent": 40,
    "crop": 10,
    "bent-crop": 4,
    "phantom": 12,
    "bent-phantom": 4,
    "sector-phantom": 6,
    "test-card": 4,
    "haze": 6,
    "lung": 4,
    "muscle": 4,
    "thyroid": 2,
    "eye": 4,
    "fluid": 2,
    "smeared": 2,
}
"""Number of pictures of each kind."""


def representative(learnt: GateExamples, seed: int) -> NDArray[np.uint8]:
    """Some examples of each kind, (n, height, width, channels)."""
    rng = np.random.default_rng(seed)
    picked = []
    for family, count in COUNTS.items():
        rows = np.flatnonzero(learnt.families == family)
        picked.append(learnt.tensors[rng.permutation(rows)[:count]])
    return np.concatenate(picked)
