"""Rules that join the frames of one lesion to one malignancy, and how well each tells malignant from benign.

An *examination* is what was seen of one patient's lesion: views of it, or the frames of a sweep, in their order. All
rules stand in `RULES`. The two weights of the learnt one, and which rule is best, are chosen by the log loss on
examinations of other folds, never by those that are judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.evaluation.bootstrap import BootstrapSamples
from training.evaluation.logistic_regression import fit, logit, sigmoid
from training.evaluation.metrics import log_loss

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from training.evaluation.bootstrap import MetricInterval

    Floats = NDArray[np.float64]
    Weights = tuple[float, float]

LEARNT = "softmax"
PLAIN = "mean_logit"
"""The rule that all others are compared with."""
EDGE = 1e-4
"""Probabilities are kept so far from 0 and 1, as on the device (`edge.pipeline.clip_judgement.LEAST`)."""
RECENT = 0.3
"""Share of the newest frame in the exponential mean."""
PRESENCE_GRID = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0)
SHARPNESS_GRID = (-2.0, 0.0, 1.0, 2.0, 4.0)


@dataclass(frozen=True, eq=False)
class Examination:
    """Frames that show one lesion, in their order."""

    group: str
    """The patient."""
    label: int
    """0 benign, 1 malignant."""
    fold: int
    p: Floats
    """(n,) calibrated malignancy of each frame."""
    presence: Floats
    """(n,) score of the lesion; 0 where the frame shows none."""
    sharpness: Floats
    """(n,) sharpness of its margin, 0 to 1."""

    @property
    def logits(self) -> Floats:
        """Log odds of each frame's malignancy, (n,)."""
        return logit(np.clip(self.p, EDGE, 1 - EDGE))


def _weighted(exam: Examination, weights: Floats) -> float:
    total = float(weights.sum())
    return float(exam.logits @ weights) / total if total > 0 else float(exam.logits.mean())


def _softmax(exam: Examination, learnt: Weights) -> float:
    z = learnt[0] * exam.presence + learnt[1] * exam.sharpness
    return _weighted(exam, np.exp(z - z.max()))


def _exponential(exam: Examination) -> float:
    value = float(exam.logits[0])
    for each in exam.logits[1:]:
        value += RECENT * (float(each) - value)
    return value


def _noisy_or(exam: Examination) -> float:
    kept = np.clip(exam.p, EDGE, 1 - EDGE)
    none = float(np.log1p(-kept).sum())
    return float(np.log(-np.expm1(none)) - none)


def _by_quality(exam: Examination, *, best: bool) -> float:
    quality = exam.presence * (0.5 + 0.5 * exam.sharpness)
    return float(exam.logits[int(quality.argmax() if best else quality.argmin())])


RULES: dict[str, Callable[[Examination, Weights], float]] = {
    "last": lambda exam, _: float(exam.logits[-1]),
    "worst_frame": lambda exam, _: _by_quality(exam, best=False),
    "best_frame": lambda exam, _: _by_quality(exam, best=True),
    "max": lambda exam, _: float(exam.logits.max()),
    PLAIN: lambda exam, _: float(exam.logits.mean()),
    "mean_by_presence": lambda exam, _: _weighted(exam, exam.presence),
    LEARNT: _softmax,
    "exponential_mean": lambda exam, _: _exponential(exam),
    "noisy_or": lambda exam, _: _noisy_or(exam),
}
"""Log odds of malignancy of an examination, by each rule; the second argument is the learnt weights."""


@dataclass(frozen=True)
class RuleFigures:
    """How well one rule does on the folds that it was not fitted on."""

    auc: MetricInterval
    gain: MetricInterval
    """AUC less that of `PLAIN`, over the same draws of patients."""
    log_loss: float
    """Mean over the folds' examinations, calibrated on the others."""
    spread: float
    """Mean standard deviation, within an examination, of what the rule says as its frames come; NaN for pairs."""


@dataclass(frozen=True)
class JoiningTable:
    """Figures of all rules on the same examinations."""

    examinations: int
    patients: int
    rules: dict[str, RuleFigures]
    chosen: dict[int, str]
    """For each fold the rule that was best on the others."""
    best: str
    """The rule that is best on all."""
    weights: Weights
    """Learnt on all: what the device takes if `LEARNT` is best."""
    calibrated: dict[str, Floats]
    """Log odds of each examination by each rule, calibrated on the other folds."""
    calibrated_choice: Floats
    """The same by the rule that is best on the other folds, fold by fold."""


def fit_weights(exams: Sequence[Examination]) -> Weights:
    """Find the two weights of the learnt rule with the least calibrated log loss: a grid, so that it cannot run away.

    The plain mean is left only for a gain of a thousandth.
    """
    labels = np.array([exam.label for exam in exams])
    best, least = (0.0, 0.0), _loss(labels, _scores(exams, PLAIN, (0.0, 0.0))) - 1e-3
    for presence in PRESENCE_GRID:
        for sharpness in SHARPNESS_GRID:
            loss = _loss(labels, _scores(exams, LEARNT, (presence, sharpness)))
            if loss < least:
                best, least = (presence, sharpness), loss
    return best


