"""Measures how far long axes are off, and how often the published uncertainty holds the truth (make millimetres).

Real pictures: the masks of a cross-validation (``--run``, its out-of-fold int8.npz) on BUS-BRA and BUSI, against what
people drew; lengths in pixels, since neither set says millimetres: only what is relative is printed. Only lesions that
were found (Dice 0.46 and more, which is an overlap of 0.3) are measured.
"""

from __future__ import annotations

import argparse
import csv
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.contracts.manifest import ModelManifest
from edge.contracts.region import Region
from edge.models.bundle import load_bundle
from edge.postprocess.lesions import find_lesions
from edge.preprocess.preprocessor import Preprocessor

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOUND = 0.46
"""Least Dice of a lesion with what a person drew."""


def main() -> None:
    """Print one line for each data set."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--run", type=Path, required=True, help="folder of a cross-validation, with int8.npz")
    options = parser.parse_args()
    data = Path(os.environ.get("SONOEDGE_DATA", "../shared/data"))
    stored = np.load(options.run / "int8.npz")
    masks = dict(zip(stored["ids"].tolist(), stored["lesion"], strict=True))
    with (data / "busi" / "labels.csv").open() as file:
        busi = {row["id"]: row["label"] for row in csv.DictReader(file)}
    for name, folder in (("BUS-BRA", data / "bus-bra"), ("BUSI", data / "busi")):
        rows = [
            row
            for path in sorted((folder / "images").glob("*.jpg"))
            if path.stem in masks and busi.get(path.stem) != "normal"
            for row in measured(path, masks[path.stem])
        ]
        told(name, np.array(rows))


@cache
def shipped() -> ModelManifest:
    """Manifest of the shipped model."""
    manifest = load_bundle().manifest
    assert isinstance(manifest, ModelManifest)
    return manifest


def measured(path: Path, mask: NDArray[np.uint8]) -> list[tuple[float, float, float, float]]:
    """Long axis, the person's long axis, the published uncertainty and the mask's cell of each lesion, in pixels."""
    manifest = shipped()
    pixels, drawn = cv2.imread(str(path), 0), cv2.imread(str(path.parents[1] / "masks" / f"{path.stem}.png"), 0)
    if pixels is None or drawn is None:
        return []
    _, place = Preprocessor(manifest.recipe)(np.asarray(pixels, np.uint8))
    size = (manifest.recipe.width, manifest.recipe.height)
    height, width = pixels.shape
    region = Region((0, 0, width, height), 1.0, 1.0, "config")
    cell = max(size[0] / mask.shape[1] / place.scale[0], size[1] / mask.shape[0] / place.scale[1])
    rows = []
    contours, _ = cv2.findContours((drawn > 127).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    truths = [(filled(each[:, 0, :], pixels.shape), long_axis(each[:, 0, :])) for each in contours if len(each) > 8]
    for lesion in find_lesions(mask.astype(np.float32) / 256, place, manifest.thresholds, size, (region,)):
        found = filled(np.array(lesion.outline) - 0.5, pixels.shape)
        overlaps = [2 * (found & true).sum() / (found.sum() + true.sum()) for true, _ in truths]
        if overlaps and max(overlaps) >= FOUND:
            true_axis = truths[int(np.argmax(overlaps))][1]
            rows.append((lesion.long_axis_mm or 0.0, true_axis, lesion.mm_uncertainty or 0.0, cell))
    return rows


def filled(points: NDArray[np.generic], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Mask of an outline, (n, 2) pixels' centres."""
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.rint(points).astype(np.int32)], 1)
    return mask


def long_axis(points: NDArray[np.int32]) -> float:
    """Largest distance within an outline of whole pixels, whose corners count."""
    hull = cv2.convexHull(points)[:, 0, :].astype(np.float64)
    corners = np.concatenate([hull + shift for shift in ((0, 0), (1, 0), (0, 1), (1, 1))])
    return float(np.hypot(*(corners[:, None] - corners[None]).transpose(2, 0, 1)).max())


def told(name: str, rows: NDArray[np.float64]) -> None:
    """Print what became of one data set."""
    axis, true, unsure, cell = rows.T
    error = abs(axis - true)
    print(
        f"{name}: {len(rows)} lesions; long axis within 10 % on {(error <= 0.1 * true).mean():.1%}, median error "
        f"{np.median(error / true):.1%}, ninth tenth {np.quantile(error / true, 0.9):.1%}; within the uncertainty on "
        f"{(error <= unsure).mean():.1%}, within a mask cell on {(error <= cell).mean():.1%}; median uncertainty "
        f"{np.median(unsure / axis):.1%}"
    )


if __name__ == "__main__":
    main()
