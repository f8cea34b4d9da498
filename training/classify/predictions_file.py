"""``predictions.csv`` of a classifier's run: what the float model says of each held-back picture.

Of a run with folds also what each fold's model says of the part that it never saw, as split ``oof`` (out of fold).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.contracts.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

FILE = "predictions.csv"
COLUMNS = ["id", "group", "label", "split"]
HINT = "let `python -m training run` end, then give its folder"


@dataclass(frozen=True, eq=False)
class ClassPredictions:
    """Predictions for held-back pictures. Item ``i`` of each belongs to picture ``i``."""

    classes: list[str]
    ids: NDArray[np.str_]
    """(n,) path of the picture below the data set's folder."""
    groups: NDArray[np.str_]
    """(n,) the patient."""
    labels: NDArray[np.int64]
    """(n,) number of the true class."""
    splits: NDArray[np.str_]
    """(n,) ``val``, ``test`` or ``oof``: a picture of the last stands in ``val`` or in no other, too."""
    scores: NDArray[np.float64]
    """(n, k) probabilities of the classes."""

    def of(self, split: str) -> ClassPredictions:
        """Predictions of one split."""
        rows = self.splits == split
        arrays = (each[rows] for each in (self.ids, self.groups, self.labels, self.splits, self.scores))
        return ClassPredictions(self.classes, *arrays)

    def __len__(self) -> int:
        return len(self.labels)


def write_predictions(run: Path, classes: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write ``predictions.csv``; a row is id, group, class, split and a probability of each class."""
    with (run / FILE).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*COLUMNS, *classes])
        writer.writerows(rows)


def read_predictions(run: Path) -> ClassPredictions:
    """Read ``predictions.csv`` of a run's folder. Raises ConfigError where it is missing or no such file."""
    path = run / FILE
    if not path.is_file():
        raise ConfigError(f"{run} is not a whole run: it has no {FILE}", hint=HINT)
    with path.open(newline="", encoding="utf-8") as file:
        head, *rows = [*csv.reader(file)] or [[]]
    classes = head[len(COLUMNS) :]
    if head[: len(COLUMNS)] != COLUMNS or len(classes) < 2 or not rows:
        raise ConfigError(f"{path}: expected {', '.join(COLUMNS)} and two classes or more, got {head[:8]}", hint=HINT)
    try:
        numbers = np.array([classes.index(row[2]) for row in rows], np.int64)
        scores = np.array([[float(value) for value in row[len(COLUMNS) :]] for row in rows])
    except (ValueError, IndexError) as error:
        raise ConfigError(f"{path} is damaged: {error}", hint="train again, or copy the file again") from error
    ids, groups, splits = (np.array([row[column] for row in rows]) for column in (0, 1, 3))
    return ClassPredictions(classes, ids, groups, numbers, splits, scores)