def joining_table(
    exams: Sequence[Examination], learnt: Weights | None = None, rivals: Mapping[str, Floats] | None = None
) -> JoiningTable:
    """Judge all rules, each fold by what was fitted on the others; ``learnt``: weights from elsewhere, not fitted.

    ``rivals``: log odds of each examination by something that is no rule, out of fold; it is never among those that
    are chosen from.
    """
    folds = sorted({exam.fold for exam in exams})
    labels, fold_of = np.array([exam.label for exam in exams]), np.array([exam.fold for exam in exams])
    given = dict(rivals or {})
    scores = {name: np.zeros(len(exams)) for name in (*RULES, *given)}
    z = {name: np.zeros(len(exams)) for name in scores}
    choice = np.zeros(len(exams))
    chosen: dict[int, str] = {}
    for fold in folds:
        here = fold_of == fold
        others = [exam for exam in exams if exam.fold != fold] or list(exams)
        known = np.array([exam.label for exam in others])
        weights = learnt or fit_weights(others)
        losses = {}
        for name in RULES:
            before, now = _scores(others, name, weights), _scores([e for e in exams if e.fold == fold], name, weights)
            line = _calibration(known, before)
            losses[name] = log_loss(known, sigmoid(before * line[0] + line[1]))
            scores[name][here], z[name][here] = now, now * line[0] + line[1]
        for name, said in given.items():
            line = _calibration(labels[~here], said[~here]) if (~here).any() else np.array([1.0, 0.0])
            scores[name][here], z[name][here] = said[here], said[here] * line[0] + line[1]
        chosen[fold] = _best(losses)
        choice[here] = z[chosen[fold]][here]
    on_all = learnt or fit_weights(exams)
    draws = BootstrapSamples([exam.group for exam in exams])
    figures = {
        name: RuleFigures(
            draws.auc(labels, scores[name]),
            draws.auc_difference(labels, scores[name], scores[PLAIN]),
            log_loss(labels, sigmoid(z[name])),
            _spread(exams, name, on_all) if name in RULES else float("nan"),
        )
        for name in scores
    }
    best = _best({name: figures[name].log_loss for name in RULES})
    return JoiningTable(len(exams), len({e.group for e in exams}), figures, chosen, best, on_all, z, choice)


def _best(losses: dict[str, float]) -> str:
    """Rule of the least loss; the plain mean where nothing is better by a thousandth."""
    best = min(losses, key=lambda name: losses[name])
    return best if losses[best] < losses[PLAIN] - 1e-3 else PLAIN


def _scores(exams: Sequence[Examination], rule: str, weights: Weights) -> Floats:
    return np.array([RULES[rule](exam, weights) for exam in exams])


def _calibration(labels: NDArray[np.int_], scores: Floats) -> Floats:
    return fit(np.column_stack([scores, np.ones(len(scores))]), labels.astype(np.float64), decay=1e-3)


def _loss(labels: NDArray[np.int_], scores: Floats) -> float:
    line = _calibration(labels, scores)
    return log_loss(labels, sigmoid(scores * line[0] + line[1]))


def _spread(exams: Sequence[Examination], rule: str, weights: Weights) -> float:
    """Mean standard deviation of a rule's probability from the second half of each long examination on."""
    found = []
    for exam in exams:
        if len(exam.p) < 8:
            continue
        ends = np.linspace(len(exam.p) // 2, len(exam.p), 12).astype(int)
        said = [RULES[rule](_first(exam, int(end)), weights) for end in ends]
        found.append(float(np.std(sigmoid(np.array(said)))))
    return float(np.mean(found)) if found else float("nan")


def _first(exam: Examination, number: int) -> Examination:
    return Examination(
        exam.group, exam.label, exam.fold, exam.p[:number], exam.presence[:number], exam.sharpness[:number]
    )


def as_text(title: str, table: JoiningTable, say_weights: bool = True) -> str:
    """The table for people, with what was chosen below it."""
    lines = [
        f"{title}: {table.examinations} examinations of {table.patients} patients",
        f"{'rule':18}{'AUC':>7}  {'95 % interval':16}{'against ' + PLAIN:>28}{'log loss':>10}{'spread':>9}",
    ]
    for name, figures in table.rules.items():
        auc, gain = figures.auc, figures.gain
        spread = "-" if np.isnan(figures.spread) else f"{figures.spread:.3f}"
        lines.append(
            f"{name:18}{auc.value:7.4f}  {auc.low:.4f} to {auc.high:.4f}"
            f"{f'{gain.value:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})':>28}{figures.log_loss:10.4f}{spread:>9}"
        )
    if say_weights:
        chosen = ", ".join(f"fold {fold}: {name}" for fold, name in table.chosen.items())
        lines.append(f"best on the other folds: {chosen}; on all: {table.best}")
        lines.append(f"learnt weights, on all: presence {table.weights[0]:g}, sharpness {table.weights[1]:g}")
    return "\n".join(lines)
