"""Anatomy gate (is this a breast B-mode picture?): its mathematics and its fit on the trained network's features.

Two questions, and the stricter answer counts:
- Does it look like a breast rather than like anything else we have? A logistic regression on the backbone's pooled
  features. It knows only what it was shown.
- Is it near to what the network was trained on? The distance to training pictures, or to phantoms, whichever is
  nearer: mean absolute deviation along their principal axes, in standard deviations (a Mahalanobis distance with the
  L1 norm, after Lee et al., NeurIPS 2018), on the mask pyramid's pooled features. It needs no counter-examples.

All of it is dense layers with ReLU6, which a device computes in int8 (`training.gate.head`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.linear_model import LogisticRegression

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from training.gate.examples import GateExamples
    from training.recipe import GateSection

    Features = Mapping[str, NDArray[np.floating]]
    """Pooled features by name, each (n, channels)."""

REGRESSION_FEATURES = ("pool8", "pool16")
"""Features that the logistic regression takes: backbone, strides 8 and 16."""
DISTANCE_FEATURES = ("merge8", "merge16")
"""Features that distances are measured in: pyramid, strides 8 and 16."""
CENTRE = 3.0
"""Margins are relu6(CENTRE + margin): 3 is the decision boundary, and a margin counts up to 3 in both directions."""
SHARPNESS = 2.0
"""The logit is this times the margin."""


@dataclass(frozen=True, eq=False)
class FeatureCluster:
    """Region of feature space of one accepted kind of picture: z = features @ axes + offset has mean 0, deviation 1."""

    axes: NDArray[np.float64]
    """(channels of `DISTANCE_FEATURES`, k)."""
    offset: NDArray[np.float64]
    """(k,)."""
    slope: float
    """Margin lost for each unit of distance."""
    intercept: float
    """Margin at distance 0."""

    def distance(self, found: Features) -> NDArray[np.float64]:
        """Distance of pictures from the cluster, (n,): mean absolute deviation over the axes, each counted up to 6."""
        z = _joined(found, DISTANCE_FEATURES) @ self.axes + self.offset
        distances: NDArray[np.float64] = np.minimum(np.abs(z), 6.0).mean(axis=1)
        return distances

    def margin(self, found: Features) -> NDArray[np.float64]:
        """Margin of pictures to the cluster's boundary as relu6, (n,): 3 at the boundary."""
        return _relu6(self.intercept - self.slope * self.distance(found))


@dataclass(frozen=True, eq=False)
class AnatomyGate:
    """Fitted anatomy gate: a logistic regression and clusters of accepted pictures."""

    weights: dict[str, NDArray[np.float64]]
    """Weights of the logistic regression, by feature: (channels,)."""
    bias: float
    clusters: dict[str, FeatureCluster]

    def regression_margin(self, found: Features) -> NDArray[np.float64]:
        """Margin of the logistic regression as relu6, (n,): 3 at the boundary."""
        logits: NDArray[np.float64] = sum(found[name] @ w for name, w in self.weights.items()) + np.float64(self.bias)
        return _relu6(logits)

    def __call__(self, found: Features) -> NDArray[np.float64]:
        """Score (n,) from 0 to 1, not a calibrated probability: 0.5 is the boundary of the stricter answer."""
        nearest = np.max([cluster.margin(found) for cluster in self.clusters.values()], axis=0)
        margins = np.minimum(self.regression_margin(found), nearest)
        scores: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-SHARPNESS * (margins - CENTRE)))
        return scores


