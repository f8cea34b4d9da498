"""File names are often patients' names: events, which are logged, do not hold them outside their path."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import cv2
import numpy as np
import pytest
from sample_pictures import write_clip

from edge.config.settings import StreamSettings
from edge.contracts.errors import SourceError
from edge.contracts.frames import Frame, SourceEvent
from edge.contracts.results import Reason
from edge.pipeline import capture
from edge.plugins import make_source
from edge.sources.ffmpeg_log import ffmpeg_log

if TYPE_CHECKING:
    from pathlib import Path

MARKER = "DOE_JANE"
ffmpeg_log()  # before clips are written: OpenCV asks once in a process what FFmpeg is to log


def bad_files(folder: Path) -> Path:
    """Empty, cut short, damaged, unreadable, of no kind at all: each with the marker in its name."""
    folder.mkdir()
    picture = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    for suffix in (".jpg", ".png", ".bmp", ".tif"):
        data = cv2.imencode(suffix, picture)[1].tobytes()
        (folder / f"{MARKER}-cut{suffix}").write_bytes(data[: len(data) // 2])
        (folder / f"{MARKER}-damaged{suffix}").write_bytes(data[: len(data) // 2] + b"\xff\xd9")
    for suffix, code in ((".avi", "MJPG"), (".mp4", "mp4v"), (".mpg", "MPG1")):
        path = folder / f"{MARKER}-cut{suffix}"
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*code), 25.0, (80, 60))
        for _ in range(60):
            writer.write(picture)
        writer.release()
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    (folder / f"{MARKER}-cut.dcm").write_bytes(bytes(128) + b"DICM\x02\x00\x00\x00UL\x04\x00")
    for suffix in (".jpg", ".png", ".avi", ".mp4", ".dcm"):
        (folder / f"{MARKER}-empty{suffix}").write_bytes(b"")
        (folder / f"{MARKER}-garbage{suffix}").write_bytes(b"garbage " * 40)
    (folder / f"{MARKER}-gone.jpg").symlink_to(folder / "nowhere")
    return folder


@pytest.mark.parametrize("scheme", ["images", "video", "dicom"])
def test_no_detail_names_its_file(scheme: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    uri = f"{scheme}://{bad_files(tmp_path / MARKER)}"
    opened = make_source(StreamSettings(name="x", source=uri))
    opened.open()
    events = []
    for _ in range(1000):
        item = opened.read(1.0)
        if isinstance(item, SourceEvent):
            events.append(item)
            if item.kind == "ended":
                break
    opened.close()
    skipped = [event for event in events if event.kind == "skipped"]
    assert len(skipped) >= 3
    assert all(MARKER in str(event.path) for event in skipped), "`infer` says which one it was"
    assert [event.detail for event in skipped if MARKER in event.detail] == []
    assert MARKER not in capfd.readouterr().err


def test_a_source_that_stays_lost_is_logged_without_its_file(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Lost:
        """Opens once, then never again."""

        live, opened = True, 0

        def open(self) -> None:
            self.opened += 1
            if self.opened > 1:
                raise SourceError(f"there is no file {MARKER!r}")

        def read(self, timeout_s: float) -> SourceEvent:
            return SourceEvent("lost", Reason.SOURCE_LOST, "away")

        def close(self) -> None:
            pass

    monkeypatch.setattr(capture, "BACKOFF_S", (0.01,))
    caplog.set_level(logging.DEBUG)
    source: Any = Lost()
    reading = capture.FrameCapture({"x": source})
    while source.opened < 4:
        reading.next(0.1)
    reading.close()
    assert "still lost (decode_error)" in caplog.text
    assert MARKER not in caplog.text


@pytest.mark.parametrize("name", [b"clip\xff.avi", b"\xfe.mp4", b"a\xed\xa0\x80.avi"])
def test_a_clip_whose_name_is_not_utf8_is_read(tmp_path: Path, name: bytes) -> None:
    """OpenCV crashes on such a name, and with it the process: a folder would have been met again and again."""
    clip = write_clip(tmp_path / "plain.avi", 3)
    odd = clip.rename(tmp_path / os.fsdecode(name))
    for place in (odd, tmp_path):
        source = make_source(StreamSettings(name="s", source=f"video://{quote(os.fsencode(place))}"))
        source.open()
        items = [source.read(1.0) for _ in range(4)]
        source.close()
        assert [isinstance(item, Frame) for item in items] == [True, True, True, False]
