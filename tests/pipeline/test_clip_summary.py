"""The summary that `infer` prints of a clip tells of the tracks that the daemon would tell of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from edge.infer.clip_summary import ClipSummary
from edge.infer.run import FileAnswer

FILE = SimpleNamespace(path=Path("a.mp4"))


@pytest.mark.parametrize(
    ("another", "lesions"),
    [
        ({}, ["seen in 60 frames, 0.00 to 5.90 s"]),
        ({"geometry": 2}, ["seen in 30 frames, 0.00 to 2.90 s", "seen in 30 frames, 3.00 to 5.90 s"]),
        ({"clip": 1}, ["seen in 30 frames, 0.00 to 2.90 s", "seen in 30 frames, 3.00 to 5.90 s"]),
    ],
)
def test_a_clip_or_geometry_of_another_number_ends_lesions_and_their_times_are_the_files(make, another, lesions):
    summary = ClipSummary(FILE.path)
    for seq in range(60):
        later = another if seq >= 30 else {}
        frame = replace(make.frame(seq, clip=later.get("clip", 0)), media_ns=seq * 100_000_000)
        frame = replace(frame, geometry=later.get("geometry", 1))
        summary.add(FileAnswer(FILE, frame, make.finding(seq)))
    told = [line.split(": ")[1].split(";")[0] for line in summary.lines() if line.startswith("lesion ")]
    assert told == lesions
