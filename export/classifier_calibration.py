"""Calibration and thresholds of a classifier, chosen on held-back pictures with the quantised model's own outputs.

Calibration is temperature scaling (Guo et al., ICML 2017): one number, which changes no call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from edge.adopt.labelled_pictures import RIGHT, JudgedPicture, choose_thresholds
from edge.adopt.settle import DEFAULT_THRESHOLD
from edge.contracts.manifest import LabelRules
from edge.postprocess.classify import label_probabilities

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LOW, HIGH, STEPS = 0.5, 4.0, 71
"""Temperatures that are tried. Validation pictures that are all judged rightly would ask for one near 0."""
LEAST = 1e-4
"""Smallest probability of the true class that counts: quantised, it may be 0."""


def scores_of(values: NDArray[np.floating], rules: LabelRules) -> NDArray[np.float64]:
    """Scores (n, k) as the device computes them from a head's real values (n, k)."""
    return np.stack([label_probabilities(row.astype(np.float64), rules) for row in values])


def fit_rules(
    values: NDArray[np.floating],
    labels: NDArray[np.int64],
    names: Sequence[str],
    clear_label: str | None = None,
    pictures: str = "",
) -> LabelRules:
    """Rules with a temperature and thresholds chosen on pictures that the models were not trained on.

    Args:
        values: (n, k) real values of the quantised model's head: probabilities.
        labels: (n,) numbers of the true classes.
        names: the k labels.
        clear_label: the label that means that there is nothing to find; None: there is none.
        pictures: for people: which pictures these are; empty: the run's validation pictures.
    """
    plain = LabelRules(output="probabilities", threshold=DEFAULT_THRESHOLD, clear_label=clear_label)
    rules = msgspec.structs.replace(plain, temperature=fit_temperature(values, labels, plain))
    scores = scores_of(values, rules)
    best = scores.argmax(axis=1)
    judged = [
        JudgedPicture(names[top], float(row[top]), names[label])
        for row, top, label in zip(scores, best.tolist(), labels.tolist(), strict=True)
    ]
    choices = choose_thresholds(judged, names, DEFAULT_THRESHOLD)
    thresholds = {c.label: c.threshold for c in choices if c.threshold is not None and c.threshold != DEFAULT_THRESHOLD}
    few = [c.label for c in choices if c.threshold is None]
    left = f"; the default for {', '.join(few[:10])}{' …' * (len(few) > 10)}, called too rarely" if few else ""
    return msgspec.structs.replace(
        rules,
        thresholds=thresholds,
        method=(
            f"on {pictures or f'{len(labels)} validation pictures of the run'}: the temperature of least log loss, "
            f"and for each label the lowest score, {DEFAULT_THRESHOLD:g} at least, from which {RIGHT:.0%} of its "
            f"calls are right{left}"
        ),
    )


def fit_temperature(values: NDArray[np.floating], labels: NDArray[np.int64], rules: LabelRules) -> float:
    """Temperature of least log loss, `LOW` to `HIGH`, on a logarithmic scale. ``values``: (n, k); ``labels``: (n,)."""
    tried = [round(float(t), 3) for t in np.geomspace(LOW, HIGH, STEPS)]
    losses = []
    for temperature in tried:
        scores = scores_of(values, msgspec.structs.replace(rules, temperature=temperature))
        losses.append(float(-np.log(np.maximum(scores[np.arange(len(labels)), labels], LEAST)).mean()))
    return tried[int(np.argmin(losses))]
