"""The two decisions about the recurrent network, each against its rule: when a lesion is new, and what a clip says.

What is compared with what, and when the network wins, was written down before it was judged: docs/video.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.config.tracking_settings import AT_ONCE, TrackingSettings
from training.cines.joining import joining_table
from training.cines.score import score_cine
from training.clips.breast_step import summary
from training.clips.float_step import FloatStep, ShuffledStep, manifest_of
from training.clips.gru import run, scaled
from training.evaluation.bootstrap import BootstrapSamples

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from edge.contracts.clip_model import RecurrentStep
    from training.cines.answers import CineAnswers
    from training.cines.joining import Examination, JoiningTable
    from training.cines.score import CineScore
    from training.clips.gru import Weights
    from training.clips.views import Patient
    from training.evaluation.bootstrap import MetricInterval

RATE = 30
"""Frames a second at which the first decision is made; the others are told."""
SINGLE_FRAMES = TrackingSettings(confirm=AT_ONCE, gone_after_s=5 / 30)
NETWORK, SHUFFLED, RULE = "network", "network, shuffled", "rule"
GRU = "gru"


@dataclass(frozen=True)
class Difference:
    """Paired difference between two rivals, with its 95 % interval over patients."""

    what: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class NewDecision:
    """First decision: scores of all rivals on the second maker's sweeps, by rate, and the paired differences."""

    scores: dict[tuple[str, int], list[CineScore]]
    differences: list[Difference]
    wins: bool


def decide_new(
    cines: Sequence[CineAnswers], weights: Weights, new_from: float, rates: Sequence[int] = (15, 30, 60)
) -> NewDecision:
    """Judge rule, network and shuffled network on the same sweeps."""
    rivals: dict[str, tuple[TrackingSettings, Callable[[], RecurrentStep | None]]] = {
        "single frames": (SINGLE_FRAMES, lambda: None),
        RULE: (TrackingSettings(), lambda: None),
        NETWORK: (TrackingSettings(), lambda: FloatStep(weights, manifest_of(new_from))),
        SHUFFLED: (TrackingSettings(), lambda: ShuffledStep(weights, manifest_of(new_from))),
    }
    scores = {
        (name, rate): [score_cine(cine.at_rate(rate), settings, step()) for cine in cines if cine.rate >= rate]
        for rate in rates
        for name, (settings, step) in rivals.items()
        if rate == RATE or name != SHUFFLED  # it takes a whole sequence a step
    }
    at = {name: scores[name, RATE] for name in rivals}
    fewer = false_new_difference(at[RULE], at[NETWORK], "false new a minute, rule less network")
    time = false_new_difference(at[SHUFFLED], at[NETWORK], "false new a minute, shuffled less network")
    lost = lost_difference(at[RULE], at[NETWORK], "lost lesions (share of found), rule less network")
    order = lost_difference(at[SHUFFLED], at[NETWORK], "lost lesions (share of found), shuffled less network")
    wins = fewer.low > 0 and lost.value >= 0 and (time.low > 0 or order.low > 0)
    return NewDecision(scores, [fewer, lost, time, order], wins)


def false_new_difference(first: Sequence[CineScore], second: Sequence[CineScore], what: str) -> Difference:
    """False `new` a minute of the first rival less the second's, on lesion-free sweeps, paired over stills."""
    rows = [(a, b) for a, b in zip(first, second, strict=True) if not a.lesion]
    if not rows:
        return Difference(what, float("nan"), float("nan"), float("nan"))
    change = np.array([a.false_new - b.false_new for a, b in rows], float)
    minutes = np.array([a.seconds / 60 for a, _ in rows])
    return _difference(what, BootstrapSamples([a.group for a, _ in rows]).ratio(change, minutes))


def lost_difference(first: Sequence[CineScore], second: Sequence[CineScore], what: str) -> Difference:
    """Share of the found lesions that the first rival loses less the second's."""
    rows = [(a, b) for a, b in zip(first, second, strict=True) if a.lesion and a.found]
    if not rows:
        return Difference(what, float("nan"), float("nan"), float("nan"))
    change = np.array([float(a.tracks == 0) - float(b.tracks == 0) for a, b in rows])
    return _difference(what, BootstrapSamples([a.group for a, _ in rows]).ratio(change))


def _difference(what: str, found: MetricInterval) -> Difference:
    return Difference(what, found.value, found.low, found.high)


def new_text(decision: NewDecision) -> str:
    """The first decision for people: a line a rival and rate, and the differences that it was made by."""
    head = f"{'false new a minute':>28}{'kept of found':>16}{'after':>9}{'beside':>8}"
    lines = [f"{'when a lesion is new':20}{'rate':>6}{head}"]
    for (name, rate), scores in decision.scores.items():
        free = [c for c in scores if not c.lesion]
        found = [c for c in scores if c.lesion and c.found]
        false, kept, late = summary(scores)
        rates = BootstrapSamples([c.group for c in free]).ratio(
            np.array([c.false_new for c in free]), np.array([c.seconds / 60 for c in free])
        )
        beside = sum(c.false_new for c in scores if c.lesion)
        lines.append(
            f"{name:20}{rate:6}{f'{false:.2f} ({rates.low:.2f} to {rates.high:.2f})':>28}"
            f"{f'{kept:.3f} of {len(found)}':>16}{late:7.2f} s{beside:8}"
        )
    lines += [
        f"  {each.what} at {RATE}/s: {each.value:+.3f} ({each.low:+.3f} to {each.high:+.3f})"
        for each in decision.differences
    ]
    lines.append(f"  the network {'wins' if decision.wins else 'does not win: the rule stays'}")
    return "\n".join(lines)


@dataclass(frozen=True, eq=False)
class JoiningDecision:
    """Second decision: all rules and the network in one table, and the network against the chosen rules."""

    table: JoiningTable
    difference: Difference
    wins: bool


def decide_joining(
    exams: Sequence[Examination], patients: Sequence[Patient], by_fold: Mapping[int, Weights]
) -> JoiningDecision:
    """Judge the networks, each on the fold that it did not learn from, against the rule that is best on the others."""
    known = {(patient.group, patient.fold): patient for patient in patients}
    said = []
    for exam in exams:
        patient = known[exam.group, exam.fold]
        x = patient.sequence([(view, 0) for view in range(len(patient.views))]).x
        said.append(float(run(by_fold[exam.fold], scaled(x)[None])[0, -1, 0]))
    table = joining_table(exams, rivals={GRU: np.array(said)})
    gain = BootstrapSamples([exam.group for exam in exams]).auc_difference(
        np.array([exam.label for exam in exams]), table.calibrated[GRU], table.calibrated_choice
    )
    found = _difference("AUC, network less the rule that is best on the other folds", gain)
    return JoiningDecision(table, found, found.low > 0)


def joining_decision_text(decision: JoiningDecision) -> str:
    """The second decision in two lines, below the table of `training.cines.joining.as_text`."""
    each = decision.difference
    return (
        f"{each.what}: {each.value:+.4f} ({each.low:+.4f} to {each.high:+.4f})\n"
        f"  the network {'wins' if decision.wins else 'does not win: the rule stays'}"
    )
