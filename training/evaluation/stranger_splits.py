"""Stranger splits: test pictures of runs that never saw their hospital or scanner, pooled for calibration.

A picture can be a test picture of several such runs (one of a GE Logiq 7 is also one of ``busi-to-bus-bra``), each with
a logit of its own. `pool` keeps all of its k logits, each with a weight of 1/k: each picture counts once, and the
logits scatter as those of one model do. The mean of the k would be an ensemble's, which no device runs.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from edge.contracts.errors import ConfigError
from training.evaluation.found_lesions import lesions_in_masks
from training.evaluation.held_out_predictions import INT8, load_held_out, read_int8
from training.evaluation.lesion_free import CROPS, CROPS_INT8

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.contracts.manifest import Thresholds
    from training.evaluation.held_out_predictions import HeldOutPredictions


@dataclass(frozen=True, eq=False)
class CalibrationRows:
    """Pictures that calibration and operating point are fitted on, as columns; row ``i`` is one logit of a picture."""

    ids: NDArray[np.str_]
    groups: NDArray[np.str_]
    labels: NDArray[np.int8]
    """0 benign, 1 malignant, -1 no lesion."""
    malignancy: NDArray[np.float64]
    """(n,) the head's output, not calibrated."""
    presence: NDArray[np.float64]
    """(n,) largest value of the lesion mask, 0 to 1."""
    found: NDArray[np.bool_]
    """(n,) whether a device reports a lesion."""
    weights: NDArray[np.float64]
    """(n,) 1/k for a picture with k rows."""

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, chosen: NDArray[np.bool_]) -> CalibrationRows:
        """Select some of the rows by a boolean mask (n,); weights stay."""
        return CalibrationRows(**{f.name: getattr(self, f.name)[chosen] for f in fields(self)})

    @property
    def known(self) -> NDArray[np.bool_]:
        """Mask (n,) of the pictures with a lesion that is known to be benign or malignant."""
        return self.labels >= 0


@dataclass(frozen=True, eq=False)
class StrangerSplit:
    """One run's test pictures, of a hospital or scanner that it never saw, and crops of them without their lesion."""

    name: str
    rows: HeldOutPredictions
    pictures: CalibrationRows
    """The same as ``rows``, each with a weight of 1."""
    crops: CalibrationRows
    """Lesion-free crops, each with a weight of 1; none where the run has none."""
    learnt_from: str
    """Data sets that the run learnt from, in words."""
    outputs: str
    """Whose outputs they are: ``float`` or ``int8``."""

    @property
    def devices(self) -> str:
        """Scanners of the test pictures, in words; empty where none is known."""
        return ", ".join(sorted(set(self.rows.devices.tolist()) - {""}))


def load_stranger(run: Path, int8: bool, lesion: Thresholds) -> StrangerSplit:
    """Load a run's test pictures, with the float model's outputs or the quantised one's.

    Lesion-free crops are always the quantised model's. ``lesion``: from which mask value and score on a device reports
    one. Raises ConfigError where files are missing or do not fit.
    """
    held = load_held_out(run)
    if held.folds > 1:
        raise ConfigError(
            f"{run} is a cross-validation: its folds know every hospital",
            hint="give runs with --protocol bus-bra-to-busi, busi-to-bus-bra or without:SCANNER",
        )
    rows = read_int8(run / INT8, held.test) if int8 else held.test
    learnt = ", ".join(sorted(set(held.selection.sources.tolist())))
    pictures = CalibrationRows(
        ids=rows.ids,
        groups=rows.groups,
        labels=rows.labels,
        malignancy=rows.malignancy.astype(np.float64),
        presence=largest_presence(rows.lesion),
        found=_found(rows.lesion, rows.size, lesion),
        weights=np.ones(len(rows)),
    )
    crops = _crops(run, rows.size, lesion, pictures)
    return StrangerSplit(run.name, rows, pictures, crops, learnt, "int8" if int8 else "float")


def largest_presence(lesion: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Largest value of each mask head (n, h, w) uint8, probability times 255: (n,) from 0 to 1."""
    most: NDArray[np.float64] = lesion.reshape(len(lesion), -1).max(axis=1).astype(np.float64) / 255
    return most


def _found(lesion: NDArray[np.uint8], size: tuple[int, int], limits: Thresholds) -> NDArray[np.bool_]:
    found = lesions_in_masks(lesion, size, limits.lesion, limits.lesion_score)
    return np.array([bool(each) for each in found], bool)


def _crops(run: Path, size: tuple[int, int], lesion: Thresholds, pictures: CalibrationRows) -> CalibrationRows:
    if not (run / CROPS_INT8).is_file():
        if (run / CROPS).is_file():
            raise ConfigError(f"{run / CROPS_INT8} is missing", hint=f"make it with: python -m export folds {run}")
        return pictures.take(np.zeros(len(pictures), bool))
    with np.load(run / CROPS) as file:
        ids, groups = file["ids"], file["groups"]
    with np.load(run / CROPS_INT8) as file:
        said = {name: file[name] for name in ("ids", "malignancy", "lesion")}
    if not np.array_equal(said["ids"], ids):
        raise ConfigError(
            f"{run / CROPS_INT8} has other crops than {CROPS}", hint=f"make it anew with: python -m export folds {run}"
        )
    return CalibrationRows(
        ids=np.array([f"{each}/lesion-free" for each in ids]),
        groups=groups,
        labels=np.full(len(ids), -1, np.int8),
        malignancy=said["malignancy"].astype(np.float64),
        presence=largest_presence(said["lesion"]),
        found=_found(said["lesion"], size, lesion),
        weights=np.ones(len(ids)),
    )


def pool(splits: Sequence[StrangerSplit], without: Collection[str] = ()) -> CalibrationRows:
    """Pool the pictures and crops of all splits, but for the patients ``without``; each picture counts once."""
    parts = [split.pictures for split in splits] + [split.crops for split in splits]
    names = [f.name for f in fields(CalibrationRows) if f.name != "weights"]
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    kept = ~np.isin(columns["groups"], np.array(sorted(without), dtype=str))
    columns = {name: values[kept] for name, values in columns.items()}
    count = Counter(columns["ids"].tolist())
    weights = np.array([1 / count[each] for each in columns["ids"].tolist()])
    return CalibrationRows(**columns, weights=weights)
