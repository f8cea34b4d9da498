"""Goals of tracks over seconds: each with its figure, its 95 % interval over patients, and whether it is reached."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.evaluation.bootstrap import BootstrapSamples, bootstrap

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from training.cines.score import CineScore

    Scores = Mapping[tuple[str, int], Sequence[CineScore]]

FALSE_NEW = {"first": 1.0, "second": 0.2, "organs": 0.0}
"""Most false `new` a minute, by what the cines come from."""
LATEST_S, ONE_TRACK, KEPT, FLICKER, SPREAD = 0.7, 0.95, 0.97, 1 / 5, 1 / 2
NONE_OF = 3.0
"""What never happened in so much time happens, with 95 % confidence, less often than three times in it."""


@dataclass(frozen=True)
class TrackGoal:
    """One goal at one frame rate of one kind of cines."""

    what: str
    kind: str
    """``first`` or ``second`` maker, or ``organs``: clips of lungs and eyes."""
    rate: int
    value: float
    low: float
    high: float
    goal: str
    reached: bool
    n: str
    """What it is about, in words."""


def goals_of(scores: Scores) -> list[TrackGoal]:
    """All goals, of all kinds of cines and frame rates."""
    goals: list[TrackGoal] = []
    for (kind, rate), cines in scores.items():
        free, lesions = [c for c in cines if not c.lesion], [c for c in cines if c.lesion]
        goals.append(_false_new(kind, rate, free))
        if lesions:
            goals += _of_lesions(kind, rate, lesions)
    return goals


def _false_new(kind: str, rate: int, free: Sequence[CineScore]) -> TrackGoal:
    minutes = sum(c.seconds for c in free) / 60
    count = sum(c.false_new for c in free)
    found = BootstrapSamples([c.group for c in free]).ratio(
        np.array([c.false_new for c in free]), np.array([c.seconds / 60 for c in free])
    )
    high = max(found.high, NONE_OF / minutes) if not count else found.high
    most = FALSE_NEW[kind]
    return TrackGoal(
        "false new a minute", kind, rate, found.value, found.low, high, f"<= {most:g}", found.value <= most,
        f"{count} in {minutes:.1f} min",
    )  # fmt: skip


def _of_lesions(kind: str, rate: int, lesions: Sequence[CineScore]) -> list[TrackGoal]:
    found = [c for c in lesions if c.found]
    kept = [c for c in found if c.tracks]
    delayed = [c for c in kept if c.delay_s is not None]
    spread = [c for c in kept if c.spread is not None and c.single_spread]
    minutes = sum(c.steady_s for c in lesions) / 60

    def share(of: Sequence[CineScore], which: Callable[[CineScore], bool]) -> tuple[float, float, float]:
        ratio = BootstrapSamples([c.group for c in of]).ratio(np.array([which(c) for c in of], float))
        return ratio.value, ratio.low, ratio.high

    def figure(of: Sequence[CineScore], value: Callable[[Sequence[CineScore]], float]) -> tuple[float, float, float]:
        if not of:
            return math.nan, math.nan, math.nan
        low, high = bootstrap([c.group for c in of], lambda rows: value([of[i] for i in rows]))
        return value(of), low, high

    late = figure(delayed, lambda of: float(np.median([c.delay_s or 0.0 for c in of])))
    flicker = figure(lesions, lambda of: sum(c.changes for c in of) / max(1, sum(c.single_changes for c in of)))
    ratio = figure(
        spread, lambda of: float(np.mean([c.spread or 0.0 for c in of]) / np.mean([c.single_spread or 0.0 for c in of]))
    )
    changes, before = sum(c.changes for c in lesions), sum(c.single_changes for c in lesions)
    one, keeps = share(kept, lambda c: c.tracks == 1), share(found, lambda c: c.tracks > 0)
    sd = tuple(float(np.mean([value(c) or 0.0 for c in spread])) for value in (_joined, _single)) if spread else (0, 0)
    rows = (
        ("lesion shown after, s", late, f"<= {LATEST_S}", late[0] <= LATEST_S, _latest_text(delayed)),
        ("in one track", one, f">= {ONE_TRACK}", one[0] >= ONE_TRACK, f"{len(kept)} lesions"),
        ("kept of those found", keeps, f">= {KEPT}", keeps[0] >= KEPT, f"{len(found)} of {len(lesions)} found"),
        (
            "flicker against single", flicker, f"<= {FLICKER:g}", flicker[0] <= FLICKER,
            f"{changes / minutes:.1f} against {before / minutes:.1f} a minute",
        ),
        ("spread against single", ratio, f"<= {SPREAD:g}", ratio[0] <= SPREAD, f"sd {sd[0]:.3f} against {sd[1]:.3f}"),
    )  # fmt: skip
    return [TrackGoal(what, kind, rate, *value, goal, reached, n) for what, value, goal, reached, n in rows]


def _latest_text(delayed: Sequence[CineScore]) -> str:
    if not delayed:
        return "none"
    late = float(np.quantile([c.delay_s or 0.0 for c in delayed], 0.9))
    return f"median of {len(delayed)}; 90 % within {late:.2f} s"


def _joined(cine: CineScore) -> float | None:
    return cine.spread


def _single(cine: CineScore) -> float | None:
    return cine.single_spread


def as_text(goals: Sequence[TrackGoal]) -> str:
    """The goals as a table for people."""
    lines = [f"{'':25}{'cines':8}{'rate':>4}  {'value':>7}  {'95 % interval':17}{'goal':9}{'':9}n"]
    for each in sorted(goals, key=lambda goal: goal.what != "false new a minute"):
        interval = f"{each.low:.3f} to {each.high:.3f}"
        verdict = "reached" if each.reached else "missed"
        head = f"{each.what:25}{each.kind:8}{each.rate:4}  {each.value:7.3f}  "
        lines.append(f"{head}{interval:17}{each.goal:9}{verdict:9}{each.n}")
    return "\n".join(lines)


def where_false_text(scores: Scores) -> str:
    """Which lesion-free tissue is called a lesion, and how often."""
    lines = ["false new come from:"]
    for (kind, rate), cines in scores.items():
        free = [c for c in cines if not c.lesion]
        found = Counter({c.group: 0 for c in free})
        for cine in free:
            found[cine.group] += cine.false_new
        named = ", ".join(f"{group} {count}" for group, count in found.most_common() if count)
        lesions = [c for c in cines if c.lesion]
        beside = ""
        if lesions:
            minutes = sum(c.seconds for c in lesions) / 60
            beside = f"; in sweeps over lesions, beside them: {sum(c.false_new for c in lesions)} in {minutes:.1f} min"
        lines.append(f"  {kind:7}{rate:3}/s: {named or 'none'} (of {len(found)} patients or clips){beside}")
    return "\n".join(lines)


def single_frames_text(scores: Scores) -> str:
    """What the rule of old did on the same cines, in a line each."""
    lines = ["by single frames (one makes a lesion new, a sixth of a second without it ends it):"]
    for (kind, rate), cines in scores.items():
        free, found = [c for c in cines if not c.lesion], [c for c in cines if c.lesion and c.found]
        minutes = sum(c.seconds for c in free) / 60
        most = max((c.tracks for c in found), default=0)
        one = sum(c.tracks == 1 for c in found) / max(1, len(found))
        lines.append(
            f"  {kind:7}{rate:3}/s: {sum(c.false_new for c in free) / max(minutes, 1e-9):.1f} false new a minute; "
            f"{one:.0%} of lesions in one track, {most} tracks on one at most"
        )
    return "\n".join(lines)
