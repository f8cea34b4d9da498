"""External test set BUSI (Al-Dhabyani et al. 2020), of another hospital and other scanners: read it, measure on it.

For models that never saw it (`export.training_sources.check_not_trained_on_busi`). It alone shows what they make of
breasts without a lesion. It repeats lesions without naming patients: intervals draw its groups of look-alikes, and
groups that stand under two labels are left out.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.contracts.errors import UsageError
from edge.contracts.manifest import MALIGNANCY, Metric
from edge.contracts.results import Status
from edge.postprocess.decide import decide
from export.lesion_overlap import HIT_IOU, match_lesions
from export.metrics import METHOD, bootstrap_interval, weighted_auc, weighted_mean
from export.predict import as_predictions, run_graph
from export.thresholds import calibrated

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.contracts.manifest import ModelManifest
    from edge.preprocess.letterbox import Letterbox
    from edge.preprocess.preprocessor import Preprocessor
    from export.metrics import WeightedMetric

HINT = "--busi names the folder with labels.csv, images/ and masks/"


@dataclass(frozen=True, slots=True, eq=False)
class ExternalTestSet:
    """An external test set of n pictures, preprocessed as a device would."""

    pixels: list[NDArray[np.uint8]]
    """n pictures, each (H, W) uint8 grey, 0 to 255."""
    tensors: NDArray[np.uint8]
    """(n, height, width, channels) uint8, 0 to 255."""
    placements: list[Letterbox]
    """Where each picture lies on its tensor."""
    masks: NDArray[np.uint8]
    """(n, height, width) uint8, 1 where there is lesion, else 0, on the tensor's grid."""
    labels: NDArray[np.str_]
    """(n,) ``normal``, ``benign`` or ``malignant``."""
    groups: NDArray[np.str_]
    """(n,) the group of look-alikes, ``busi/<group>``."""


def read_busi(root: Path, preprocess: Preprocessor) -> ExternalTestSet:
    """Read the BUSI data set from its folder and preprocess it. Raises UsageError for a folder that is not it."""
    table = root / "labels.csv"
    if not table.is_file():
        raise UsageError(f"{root} has no labels.csv", hint=HINT)
    with table.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["group_has_two_labels"] == "0"]
    pixels = [_grey(root / "images" / f"{row['id']}.jpg") for row in rows]
    prepared = [preprocess(each) for each in pixels]
    masks = []
    for row, picture, (_, placement) in zip(rows, pixels, prepared, strict=True):
        truth = np.zeros_like(picture) if row["label"] == "normal" else _grey(root / "masks" / f"{row['id']}.png")
        masks.append(mask_to_grid(truth > 127, placement, preprocess.recipe.width, preprocess.recipe.height))
    return ExternalTestSet(
        pixels=pixels,
        tensors=np.concatenate([tensor for tensor, _ in prepared]),
        placements=[placement for _, placement in prepared],
        masks=np.stack(masks),
        labels=np.array([row["label"] for row in rows]),
        groups=np.array([f"busi/{row['group']}" for row in rows]),
    )


def mask_to_grid(mask: NDArray[np.bool_], placement: Letterbox, width: int, height: int) -> NDArray[np.uint8]:
    """Resample a lesion mask of the source picture to the tensor's grid.

    ``mask``: (H, W) bool. Returns (height, width) uint8: 1 where half a pixel or more is covered, else 0.
    """
    (x, y, w, h), (ix, iy, iw, ih) = placement.crop, placement.inner
    share = cv2.resize(mask[y : y + h, x : x + w].astype(np.float32), (iw, ih), interpolation=cv2.INTER_AREA)
    grid = np.zeros((height, width), np.uint8)
    grid[iy : iy + ih, ix : ix + iw] = share >= 0.5
    return grid


def measure_external(graph: bytes, manifest: ModelManifest, data: ExternalTestSet) -> list[Metric]:
    """Measure the int8 model on an external test set with the manifest's thresholds, none of which was chosen here."""
    raw = run_graph(graph, data.tensors)
    predictions = as_predictions(raw, {name: head.tensor for name, head in manifest.heads.items()})
    step = manifest.heads[MALIGNANCY].tensor.scale
    p = calibrated(predictions.malignancy, manifest.calibration, step, predictions.mask)
    verdicts = [
        decide({name: values[i : i + 1] for name, values in raw.items()}, manifest, placement, (), pixels)
        for i, (placement, pixels) in enumerate(zip(data.placements, data.pixels, strict=True))
    ]
    states = np.array([verdict.status.value for verdict in verdicts])
    suspicious = np.array([bool(verdict.suspicious) for verdict in verdicts], float)
    hits = [match_lesions(m, t, manifest.thresholds).hit for m, t in zip(predictions.mask, data.masks, strict=True)]
    normal, ill = data.labels == "normal", data.labels == "malignant"
    name = f"BUSI, another hospital, never trained on ({len(states)} pictures, {int(normal.sum())} of them normal)"
    figures: list[Metric] = []

    def add(title: str, figure: WeightedMetric, rows: NDArray[np.bool_], what: str) -> None:
        value, low, high = (round(v, 4) for v in bootstrap_interval(figure, data.groups[rows]))
        method = f"{what}; {METHOD.replace('patients', 'groups of look-alikes')}"
        figures.append(Metric(name=title, value=value, low=low, high=high, data=name, n=int(rows.sum()), method=method))

    def share(title: str, values: NDArray[np.float64], rows: NDArray[np.bool_], what: str) -> None:
        add(title, weighted_mean(values[rows].astype(float)), rows, what)

    add("malignancy AUC, BUSI", weighted_auc(p[~normal], ill[~normal].astype(np.int8)), ~normal, "by picture")
    share("lesion hit rate, BUSI", np.array(hits, float), ~normal, f"reported outline of IoU >= {HIT_IOU}")
    share("abstentions, BUSI", states == Status.ABSTAINED.value, np.ones(len(states), bool), "any reason; 0 is best")
    share(
        "normal with a lesion, BUSI", states == Status.FINDING.value, normal, "false findings where there is no lesion"
    )
    share("normal called suspicious, BUSI", suspicious, normal, "false findings over the operating point")
    return figures


def _grey(path: Path) -> NDArray[np.uint8]:
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) if path.is_file() else None
    if picture is None:
        raise UsageError(f"{path} is missing or not a picture", hint=HINT)
    grey: NDArray[np.uint8] = picture.astype(np.uint8)
    return grey
