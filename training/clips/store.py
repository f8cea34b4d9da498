"""Files of a clip run: weights, features of clips, and sequences for export.

weights.npz      the network, by name of its arrays; ``folds.npz``: those of a cross-validation, as ``1/W``
sequences.npz    x (n, steps, 7), length (n,): sequences of training clips, which calibrate the quantisation
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge.contracts.errors import ConfigError
from training.clips.sequences import padded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from training.clips.gru import Weights
    from training.clips.sequences import FeatureSequence

WEIGHTS, FOLDS_FILE, SEQUENCES = "weights.npz", "folds.npz", "sequences.npz"
KEPT = 96
"""Sequences that are kept for export, the longest first."""
MOST_STEPS = 240


def write_run(out: Path, weights: Weights, sequences: Sequence[FeatureSequence]) -> None:
    """Write network and sequences of a run."""
    out.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = dict(weights)  # Any: numpy's stub takes a value for ``allow_pickle``
    np.savez(out / WEIGHTS, **arrays)
    chosen = sorted(sequences, key=lambda each: -len(each.x))[:KEPT]
    x = padded(chosen)[0][:, :MOST_STEPS]
    lengths = np.array([min(len(each.x), MOST_STEPS) for each in chosen])
    np.savez_compressed(out / SEQUENCES, x=x, length=lengths)


def write_folds(out: Path, by_fold: Mapping[int, Weights]) -> None:
    """Write the networks of a cross-validation."""
    out.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {
        f"{fold}/{name}": value for fold, weights in by_fold.items() for name, value in weights.items()
    }
    np.savez(out / FOLDS_FILE, **arrays)


def read_weights(run: Path) -> Weights:
    """Read the network of a run. Raises ConfigError where there is none."""
    return _read(run / WEIGHTS)


def read_folds(run: Path) -> dict[int, Weights]:
    """Read the networks of a cross-validation, by the fold that they did not learn from. Raises ConfigError."""
    found: dict[int, Weights] = {}
    for key, value in _read(run / FOLDS_FILE).items():
        fold, _, name = key.partition("/")
        found.setdefault(int(fold), {})[name] = value
    return found


def _read(path: Path) -> Weights:
    if not path.is_file():
        raise ConfigError(f"there is no {path}", hint="fit it: python -m training video, or run --recipe clip")
    with np.load(path) as file:
        return {name: file[name] for name in file.files}
