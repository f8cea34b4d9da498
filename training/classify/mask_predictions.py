"""What a segmentation network says of held-out pictures: pixel counts by class, kept in ``masks.npz``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.contracts.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray


FILE = "masks.npz"


@dataclass(frozen=True, eq=False)
class MaskPredictions:
    """Pixel counts of held-back pictures. Item ``i`` of each belongs to picture ``i``."""

    classes: list[str]
    ids: NDArray[np.str_]
    groups: NDArray[np.str_]
    splits: NDArray[np.str_]
    """(n,) ``val`` or ``test``."""
    counts: NDArray[np.int64]
    """(n, k, k) pixels of the tensor: rows are the truth, columns what was found."""
    found: NDArray[np.uint8]
    """(n, h, w) class of each place of the map."""

    def of(self, split: str) -> MaskPredictions:
        """Predictions of one split."""
        rows = self.splits == split
        arrays = (each[rows] for each in (self.ids, self.groups, self.splits, self.counts, self.found))
        return MaskPredictions(self.classes, *arrays)

    def __len__(self) -> int:
        return len(self.ids)


def count_pixels(probabilities: NDArray[np.floating], truth: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Pixels by true and found class, (k, k), of a map (h', w', k) that is brought to the truth's size (h, w)."""
    size = (truth.shape[1], truth.shape[0])
    wide = cv2.resize(np.ascontiguousarray(probabilities, np.float32), size, interpolation=cv2.INTER_LINEAR)
    k = probabilities.shape[2]
    return np.bincount(
        truth.reshape(-1).astype(np.int64) * k + wide.argmax(axis=2).reshape(-1), minlength=k * k
    ).reshape(k, k)


def write_mask_predictions(run: Path, predictions: MaskPredictions) -> None:
    """Write ``masks.npz`` into the run's folder."""
    p = predictions
    np.savez_compressed(
        run / FILE,
        classes=np.array(p.classes),
        ids=p.ids,
        groups=p.groups,
        splits=p.splits,
        counts=p.counts,
        found=p.found,
    )


def read_mask_predictions(run: Path) -> MaskPredictions:
    """Read ``masks.npz`` of a run's folder. Raises ConfigError where it is missing."""
    if not (run / FILE).is_file():
        raise ConfigError(
            f"{run} is not a whole run: it has no {FILE}", hint="let `python -m training run` end, then give its folder"
        )
    with np.load(run / FILE) as file:
        arrays = [file[name] for name in ("ids", "groups", "splits", "counts", "found")]
        return MaskPredictions(file["classes"].tolist(), *arrays)


def join_predictions(classes: Sequence[str], parts: Sequence[MaskPredictions]) -> MaskPredictions:
    """Predictions of several sides in one."""
    arrays = ([getattr(p, name) for p in parts] for name in ("ids", "groups", "splits", "counts", "found"))
    return MaskPredictions(list(classes), *(np.concatenate(each) for each in arrays))
