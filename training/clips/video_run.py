"""Command ``training video``: sweeps out of fold, the recurrent network that learns from them, and its limit."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from edge.config.tracking_settings import TrackingSettings
from edge.models.bundle import load_bundle
from edge.process.git_revision import git_revision
from training.breast import protocol
from training.cines.examinations import held_out_rows
from training.cines.fold_sweeps import answer_fold_sweeps
from training.cines.score import score_cine
from training.clips.breast_step import BreastStep, fit_breast_step, summary
from training.clips.recipe import ClipNetworkSection, ClipRecipe, ClipRecord
from training.clips.sequences import cine_sequences
from training.clips.store import write_folds, write_run
from training.clips.views import patients_of
from training.datasets import FOLDS, load_breast_sets
from training.run_record import write_record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from training.cines.answers import CineAnswers

NETWORK = ClipNetworkSection(epochs=30)
METHOD = (
    "learnt from sweeps of the first maker and pairs of views of BUS-BRA, each judged out of fold by a model that "
    "never saw its patient; docs/video.md has what it was worth"
)


def run_video(run: Path, data: Path, cines: Path, out: Path, seed: int, say: Callable[[str], None]) -> BreastStep:
    """Make what sweeps are missing, fit the networks, and write them to ``out``."""
    items = load_breast_sets(data)
    answers = answer_fold_sweeps(run, items, cines, range(1, FOLDS + 1), say)
    held = frozenset(item.group for item in protocol.assign_splits("all", items) if item.split == "val")
    found = fit_breast_step(answers, patients_of(held_out_rows(run)), held, NETWORK, seed, say)
    write_step(out, found, answers, seed)
    say(limits_text(found, answers))
    say(f"done: {out}\nnext: python -m training report {run} --clips --cines {cines} --video {out}")
    return found


def write_step(out: Path, found: BreastStep, answers: dict[int, list[CineAnswers]], seed: int) -> None:
    """Write networks, sequences and record."""
    sequences = [each for fold, some in answers.items() for cine in some for each in cine_sequences(cine, fold)]
    write_run(out, found.on_all, sequences)
    write_folds(out, found.by_fold)
    recipe = ClipRecipe(kind="clip", name="breast-video", seed=seed, decides=(), network=NETWORK)
    record = ClipRecord(
        recipe=recipe,
        git_revision=git_revision(Path(__file__).parent.parent),
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        classes=["benign", "malignant"],
        frame_model_sha256=load_bundle(None).manifest.graph_sha256,
        new_from=found.new_from,
        joins=True,
        method=METHOD,
    )
    write_record(out, record)


def limits_text(found: BreastStep, answers: Mapping[int, Sequence[CineAnswers]]) -> str:
    """What each limit, and the rule, does on sweeps out of fold, as a table for people."""
    rule = summary([score_cine(cine, TrackingSettings()) for some in answers.values() for cine in some])
    of = f"  {'the rule':>8}{rule[0]:18.2f}{rule[1]:8.3f}{rule[2]:8.2f} s"
    lines: Sequence[str] = [
        f"  {limit:8g}{false:18.2f}{kept:8.3f}{late:8.2f} s{'  chosen' if limit == found.new_from else ''}"
        for limit, false, kept, late in found.tried
    ]
    return "\n".join(["presence  false new a minute    kept   after", *lines, of])
