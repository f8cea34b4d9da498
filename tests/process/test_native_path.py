"""Names that are not UTF-8 reach native libraries by a descriptor: OpenCV crashes on them."""

from __future__ import annotations

import os
from pathlib import Path

from edge.process.native_path import native_path

ODD = os.fsdecode(b"clip \xff\xfe.mp4")


def test_an_ordinary_name_is_the_absolute_path(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a:b.mp4", "ünö.mp4"):
        with native_path(name) as place:
            assert place == str(tmp_path / name)


def test_another_name_is_read_by_a_descriptor(tmp_path: Path) -> None:
    (tmp_path / ODD).write_bytes(b"what is in it")
    with native_path(tmp_path / ODD) as place:
        assert place.isascii()
        assert Path(place).read_bytes() == b"what is in it"
    assert not os.path.exists(place)


def test_what_cannot_be_opened_is_nothing(tmp_path: Path) -> None:
    with native_path(tmp_path / ODD) as place:
        assert place.isascii()
        assert not os.path.exists(place)
