"""What every `Source` must do, for the sources of network streams, which do not end: a suite of their own.

The same questions as in `test_port`, asked of real servers.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from live_reading import STREAM, frames, make, opened, read_until
from live_servers import http_camera, rtsp_server, steady

from edge.contracts.errors import SourceError, UsageError
from edge.contracts.frames import Frame, SourceEvent
from edge.contracts.ports import DescribedSource, FrameDropper, Source
from edge.plugins import schemes
from edge.sources.live.http_mjpeg import HttpSource
from edge.sources.live.network import RtspSource

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow


@pytest.fixture(params=["http", "rtsp"])
def stream(request: pytest.FixtureRequest) -> Iterator[tuple[type, str]]:
    if request.param == "http":
        with http_camera(steady) as camera:
            yield HttpSource, camera.uri
    else:
        with rtsp_server("mjpeg", 640, 96, 30) as server:
            yield RtspSource, server.uri


def test_it_is_a_live_source_that_says_what_it_gives(stream: tuple[type, str]) -> None:
    with opened(*stream) as source:
        assert isinstance(source, Source)
        assert isinstance(source, FrameDropper)
        assert isinstance(source, DescribedSource)
        assert source.live
        read_until(source, frames(1))
        given = source.describe()
        assert given is not None
        assert (given.width, given.height) == (640, 96)
        assert given.decoder


def test_frames_are_what_the_contract_says(stream: tuple[type, str]) -> None:
    before = time.monotonic_ns()
    with opened(*stream) as source:
        reading = read_until(source, frames(10))
    captured = [frame.captured_ns for frame in reading.frames]
    assert captured == sorted(set(captured))
    assert before <= captured[0]
    assert captured[-1] <= time.monotonic_ns()
    for number, frame in enumerate(reading.frames):
        assert frame.seq == number
        assert frame.stream == STREAM
        assert frame.media_ns is None
        assert frame.pixels.dtype == np.uint8
        assert frame.pixels.shape == (96, 640, 3)
        assert not frame.pixels.flags.writeable


def test_frames_keep_their_pixels_while_others_are_read(stream: tuple[type, str]) -> None:
    with opened(*stream) as source:
        first = read_until(source, frames(1)).frames[0]
        kept = first.pixels.copy()
        read_until(source, frames(8))
    np.testing.assert_array_equal(first.pixels, kept)


def test_it_closes_at_any_time_and_twice_and_opens_again(stream: tuple[type, str]) -> None:
    source = make(*stream)
    source.close()
    for _ in range(2):
        source.open()
        read_until(source, frames(2))
        source.close()
        source.close()
        assert not isinstance(source.read(0.01), Frame)


def test_a_reader_in_another_thread_returns_after_a_close(stream: tuple[type, str]) -> None:
    source = make(*stream)
    source.open()
    raised: list[BaseException] = []
    closed = threading.Event()

    def read() -> None:
        try:
            while not closed.is_set():
                source.read(60.0)
        except BaseException as error:
            raised.append(error)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    closed.set()
    source.close()
    reader.join(30)
    assert not reader.is_alive()
    assert raised == []


def test_a_read_without_patience_never_raises(stream: tuple[type, str]) -> None:
    with opened(*stream) as source:
        got = 0
        deadline = time.monotonic() + 60
        while got < 5 and time.monotonic() < deadline:
            item = source.read(0.0)
            got += isinstance(item, Frame)
            assert not isinstance(item, SourceEvent)
            time.sleep(0.001)
    assert got == 5


@pytest.mark.parametrize("query", ["delay_ms=x", "delayms=3", "silence_s=-1"])
def test_parameters_that_are_ours_and_wrong_are_refused(stream: tuple[type, str], query: str) -> None:
    kind, uri = stream
    with pytest.raises(UsageError) as caught:
        make(kind, f"{uri}?{query}").open()
    assert caught.value.exit_code == 2


def test_nobody_there_is_said_with_a_hint(stream: tuple[type, str]) -> None:
    kind, uri = stream
    scheme = uri.partition(":")[0]
    source = make(kind, f"{scheme}://127.0.0.1:1/x")
    with pytest.raises(SourceError, match="refuses the connection") as caught:
        source.open()
    assert caught.value.exit_code == 5
    assert caught.value.hint
    source.close()


def test_every_kind_is_found_by_its_scheme() -> None:
    assert {"rtsp", "rtsps", "http", "https", "udp", "srt"} <= set(schemes("sources"))
