"""Read the folder of a segmentation's training run (heads = mask), as far as export needs it.

The files are those of a classifier's run (`export.classifier_run`); ``eval.npz`` has ``masks`` of class numbers, and
the record's classes begin with the background.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.contracts.errors import UsageError
from export.classifier_run import AGAIN, ClassifierRunRecord
from export.run_folder import check_patients_apart, read_record, read_representative

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

HINT = "make one with: python -m training run --recipe folder --masks --data DIR --out runs/<id>"


@dataclass(frozen=True, slots=True, eq=False)
class MaskedPictures:
    """Held-out pictures of one split with their masks. Item ``i`` of each belongs to picture ``i``."""

    tensors: NDArray[np.uint8]
    """(n, height, width, channels) uint8, 0 to 255."""
    masks: NDArray[np.uint8]
    """(n, height, width) numbers of the classes."""
    groups: NDArray[np.str_]
    """(n,) the patient."""

    def __len__(self) -> int:
        return len(self.groups)


@dataclass(frozen=True)
class SegmentationRun:
    """A segmentation's training run, read from its folder."""

    path: Path
    record: ClassifierRunRecord
    representative: NDArray[np.uint8]
    """(n, height, width, channels) uint8, 0 to 255: training pictures, for the ranges of quantisation."""
    val: MaskedPictures
    test: MaskedPictures


def open_segmentation_run(path: Path) -> SegmentationRun:
    """Read the folder of a segmentation's run. Raises UsageError, naming what is missing or of another shape."""
    record = read_record(path, ClassifierRunRecord, HINT)
    representative = read_representative(path, record.recipe.preprocess, HINT)
    with np.load(path / "eval.npz") as file:
        arrays = {name: file[name] for name in ("tensors", "masks", "groups", "split")}
    sides = {}
    for side in ("val", "test"):
        rows = arrays["split"] == side
        if not rows.any():
            raise UsageError(f"{path} kept no held-back picture of {side}", hint=AGAIN)
        sides[side] = MaskedPictures(*(arrays[name][rows] for name in ("tensors", "masks", "groups")))
    check_patients_apart(sides["val"].groups, sides["test"].groups, HINT)
    return SegmentationRun(path, record, representative, sides["val"], sides["test"])
