"""Logistic regression for a handful of numbers: calibration and abstention need no more than Newton's method."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def logit(q: NDArray[np.floating], resolution: float = 0.0) -> Floats:
    """Log odds of probabilities, (n,) to (n,).

    0 and 1 are moved half a ``resolution`` inside, as `edge.postprocess.model_outputs.calibrate` does.
    """
    edge = min(0.25, max(resolution / 2, 1e-6))
    inside = np.clip(np.asarray(q, np.float64), edge, 1 - edge)
    log_odds: Floats = np.log(inside / (1 - inside))
    return log_odds


def sigmoid(z: NDArray[np.floating]) -> Floats:
    """Logistic function, the inverse of `logit`: log odds to probabilities, float64 of the same shape."""
    p: Floats = 1 / (1 + np.exp(-np.clip(z, -700, 700)))
    return p


def fit(
    x: NDArray[np.floating],
    wanted: NDArray[np.floating],
    decay: float = 1e-9,
    weights: NDArray[np.floating] | None = None,
    offset: NDArray[np.floating] | None = None,
) -> Floats:
    """Fit a logistic regression by Newton's method: the weights (columns of ``x``,) of the likeliest sigmoid(x @ w).

    Args:
        x: (n, columns); a column of ones is the intercept.
        wanted: (n,) targets, 0 to 1.
        decay: strength of the penalty on squared weights (ridge), relative to one row.
        weights: (n,) how much each row counts; None: once.
        offset: (n,) log odds that are added to ``x @ w`` and not fitted; None: none.
    """
    x = np.asarray(x, np.float64)
    count = np.ones(len(x)) if weights is None else np.asarray(weights, np.float64)
    known = np.zeros(len(x)) if offset is None else np.asarray(offset, np.float64)
    w = np.zeros(x.shape[1])
    for _ in range(60):
        p = sigmoid(x @ w + known)
        curvature = (x * (count * np.maximum(p * (1 - p), 1e-9))[:, None]).T @ x + decay * np.eye(len(w))
        step = np.linalg.solve(curvature, x.T @ (count * (wanted - p)) - decay * w)
        w = w + step * min(1.0, 2.0 / float(np.abs(step).max() + 1e-12))
        if np.abs(step).max() < 1e-9:
            break
    return w


def soft_targets(labels: NDArray[np.integer], weights: NDArray[np.floating] | None = None) -> Floats:
    """Platt's soft targets (1999), moved inside 0 and 1 by the number of pictures: separable data converges too.

    ``weights`` (n,): how much each picture counts; None: once.
    """
    count = np.ones(len(labels)) if weights is None else weights
    ill, well = float(count[labels == 1].sum()), float(count[labels == 0].sum())
    return np.where(labels == 1, (ill + 1) / (ill + 2), 1 / (well + 2))
