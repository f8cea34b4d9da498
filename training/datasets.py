"""Readers of the breast data sets BUS-BRA and BUSI, and the checks that every split must pass."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np

from edge.contracts.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

Split = Literal["train", "val", "test"]
BENIGN, MALIGNANT, UNLABELLED = 0, 1, -1
BUS_BRA, BUSI = "BUS-BRA", "BUSI"
FOLDS = 5


@dataclass(frozen=True, eq=False)
class Item:
    """One picture of a data set with its lesion mask, label and patient."""

    id: str
    group: str
    """The patient: all pictures of a group belong to one side of every split."""
    source: str
    """Name of the data set."""
    split: Split
    label: int
    """0 benign, 1 malignant, -1 none: the malignancy head then learns nothing from it."""
    image: NDArray[np.uint8]
    """(H, W) uint8 grey, 0 to 255."""
    mask: NDArray[np.uint8]
    """(H, W) uint8, 1 where there is lesion, else 0."""
    device: str = ""
    """The scanner; empty where it is not known."""
    birads: str = ""
    """BI-RADS category as the set gives it; empty where it is not known."""
    fold: int = 0
    """The test fold that it belongs to, 1 to 5; 0: none, it is always training."""


def check_split(items: Iterable[Item | tuple[str, str]]) -> None:
    """Check that no group is on more than one side of the split; raises ConfigError if the split leaks.

    Takes items, or (group, split) pairs.
    """
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


def check_classes(items: Sequence[Item], splits: Sequence[Split] = ("train", "val", "test")) -> None:
    """Check that each of ``splits`` holds both classes; raises ConfigError if one does not."""
    for split in splits:
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
    picture: Any = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) if path.is_file() else None
    if picture is None:
        raise ConfigError(f"{path} is missing or not a picture", hint="unpack the data set again")
    grey: NDArray[np.uint8] = picture
    return grey


def bus_bra(root: Path) -> list[Item]:
    """Read BUS-BRA (Gomez-Flores et al. 2024): 1,875 pictures of 1,064 patients, each with a lesion and its mask.

    ``Item.fold`` is the official patient-level test fold (``kFold``). The columns ``valid_k`` are left alone: they
    tear the two views of 210 patients apart. Raises ConfigError for missing files.
    """
    cases = {row["ID"]: row for row in _rows(root / "bus_data.csv")}
    items = []
    for row in _rows(root / "5-fold-cv.csv"):
        key, case = row["ID"], cases[row["ID"]]
        items.append(
            Item(
                id=key,
                group=f"bus-bra/{case['Case']}",
                source=BUS_BRA,
                split="train",
                label=MALIGNANT if case["Pathology"] == "malignant" else BENIGN,
                image=_grey(root / "images" / f"{key}.jpg"),
                mask=_mask(root, key),
                device=case["Device"],
                birads=case.get("BIRADS", ""),
                fold=int(row["kFold"]),
            )
        )
    _check_sizes(items)
    return items


def busi(root: Path) -> list[Item]:
    """Read BUSI (Al-Dhabyani et al. 2020), without the groups of look-alikes that carry two labels.

    It has no patients: what looks like the same lesion is one group. Normal pictures have an empty mask and no label,
    so that "no lesion" is learnt by the mask and never as a class. ``Item.fold``: group number modulo 5, plus 1.
    Raises ConfigError for missing files.
    """
    items = []
    for row in _rows(root / "labels.csv"):
        if row["group_has_two_labels"] == "1":
            continue
        image = _grey(root / "images" / f"{row['id']}.jpg")
        lesion = row["label"] != "normal"
        items.append(
            Item(
                id=row["id"],
                group=f"busi/{row['group']}",
                source=BUSI,
                split="train",
                label={"benign": BENIGN, "malignant": MALIGNANT, "normal": UNLABELLED}[row["label"]],
                image=image,
                mask=_mask(root, row["id"]) if lesion else np.zeros_like(image),
                fold=int(row["group"]) % FOLDS + 1,
            )
        )
    _check_sizes(items)
    return items


def load_breast_sets(data: Path) -> list[Item]:
    """Read BUS-BRA and BUSI, from ``data/bus-bra`` and ``data/busi``."""
    return [*bus_bra(data / "bus-bra"), *busi(data / "busi")]


def _mask(root: Path, key: str) -> NDArray[np.uint8]:
    return (_grey(root / "masks" / f"{key}.png") > 127).astype(np.uint8)


def _check_sizes(items: Sequence[Item]) -> None:
    for item in items:
        if item.image.shape != item.mask.shape:
            raise ConfigError(
                f"{item.id}: expected a mask of {item.image.shape}, got {item.mask.shape}",
                hint="unpack the data set again",
            )