def _relu6(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(values, 0.0, 6.0)


def _joined(found: Features, names: tuple[str, ...]) -> NDArray[np.float64]:
    return np.concatenate([found[name] for name in names], axis=1).astype(np.float64)


def fit(
    found: Features, data: GateExamples, held: Features, options: GateSection, without: str | None = None
) -> AnatomyGate:
    """Fit the anatomy gate to its examples.

    Args:
        found: features of ``data``.
        data: what it learns from.
        held: features of validation pictures: each question's boundary lies where ``options.part_refusals`` of them
            fail.
        options: section of the recipe.
        without: a family of negatives that is left out.
    """
    weights, bias = _regression(found, data, held, options, without)
    return AnatomyGate(weights, bias, _clusters(found, data, held, options))


def _regression(
    found: Features, data: GateExamples, held: Features, options: GateSection, without: str | None
) -> tuple[dict[str, NDArray[np.float64]], float]:
    chosen = data.families != without if without is not None else np.ones(len(data.wanted), bool)
    values = _joined(found, REGRESSION_FEATURES)[chosen]
    mean, scale = values.mean(axis=0), values.std(axis=0) + 1e-3
    regression = LogisticRegression(C=options.strength, max_iter=500)
    regression.fit((values - mean) / scale, data.wanted[chosen], sample_weight=data.weights(chosen))
    weights = regression.coef_[0] / scale
    scores = _joined(held, REGRESSION_FEATURES) @ weights
    edge, unit = float(np.quantile(scores, options.part_refusals)), float(scores.std())
    stops = np.cumsum([found[name].shape[1] for name in REGRESSION_FEATURES])[:-1]
    parts = np.split(weights / unit, stops)
    return dict(zip(REGRESSION_FEATURES, parts, strict=True)), CENTRE - edge / unit


def _clusters(found: Features, data: GateExamples, held: Features, options: GateSection) -> dict[str, FeatureCluster]:
    """One cluster for pictures, one for phantoms, on one scale: nine in ten of each lie within 1 of its centre."""
    kinds = {"picture": ("picture", "crop"), "phantom": ("phantom",)}
    raw = {}
    for name, families in kinds.items():
        rows = np.isin(data.families, families)
        own = {key: values[rows] for key, values in found.items()}
        axes, offset = _principal(_joined(own, DISTANCE_FEATURES), options.axes)
        # Validation pictures stand for pictures: the network was trained on its own examples and sees them nearer.
        judge = held if name == "picture" else own
        radius = np.quantile(FeatureCluster(axes, offset, 1.0, 0.0).distance(judge), 0.9)
        raw[name] = FeatureCluster(axes, offset, 1.0 / float(radius), 0.0)
    nearest = np.min([cluster.slope * cluster.distance(held) for cluster in raw.values()], axis=0)
    edge, unit = float(np.quantile(nearest, 1 - options.part_refusals)), float(nearest.std())
    return {k: FeatureCluster(c.axes, c.offset, c.slope / unit, CENTRE + edge / unit) for k, c in raw.items()}


def _principal(values: NDArray[np.float64], count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Axes (channels, count) and offset (count,) that turn ``values`` into their leading components, deviation 1."""
    mean, scale = values.mean(axis=0), values.std(axis=0) + 1e-3
    _, singular, rows = np.linalg.svd((values - mean) / scale, full_matrices=False)
    axes = rows[:count].T * (np.sqrt(len(values)) / singular[:count]) / scale[:, None]
    return axes, -mean @ axes


def threshold(gate: AnatomyGate, held: Features, refusals: float) -> float:
    """Threshold of the gate: the score under which the share ``refusals`` of the held-out pictures lies."""
    return float(np.quantile(gate(held), refusals))


def leave_one_out(
    found: Features,
    data: GateExamples,
    held: Features,
    evaluated: Mapping[str, tuple[str, Features]],
    options: GateSection,
    log: Callable[[str], None],
) -> dict[str, dict[str, Any]]:
    """Leave-one-family-out evaluation: by file, frames, how many pass, and scores of a gate that never saw its family.

    Args:
        found: features of ``data``.
        data: all that the shipped gate learns from.
        held: features of the validation pictures.
        evaluated: by file name, its family and its frames' features, as the device sees them.
        options: section of the recipe.
        log: takes a line for each file.
    """
    table = {}
    for family in sorted({name for name, _ in evaluated.values()}):
        gate = fit(found, data, held, options, without=family)
        limit = threshold(gate, held, options.refusals)
        for file, (name, frames) in evaluated.items():
            if name == family:
                scores = gate(frames)
                passed = int((scores >= limit).sum())
                table[file] = {
                    "family": family, "frames": len(scores), "passed": passed, "threshold": limit, "scores": scores,
                }  # fmt: skip
                log(f"gate without {family}: {file} passes {passed} of {len(scores)} frames")
    return table
