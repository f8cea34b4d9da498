"""Evaluation of a breast run's predictions: AUC, accuracy, Dice and lesion hits, with intervals over patients."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.contracts.errors import ConfigError, UsageError
from training.evaluation.bootstrap import bootstrap
from training.evaluation.metrics import auc, best_iou, dice

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

HIT = 0.3
"""Least intersection over union at which a lesion counts as found."""


def upsample_masks(heads: NDArray[np.floating], size: tuple[int, int]) -> NDArray[np.float32]:
    """Upsample mask heads (n, h, w, 1) to the tensor's ``size`` (width, height), bilinear as on devices.

    Returns (n, height, width) float32 in the units of the input.
    """
    import cv2

    return np.stack([cv2.resize(m[..., 0].astype(np.float32), size, interpolation=cv2.INTER_LINEAR) for m in heads])


def in_mixed_sources(sources: NDArray[np.str_], lesion: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mask (n,) of the rows whose data set holds pictures with a lesion and pictures without.

    Across sets, a head that only tells the sets apart would seem to find lesions.
    """
    both = [source for source in np.unique(sources) if len(np.unique(lesion[sources == source])) == 2]
    return np.isin(sources, both)


def evaluate(found: Mapping[str, NDArray[Any]], anatomy: float) -> dict[str, Any]:
    """Evaluate predictions: metrics with 95 % bootstrap intervals, by name: value, low, high, n.

    Args:
        found: columns of `training.breast.predictions`, rows of one split.
        anatomy: the gate's threshold.
    """
    labels, groups, masks, scores = (found[name] for name in ("labels", "groups", "masks", "malignancy"))
    lesions = (upsample_masks(found["lesion"][..., None] / 255, masks.shape[:0:-1]) >= 0.5).astype(np.uint8)
    known = labels >= 0
    pairs = [(f, m) for f, m in zip(lesions[known], masks[known], strict=True)]
    rows = {
        "accuracy": ((scores >= 0.5) == labels)[known].astype(float),
        "dice": np.array([dice(f > 0, m > 0) for f, m in pairs]),
        "lesion_hit": np.array([best_iou(f, m) >= HIT for f, m in pairs], float),
    }
    if not np.isnan(found["anatomy"]).all():
        rows["anatomy_refused"] = (found["anatomy"][known] < anatomy).astype(float)
    names, wanted, given = groups[known], labels[known], scores[known]
    low, high = bootstrap(names, lambda r: auc(wanted[r], given[r]))
    out = {"malignancy_auc": {"value": auc(wanted, given), "low": low, "high": high, "n": len(names)}}
    for name, values in rows.items():
        low, high = bootstrap(names, partial(_mean_of, values))
        out[name] = {"value": float(values.mean()), "low": low, "high": high, "n": len(values)}
    part = in_mixed_sources(found["sources"], known)
    if part.any():
        peak, there = found["lesion"][part].max((1, 2)).astype(float), known[part].astype(int)
        low, high = bootstrap(groups[part], lambda r: auc(there[r], peak[r]))
        out["presence_auc"] = {"value": auc(there, peak), "low": low, "high": high, "n": len(there)}
    return out


def _mean_of(values: NDArray[np.float64], rows: NDArray[np.int_]) -> float:
    return float(values[rows].mean())


def evaluate_run(run: Path) -> str:
    """Evaluate a run's ``predictions.npz`` as a text table. Raises ConfigError where there is no finished run."""
    if run.is_file():
        raise UsageError(
            f"{run} is a file: a table of pictures is needed", hint=f"python -m training eval {run} held.csv"
        )
    if not (run / "predictions.npz").is_file():
        raise ConfigError(f"{run} is not a whole run", hint="let `python -m training run` end, then judge its folder")
    from training.recipe import load_record

    record = load_record(run)
    with np.load(run / "predictions.npz") as file:
        data = dict(file)
    lines = []
    for split in sorted(set(data["split"].tolist())):
        rows = data["split"] == split
        found = evaluate({name: values[rows] for name, values in data.items()}, record.anatomy_threshold)
        lines += [
            f"{split:5} {k:16} {v['value']:.4f}  ({v['low']:.4f} to {v['high']:.4f}), n = {v['n']}"
            for k, v in found.items()
        ]
    return "\n".join(lines)


def write_metrics(path: Path, figures: Mapping[str, Any]) -> None:
    """Write metrics as ``metrics.json``, indented for people."""
    path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
