"""Negatives of the anatomy gate from clips: only frames that are pictures, and a line for each that is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from video_clips import mpeg_2, picture, write

from training.gate import file_negatives

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_clips_are_read_as_the_device_reads_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_negatives, "PYDICOM", ())
    monkeypatch.setattr(file_negatives, "_photographs", list)
    clips = tmp_path / "clips"
    clips.mkdir()
    write(clips / "a.avi", frames=5)
    (clips / "b.mpg").write_bytes(mpeg_2(*[200] * 30, damaged={2}))
    (clips / "c.mp4").write_bytes(b"no video")
    said: list[str] = []
    found = file_negatives.from_files(tmp_path, said.append)
    sound = [item for item in found if item.file == "a.avi"]
    assert [item.frame for item in sound] == list(range(5))
    for number, item in enumerate(sound):
        assert np.abs(item.pixels.astype(int) - picture(number)).mean() < 4, "RGB"
        assert item.evaluated
    others = [item.frame for item in found if item.file == "b.mpg"]
    assert 2 not in others
    assert others
    assert len(others) + sum("b.mpg" in line for line in said) == 30
    assert sum("c.mp4" in line for line in said) == 1
