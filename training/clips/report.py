"""Command ``training report --clips --video``: the recurrent network beside all rules that are its rivals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.contracts.errors import ConfigError
from training.cines.command import print_sweeps, second_answers
from training.cines.examinations import held_out_rows, pairs_of_views
from training.cines.joining import as_text as joining_text
from training.clips.decisions import decide_joining, decide_new, joining_decision_text, new_text
from training.clips.recipe import load_clip_record
from training.clips.store import read_folds, read_weights
from training.clips.views import patients_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def print_rivals(run: Path, cines: Path, video: Path, say: Callable[[str], None]) -> None:
    """Print both decisions. Raises ConfigError where a network or its limit is missing."""
    record = load_clip_record(video)
    if record.new_from is None:
        raise ConfigError(f"{video} has no limit for new", hint=f"fit it: python -m training video {run} --data DATA")
    parts = held_out_rows(run)
    joining = decide_joining(pairs_of_views(parts), patients_of(parts), read_folds(video))
    say(joining_text("pairs of views (BUS-BRA)", joining.table))
    say(joining_decision_text(joining))
    print_sweeps(cines, joining.table.weights, say)
    answers = second_answers(cines)
    if answers:
        say(f"\nsweeps of the second maker; presence from {record.new_from:g}")
        say(new_text(decide_new(answers, read_weights(video), record.new_from)))
