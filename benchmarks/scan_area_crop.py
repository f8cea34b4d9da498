"""Benchmark of the finder's box as the model's crop against today's: malignancy of held-back BUS-BRA and BUSI.

    python -m benchmarks.scan_area_crop runs/cv      (SONOEDGE_DATA: the folder with bus-bra/ and busi/)

``runs/cv``: a cross-validation with quantised folds (``python -m training cv``, ``python -m export folds``). Each
picture is judged by the fold that never saw its patient, once with the crop of the recipe and once with the box
around all outlines that `find_scan_regions` gives. p is calibrated as in ``calibration.json``.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import msgspec
import numpy as np

from edge.contracts.manifest import Calibration, PreprocessRecipe
from edge.contracts.region import Region
from edge.postprocess.model_outputs import calibrate
from edge.preprocess.preprocessor import Preprocessor
from edge.scan_area.finder import find_scan_regions
from training.evaluation.bent_run import GRAPH, int8_outputs
from training.evaluation.metrics import auc

if TYPE_CHECKING:
    from numpy.typing import NDArray

DATA = Path(os.environ.get("SONOEDGE_DATA", "../shared/data"))
FOLDERS = {"BUS-BRA": "bus-bra", "BUSI": "busi"}


def found_box(pixels: NDArray[np.uint8]) -> Region | None:
    """Box around all scans that the finder finds, as a region that the crop follows; None: it finds none."""
    boxes = [region.box for region in find_scan_regions([pixels])]
    if not boxes:
        return None
    left, top = min(x for x, _, _, _ in boxes), min(y for _, y, _, _ in boxes)
    right, bottom = max(x + w for x, _, w, _ in boxes), max(y + h for _, y, _, h in boxes)
    return Region((left, top, right - left, bottom - top), source="config")


def tensors(rows: dict[str, NDArray[Any]], recipe: PreprocessRecipe) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Both tensors of each picture, (n, 2, H, W, 3), and whether the finder found a scan in it."""
    preprocess = Preprocessor(recipe)
    made, found = [], []
    for name, source in zip(rows["ids"].tolist(), rows["sources"].tolist(), strict=True):
        path = DATA / FOLDERS[source] / "images" / f"{name}.jpg"
        pixels: Any = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if pixels is None:
            raise FileNotFoundError(path)
        box = found_box(pixels)
        today = preprocess(pixels)[0][0].copy()
        made.append((today, today if box is None else preprocess(pixels, (box,))[0][0].copy()))
        found.append(box is not None)
    return np.array(made), np.array(found)


def calibrated(said: dict[str, NDArray[Any]], calibration: Calibration) -> NDArray[np.float64]:
    """Probability of malignancy of each picture, (n,), from a fold's outputs."""
    pairs = zip(said["malignancy"].tolist(), said["lesion"], strict=True)
    return np.array([calibrate(q, calibration, 1 / 256, float(lesion.max()) / 255) for q, lesion in pairs])


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a cross-validation with quantised folds")
    run: Path = parser.parse_args().run
    with np.load(run / "oof.npz") as file:
        test = file["split"] == "test"
        rows = {name: file[name][test] for name in ("ids", "sources", "labels", "fold")}
    fitted = json.loads((run / "calibration.json").read_text())["calibration"]
    calibration = msgspec.convert(fitted, Calibration)
    made, found = tensors(rows, PreprocessRecipe(width=160, height=192, channels=3, crop="scan-area", background=12))
    p = np.zeros((2, len(found)))
    for fold in np.unique(rows["fold"]).tolist():
        chosen = np.flatnonzero(rows["fold"] == fold)
        for which in range(2):
            said = int8_outputs(run / f"fold-{fold}" / GRAPH, made[chosen, which])
            p[which, chosen] = calibrated(said, calibration)
    for source in FOLDERS:
        of = np.flatnonzero(rows["sources"] == source)
        labels, (today, finder) = rows["labels"][of], p[:, of]
        moved = np.abs(finder - today)
        print(
            f"{source}, {len(of)} pictures: AUC of today's crop {auc(labels, today):.4f}, of the finder's box "
            f"{auc(labels, finder):.4f}; mean |dp| {moved.mean():.4f}, over .05 in {np.mean(moved > 0.05):.1%}; "
            f"no scan found in {np.mean(~found[of]):.2%}"
        )


if __name__ == "__main__":
    main()
