"""Recurrent network of the breast model: fitted on sweeps and pairs of views out of fold, by fold and on all."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from edge.config.tracking_settings import TrackingSettings
from training.cines.goals import KEPT, LATEST_S
from training.cines.score import score_cine
from training.clips.fit import fit
from training.clips.float_step import FloatStep, manifest_of
from training.clips.sequences import cine_sequences
from training.clips.views import drawn_sets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from training.cines.answers import CineAnswers
    from training.cines.score import CineScore
    from training.clips.gru import Weights
    from training.clips.recipe import ClipNetworkSection
    from training.clips.sequences import FeatureSequence
    from training.clips.views import Patient

LIMITS = (0.2, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
"""Presences from which a lesion may be new, that are tried."""


@dataclass(frozen=True, eq=False)
class BreastStep:
    """Networks of a cross-validation and of all, and the limit that was chosen by the former."""

    by_fold: dict[int, Weights]
    """Each fitted on all folds but this one."""
    on_all: Weights
    """Fitted on all folds; none of its patients was held back by the model that ships."""
    new_from: float
    tried: tuple[tuple[float, float, float, float], ...]
    """Limit, false `new` a minute, share of found lesions kept, median delay in seconds: out of fold."""


def fit_breast_step(
    cines: Mapping[int, Sequence[CineAnswers]],
    patients: Sequence[Patient],
    held_back: frozenset[str],
    how: ClipNetworkSection,
    seed: int,
    log: Callable[[str], None],
) -> BreastStep:
    """Fit the networks, and choose the limit. ``held_back``: patients that judge, and none of them learns from."""
    sequences = {fold: [each for cine in some for each in with_half_rate(cine, fold)] for fold, some in cines.items()}
    free = [patient for patient in patients if patient.group not in held_back]
    by_fold = {}
    for fold in sorted({patient.fold for patient in free} | set(cines)):
        log(f"network without fold {fold}")
        others = [each for of, some in sequences.items() if of != fold for each in some]
        views = partial(drawn_sets, [patient for patient in free if patient.fold != fold])
        by_fold[fold] = fit(others, how, seed, log, views)
    log("network of all folds")
    every = [each for some in sequences.values() for each in some]
    on_all = fit(every, how, seed, log, partial(drawn_sets, free))
    tried = tuple(try_limit(limit, cines, by_fold) for limit in LIMITS)
    return BreastStep(by_fold, on_all, best_limit(tried), tried)


def with_half_rate(cine: CineAnswers, fold: int) -> list[FeatureSequence]:
    """Sequences of a sweep at its own frame rate and at half of it: a slow device sees fewer frames."""
    return [*cine_sequences(cine, fold), *cine_sequences(cine.at_rate(cine.rate // 2), fold)]


def try_limit(
    limit: float, cines: Mapping[int, Sequence[CineAnswers]], by_fold: Mapping[int, Weights]
) -> tuple[float, float, float, float]:
    """What a limit does on sweeps of folds that the network did not learn from, see `BreastStep.tried`."""
    scores: list[CineScore] = []
    for fold, some in cines.items():
        step = FloatStep(by_fold[fold], manifest_of(limit))
        scores += [score_cine(cine, TrackingSettings(), step) for cine in some]
    return (limit, *summary(scores))


def summary(scores: Sequence[CineScore]) -> tuple[float, float, float]:
    """False `new` a minute, share of the found lesions that are kept, and their median delay in seconds."""
    free, found = [c for c in scores if not c.lesion], [c for c in scores if c.lesion and c.found]
    false = sum(c.false_new for c in free) / max(1e-9, sum(c.seconds for c in free) / 60)
    late = [c.delay_s for c in found if c.tracks and c.delay_s is not None]
    kept = sum(c.tracks > 0 for c in found) / max(1, len(found))
    return false, kept, float(np.median(late)) if late else float("inf")


def best_limit(tried: Sequence[tuple[float, float, float, float]]) -> float:
    """Limit of the fewest false `new` of those that keep the lesions and are in time; else what keeps the most."""
    good = [each for each in tried if each[2] >= KEPT and each[3] <= LATEST_S]
    if good:
        return min(good, key=lambda each: (each[1], each[0]))[0]
    return max(tried, key=lambda each: (each[2], -each[1]))[0]
