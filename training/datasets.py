"""Adapters from data sets to one kind of item, and the splits that keep a patient on one side."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import cv2

from edge.contracts.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

Split = Literal["train", "val", "test"]
BENIGN, MALIGNANT, UNLABELLED = 0, 1, -1


@dataclass(frozen=True, eq=False)
class Item:
    """One picture with what is known of it."""

    id: str
    group: str
    """The patient: all of a group stand on one side of every split."""
    source: str
    """The data set."""
    split: Split
    label: int
    """0 benign, 1 malignant, -1 none: it then teaches the malignancy head nothing."""
    image: NDArray[np.uint8]
    """(H, W) grey."""
    mask: NDArray[np.uint8]
    """(H, W), 1 where there is lesion, else 0."""
    device: str = ""


def check_split(items: Iterable[Item | tuple[str, str]]) -> None:
    """Raises ConfigError if a group stands on more than one side. Items, or (group, split) pairs."""
    sides: dict[str, set[str]] = defaultdict(set)
    for item in items:
        group, split = item if isinstance(item, tuple) else (item.group, item.split)
        sides[group].add(split)
    leaks = sorted(group for group, found in sides.items() if len(found) > 1)
    if leaks:
        raise ConfigError(
            f"the split leaks: {len(leaks)} groups stand on both sides, "
            f"{leaks[0]} in {', '.join(sorted(sides[leaks[0]]))}",
            hint="split by patient: every picture of a case belongs to one side",
        )


def check_classes(items: Sequence[Item]) -> None:
    """Raises ConfigError unless every side holds both classes."""
    for split in ("train", "val", "test"):
        found = {item.label for item in items if item.split == split} - {UNLABELLED}
        if found != {BENIGN, MALIGNANT}:
            names = {BENIGN: "benign", MALIGNANT: "malignant"}
            raise ConfigError(
                f"expected benign and malignant pictures in {split}, "
                f"got {', '.join(names[k] for k in sorted(found)) or 'none'}",
                hint="a probability of malignancy cannot be learnt or judged from one class",
            )


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        raise ConfigError(
            f"{path} is missing", hint="--data names the folder that holds bus-bra/; the README says where to get it"
        )
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _grey(path: Path) -> NDArray[np.uint8]:
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) if path.is_file() else None
    if picture is None:
        raise ConfigError(f"{path} is missing or not a picture", hint="unpack the data set again")
    return picture


def bus_bra(root: Path, fold: int) -> list[Item]:
    """BUS-BRA (Gomez-Flores et al. 2024) with its official patient-level test folds.

    ``fold`` is held back as the test (kFold == fold). Of the rest, the column ``valid_<fold>`` says 1 training,
    0 validation, but picture by picture: it tears the two views of 210 of 1,064 patients apart. Here a patient's
    first row decides for all of them. Masks are of their pictures' size. Raises ConfigError for missing files, a
    leaking split or one class alone.
    """
    cases = {row["ID"]: row for row in _rows(root / "bus_data.csv")}
    sides: dict[str, Split] = {}
    items = []
    for row in _rows(root / "5-fold-cv.csv"):
        key, case = row["ID"], cases[row["ID"]]
        group = f"bus-bra/{case['Case']}"
        split: Split = "test" if int(row["kFold"]) == fold else ("train" if row[f"valid_{fold}"] == "1" else "val")
        if split != "test":
            split = sides.setdefault(group, split)
        image, mask = _grey(root / "images" / f"{key}.jpg"), _grey(root / "masks" / f"{key}.png")
        if image.shape != mask.shape:
            raise ConfigError(
                f"{key}: expected a mask of {image.shape}, got {mask.shape}", hint="unpack the data set again"
            )
        label = MALIGNANT if row["Pathology"] == "malignant" else BENIGN
        items.append(Item(key, group, "BUS-BRA", split, label, image, (mask > 127).astype("uint8"), case["Device"]))
    check_split(items)
    check_classes(items)
    return items
