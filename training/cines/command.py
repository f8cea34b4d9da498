"""Commands ``training cines`` and ``training report --clips``: tracks against goals, and rules that join frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2

from edge.app.compose import make_analyser
from edge.config.settings import Settings
from edge.config.tracking_settings import AT_ONCE, ConfirmSettings, TrackingSettings
from edge.models.bundle import load_bundle
from training.cines import first_maker, second_maker
from training.cines.answers import answer_sweeps, read_answers
from training.cines.curve import CurvePoint, curve_svg, curve_text
from training.cines.examinations import held_out_rows, pairs_of_views, sweeps_as_examinations
from training.cines.foreign_clips import foreign_answers
from training.cines.goals import as_text, goals_of, single_frames_text, where_false_text
from training.cines.joining import as_text as joining_text
from training.cines.joining import joining_table
from training.cines.score import score_cine
from training.cines.sweeps import RATES, sweeps_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from edge.pipeline.analyser import Analyser
    from training.cines.answers import CineAnswers
    from training.cines.score import CineScore
    from training.cines.stills import Half

MAKERS = {"first": first_maker.make_cine, "second": second_maker.make_cine}
SINGLE_FRAMES = TrackingSettings(confirm=AT_ONCE, gone_after_s=5 / 30)
"""The rule of old: one frame's word makes a lesion new, five without it end it."""
CURVE_RATE = 30
CURVE_SECONDS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.1, 1.5, 2.0)
CURVE_SHARES = (0.4, 0.55, 0.7, 0.85)


@dataclass(frozen=True)
class CinesRequest:
    """What ``training cines`` was asked for."""

    data: Path | None
    """Folder of the data sets; None: phantoms."""
    out: Path
    curve: Path | None
    first_only: bool


def run_cines(asked: CinesRequest, say: Callable[[str], None]) -> None:
    """Make what cines are missing, and print goals and curve."""
    cv2.setNumThreads(1)
    settings = TrackingSettings()
    makers: tuple[Half, ...] = ("first",) if asked.first_only else ("first", "second")
    answers = {half: answers_of(half, asked, say) for half in makers}
    foreign = foreign_answers(asked.data, asked.out / f"clips-{model_name()}.jsonl", model, say)
    scores = at_all_rates(answers, settings)
    for clip in foreign:
        scores.setdefault(("organs", clip.rate), []).append(score_cine(clip, settings))
    confirm = settings.confirm
    say(f"model {model_name()}; confirm {confirm.seconds:g} s, share {confirm.share:g}, gone {settings.gone_s:g} s")
    say(as_text(goals_of(scores)))
    say("\n" + where_false_text(scores))
    say("\n" + single_frames_text(at_all_rates(answers, SINGLE_FRAMES)))
    if asked.curve is not None:
        points = curve_points(answers["first"])
        say("\n" + curve_text(points))
        asked.curve.write_text(curve_svg(points, (confirm.seconds, confirm.share)), encoding="utf-8")


def model() -> Analyser:
    """The model that ships, in this process."""
    return make_analyser(Settings(), isolated=False)


def model_name() -> str:
    """Name of the model that ships, for files that keep what it said: another model has others."""
    manifest = load_bundle(None).manifest
    return f"{manifest.version}-{manifest.graph_sha256[:8]}"


def answers_of(half: Half, asked: CinesRequest, say: Callable[[str], None]) -> list[CineAnswers]:
    """Answers for all sweeps of one maker."""
    kind = "phantoms" if asked.data is None else "held-out"
    path = asked.out / f"{kind}-{half}-{model_name()}.jsonl"
    return answer_sweeps(path, sweeps_of(half, asked.data), MAKERS[half], model, say)


def at_all_rates(
    answers: Mapping[Half, Sequence[CineAnswers]], settings: TrackingSettings
) -> dict[tuple[str, int], list[CineScore]]:
    """Scores of each maker's cines at each frame rate."""
    return {(half, rate): scores_at(cines, rate, settings) for half, cines in answers.items() for rate in RATES}


def scores_at(cines: Sequence[CineAnswers], rate: int, settings: TrackingSettings) -> list[CineScore]:
    """Scores at one frame rate, of the cines that were made at it or at a multiple."""
    return [score_cine(cine.at_rate(rate), settings) for cine in cines if cine.rate >= rate]


def curve_points(cines: Sequence[CineAnswers]) -> list[CurvePoint]:
    """What each confirmation costs and saves, on the first maker's cines."""
    points = []
    for share in CURVE_SHARES:
        for seconds in CURVE_SECONDS:
            settings = TrackingSettings(confirm=ConfirmSettings(seconds=seconds, share=share))
            scores = scores_at(cines, CURVE_RATE, settings)
            points.append(CurvePoint.of(seconds, share, scores))
    return points


def print_joining(run: Path, cines: Path, say: Callable[[str], None]) -> None:
    """Print how well each rule joins pairs of views, by predictions out of fold, and frames of sweeps if there are."""
    pairs = joining_table(pairs_of_views(held_out_rows(run)))
    say(joining_text("pairs of views (BUS-BRA)", pairs))
    print_sweeps(cines, pairs.weights, say)


def second_answers(cines: Path) -> list[CineAnswers]:
    """Answers for the second maker's sweeps, as far as they are kept."""
    return read_answers(cines / f"held-out-second-{model_name()}.jsonl")


def print_sweeps(cines: Path, learnt: tuple[float, float], say: Callable[[str], None]) -> None:
    """Print how well each rule joins the frames of sweeps, if there are any."""
    sweeps = sweeps_as_examinations(second_answers(cines))
    if sweeps:
        title = "sweeps of the second maker, weights learnt on the pairs"
        say("\n" + joining_text(title, joining_table(sweeps, learnt), say_weights=False))
