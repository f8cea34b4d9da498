"""What a model's outputs are worth: AUC, Dice, hits, with intervals over patients."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.contracts.errors import ConfigError
from edge.contracts.manifest import ANATOMY, LESION_MASK, MALIGNANCY
from training.metrics import auc, best_iou, bootstrap, dice

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

HIT = 0.3
"""Intersection over union at which a found lesion counts as found."""


def widen(heads: NDArray[np.floating], size: int) -> NDArray[np.float32]:
    """A mask head (n, h, w, 1) at the tensor's size (n, size, size), bilinear, as the device widens it."""
    import cv2

    return np.stack(
        [cv2.resize(m[..., 0].astype(np.float32), (size, size), interpolation=cv2.INTER_LINEAR) for m in heads]
    )


def judge(
    heads: Mapping[str, NDArray[np.floating]],
    masks: NDArray[np.uint8],
    labels: NDArray[np.int_],
    groups: Sequence[str],
    anatomy: float,
) -> dict[str, Any]:
    """Figures with 95 % intervals, by name: value, low, high, n.

    Args:
        heads: the model's outputs, by head name.
        masks: (n, h, w) 0/1, the truth in the tensor's grid.
        labels: 0 benign, 1 malignant, -1 none.
        groups: the patient of each picture.
        anatomy: the gate's threshold.
    """
    scores = np.asarray(heads[MALIGNANCY])[:, 1]
    found = (widen(heads[LESION_MASK], masks.shape[1]) >= 0.5).astype(np.uint8)
    rows = {
        "dice": np.array([dice(f > 0, m > 0) for f, m in zip(found, masks, strict=True)]),
        "lesion_hit": np.array([best_iou(f, m) >= HIT for f, m in zip(found, masks, strict=True)], float),
        "anatomy_refused": (np.asarray(heads[ANATOMY])[:, 0] < anatomy).astype(float),
    }
    known = np.flatnonzero(labels >= 0)
    low, high = bootstrap([groups[i] for i in known], lambda r: auc(labels[known][r], scores[known][r]))
    out = {"malignancy_auc": {"value": auc(labels[known], scores[known]), "low": low, "high": high, "n": len(known)}}
    for name, values in rows.items():
        low, high = bootstrap(groups, lambda r, v=values: float(v[r].mean()))
        out[name] = {"value": float(values.mean()), "low": low, "high": high, "n": len(values)}
    return out


def judge_run(run: Path) -> str:
    """Figures of a run's SavedModel on its ``eval.npz``, as a table. Raises ConfigError where there is no whole run."""
    if not (run / "eval.npz").is_file() or not (run / "saved_model").is_dir():
        raise ConfigError(f"{run} is not a whole run", hint="let `python -m training run` end, then judge its folder")
    import tensorflow as tf

    from training.recipe import load_record

    record = load_record(run)
    with np.load(run / "eval.npz") as file:
        data = dict(file)
    serve = tf.saved_model.load(str(run / "saved_model")).signatures["serving_default"]
    parts = [serve(image=tf.constant(t[None], tf.float32)) for t in data["tensors"]]
    heads = {name: np.concatenate([p[name].numpy() for p in parts]) for name in (MALIGNANCY, LESION_MASK, ANATOMY)}
    lines = []
    for split in ("val", "test"):
        rows = np.flatnonzero(data["split"] == split)
        part = {name: values[rows] for name, values in heads.items()}
        found = judge(
            part,
            data["masks"][rows],
            data["labels"][rows],
            [str(g) for g in data["groups"][rows]],
            record.anatomy_threshold,
        )
        lines += [
            f"{split:5} {k:16} {v['value']:.4f}  ({v['low']:.4f} to {v['high']:.4f}), n = {v['n']}"
            for k, v in found.items()
        ]
    return "\n".join(lines)


def write_metrics(path: Path, figures: Mapping[str, Any]) -> None:
    """``metrics.json``, readable."""
    path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
