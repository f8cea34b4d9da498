"""Decoding the next frames in threads changes nothing that the DICOM source gives, and ends with it."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
from dicom_source_files import dicom_source, jpeg_cine, read_all

from edge.contracts.frames import Frame, SourceEvent
from edge.dicom import frame_reader, prefetch
from edge.dicom.codecs import NoDecoderError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def three_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    monkeypatch.setattr(prefetch, "MIN_PIXELS", 1)


def decoding_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


def test_threads_change_nothing_that_is_read(
    tmp_path: Path, three_cores: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, broken in enumerate((None, 7, 19)):
        jpeg_cine(tmp_path / f"{number}.dcm", broken)
    (tmp_path / "1.dcm").write_bytes((tmp_path / "1.dcm").read_bytes()[:-500])
    with_threads = read_all(tmp_path)
    assert decoding_threads() == []
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    directly = read_all(tmp_path)
    assert with_threads[1] == directly[1]
    assert len(directly[1]) == 3  # a broken frame, a cut file, a broken frame
    for frame, other in zip(with_threads[0], directly[0], strict=True):
        assert (frame.seq, frame.media_ns, frame.origin) == (other.seq, other.media_ns, other.origin)
        np.testing.assert_array_equal(frame.pixels, other.pixels)


def test_closing_from_another_thread_while_frames_are_read(tmp_path: Path, three_cores: None) -> None:
    opened = dicom_source(jpeg_cine(tmp_path / "a.dcm"))
    for stop_after in range(6):
        opened.open()
        started = threading.Event()
        seen: list[Frame | SourceEvent] = []

        def read_on(started: threading.Event = started, seen: list[Frame | SourceEvent] = seen) -> None:
            while (item := opened.read(1.0)) is not None:
                seen.append(item)
                started.set()

        reader = threading.Thread(target=read_on, daemon=True)
        for _ in range(stop_after):
            assert isinstance(opened.read(1.0), Frame)
        reader.start()
        assert started.wait(120)
        opened.close()
        reader.join(120)
        assert not reader.is_alive()
        assert decoding_threads() == []


def test_a_missing_decoder_is_said_once_with_threads_too(
    tmp_path: Path, three_cores: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_decoder(*_: object, **__: object) -> None:
        raise NoDecoderError("no decoder for it")

    monkeypatch.setattr(frame_reader, "decode_frame", no_decoder)
    frames, (event,) = read_all(jpeg_cine(tmp_path / "a.dcm"))
    assert frames == []
    assert "no decoder for it" in event.detail
    assert decoding_threads() == []
