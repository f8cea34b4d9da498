"""Fixtures of training's tests: tiny copies of BUS-BRA and BUSI with synthetic pictures."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

if TYPE_CHECKING:
    from pathlib import Path

CASES = [  # case, pictures, pathology, test fold, valid_1 of each picture
    (1, ("l", "r"), "malignant", 1, ("NaN", "NaN")),
    (2, ("s",), "benign", 1, ("NaN",)),
    (3, ("l", "r"), "benign", 2, ("0", "1")),  # the official columns tear this patient apart
    (4, ("s",), "malignant", 2, ("0",)),
    (5, ("l", "r"), "malignant", 3, ("1", "1")),
    (6, ("l", "r"), "benign", 3, ("1", "0")),
]


def write_table(path: Path, rows: list[dict[str, object]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def tiny_bus_bra(tmp_path: Path) -> Path:
    root = tmp_path / "bus-bra"
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    rng = np.random.default_rng(0)
    cases, folds = [], []
    for case, sides, pathology, fold, valid in CASES:
        for side, side_valid in zip(sides, valid, strict=True):
            key = f"bus_{case:04d}-{side}"
            image = rng.integers(30, 200, (90, 120)).astype(np.uint8)
            mask = np.zeros_like(image)
            cv2.ellipse(mask, (60, 40), (20, 12), 0, 0, 360, 255, -1)
            cv2.imwrite(str(root / "images" / f"{key}.jpg"), image)
            cv2.imwrite(str(root / "masks" / f"{key}.png"), mask)
            cases.append({"ID": key, "Case": case, "Device": "A", "Pathology": pathology})
            folds.append({"ID": key, "Pathology": pathology, "kFold": fold, "valid_1": side_valid})
    write_table(root / "bus_data.csv", cases)
    write_table(root / "5-fold-cv.csv", folds)
    return root


@pytest.fixture
def tiny_busi(tmp_path: Path) -> Path:
    root = tmp_path / "busi"
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    rows: list[dict[str, object]] = [
        {"id": "normal_001", "label": "normal", "group": 5, "group_has_two_labels": 0},
        {"id": "benign_001", "label": "benign", "group": 6, "group_has_two_labels": 0},
        {"id": "malignant_001", "label": "malignant", "group": 7, "group_has_two_labels": 0},
        {"id": "benign_002", "label": "benign", "group": 8, "group_has_two_labels": 1},
    ]
    for row in rows:
        image = np.full((90, 120), 80, np.uint8)
        cv2.imwrite(str(root / "images" / f"{row['id']}.jpg"), image)
        if row["label"] != "normal":
            mask = np.zeros_like(image)
            cv2.circle(mask, (60, 40), 12, 255, -1)
            cv2.imwrite(str(root / "masks" / f"{row['id']}.png"), mask)
    write_table(root / "labels.csv", rows)
    return root
