"""Classical classifiers on lesion descriptors, a baseline beside the CNN: on predicted masks, by the device's code.

The shape of a *true* mask gives the label away (annotators outlined malignant lesions differently), so no true mask
is looked at here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge.postprocess.descriptors import describe
from training.evaluation.bootstrap import BootstrapSamples
from training.evaluation.logistic_regression import logit

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from training.evaluation.found_lesions import FoundLesions
    from training.evaluation.held_out_predictions import HeldOutPredictions

    Floats = NDArray[np.float64]

NAMES = ("taller_than_wide", "margin_sharpness", "echogenicity", "posterior", "size")


def descriptors(rows: HeldOutPredictions, found: FoundLesions) -> Floats:
    """Descriptors (n, `NAMES`) of the most probable lesion in each picture, on the model's input; NaN where not known.

    ``size`` is the square root of the outline's share of the picture.
    """
    out = np.full((len(rows), len(NAMES)), np.nan)
    for i, (tensor, lesions) in enumerate(zip(rows.tensors, found.lesions, strict=True)):
        if not lesions:
            continue
        grey = np.ascontiguousarray(tensor[..., 0])
        seen = describe(lesions[0], grey, scan_box(grey))
        seen["size"] = float(np.sqrt(_area(lesions[0].outline) / (rows.size[0] * rows.size[1])))
        out[i] = [seen.get(name, np.nan) for name in NAMES]
    return out


def scan_box(grey: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Box (x, y, w, h) of the part of a tensor (H, W) uint8 grey that is not padding."""
    columns, lines = np.flatnonzero(grey.any(axis=0)), np.flatnonzero(grey.any(axis=1))
    if not len(columns):
        return 0, 0, grey.shape[1], grey.shape[0]
    x, y = int(columns[0]), int(lines[0])
    return x, y, int(columns[-1]) - x + 1, int(lines[-1]) - y + 1


def _area(outline: list[tuple[float, float]]) -> float:
    x, y = np.array(outline).T
    return float(abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2)


def compare_classifiers(rows: HeldOutPredictions, found: FoundLesions, p: Floats) -> dict[str, Any]:
    """Compare classical classifiers with the CNN by area under the ROC curve, on held-out patients; needs scikit-learn.

    Args:
        rows: pictures with a lesion that is known to be benign or malignant.
        found: lesions found in them.
        p: (n,) the CNN's calibrated malignancy.
    """
    from sklearn.ensemble import RandomForestClassifier

    values = filled(descriptors(rows, found))
    z = logit(p, 1e-3)[:, None]
    one, folds = np.zeros(len(rows), int), rows.fold

    def forest() -> Any:
        return RandomForestClassifier(300, min_samples_leaf=8, random_state=0)

    plans: list[tuple[str, Floats, Callable[[], Any], NDArray[Any]]] = [
        ("descriptors, logistic regression", values, _regression(1.0), one),
        ("descriptors, random forest", values, forest, one),
        ("CNN and descriptors, logistic regression", np.hstack([z, values]), _regression(1.0), one),
    ]
    if rows.embedding.shape[1]:
        # Each fold's model has features of its own: learnt and judged within the fold.
        inner = rows.embedding.astype(np.float64)
        plans += [
            ("the CNN's inner features, logistic regression", inner, _regression(1e-3), folds),
            ("inner features and descriptors", np.hstack([inner, values]), _regression(1e-3), folds),
        ]
    draws = BootstrapSamples(rows.groups)
    table = [{"name": "the CNN itself", "auc": draws.auc(rows.labels, p), "gain": None}]
    for name, x, make, within in plans:
        given = held_out(x, rows.labels, rows.groups, within, make)
        gain = draws.auc_difference(rows.labels, given, p)
        table.append({"name": name, "auc": draws.auc(rows.labels, given), "gain": gain})
    alone = []
    for k, name in enumerate(NAMES):
        area = draws.auc(rows.labels, values[:, k])
        middle = [float(np.median(values[rows.labels == label, k])) for label in (0, 1)]
        alone.append({"name": name, "auc": area, "benign": middle[0], "malignant": middle[1]})
    return {"classifiers": table, "alone": alone}


def _regression(strength: float) -> Callable[[], Any]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return lambda: make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=2000))


def filled(values: Floats) -> Floats:
    """Replace each NaN by its column's median: (n, columns) to the same."""
    middle = np.array([np.median(c[np.isfinite(c)]) if np.isfinite(c).any() else 0.0 for c in values.T])
    return np.where(np.isfinite(values), values, middle[None])


def held_out(
    x: Floats, labels: NDArray[np.integer], groups: NDArray[np.str_], within: NDArray[Any], make: Callable[[], Any]
) -> Floats:
    """Probability of each row (n,), from a classifier that learnt from other patients of its part (``within``)."""
    from sklearn.model_selection import StratifiedGroupKFold

    out = np.zeros(len(x))
    for part in np.unique(within):
        rows = np.flatnonzero(within == part)
        for learn, judge in StratifiedGroupKFold(5, shuffle=True, random_state=0).split(
            x[rows], labels[rows], groups[rows]
        ):
            model = make().fit(x[rows[learn]], labels[rows[learn]])
            out[rows[judge]] = model.predict_proba(x[rows[judge]])[:, 1]
    return out
