"""What every live source of this machine must do as a `Source`: igtl, rpicam, gst, each against a real counterpart."""

from __future__ import annotations

import os
import shutil
import threading
import time

import numpy as np
import pytest
from igtl_sender import IgtlServer, image
from picture_programs import make_program

from edge.config.settings import StreamSettings
from edge.config.uri import parse_uri
from edge.contracts.errors import SourceError, UsageError
from edge.contracts.frames import Frame, SourceEvent
from edge.contracts.ports import Source
from edge.sources.live.camera import CameraSource
from edge.sources.live.gst import GstSource
from edge.sources.live.igtl import IgtlSource
from edge.sources.live.rpicam import RpicamSource

pytestmark = pytest.mark.slow
KINDS = {"igtl": IgtlSource, "rpicam": RpicamSource, "gst": GstSource, "camera": CameraSource}
MISSING = {
    "igtl": "igtl://127.0.0.1:9",
    "rpicam": "rpicam://0?size=64x48",
    "gst": "gst://nosuchelement",
    "camera": "camera://nowhere",
}


@pytest.fixture(params=["igtl", "rpicam", "gst"])
def uri(request, tmp_path, monkeypatch):
    """Address of a source of endless frames of 64 x 48 pixels."""
    if request.param == "igtl":
        server = IgtlServer(*[[image(number) for number in range(3000)]] * 5, pause_s=0.01)
        yield f"igtl://127.0.0.1:{server.port}?device=Image"
        server.close()
    elif request.param == "rpicam":
        make_program(tmp_path)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        yield "rpicam://0?size=64x48&fps=100"
    elif shutil.which("gst-launch-1.0") is None:
        pytest.skip("no gst-launch-1.0: apt install gstreamer1.0-tools gstreamer1.0-plugins-good")
    else:
        yield "gst://videotestsrc is-live=true pattern=ball ! video/x-raw,width=64,height=48,framerate=100/1"


def source_of(uri):
    parsed = parse_uri(uri, "sources")
    return KINDS[parsed.scheme](parsed, StreamSettings(name="cart", source=uri))


def frames_of(source, count):
    frames = []
    deadline = time.monotonic() + 60
    while len(frames) < count and time.monotonic() < deadline:
        item = source.read(1.0)
        assert not isinstance(item, SourceEvent), item
        if item is not None:
            frames.append(item)
    return frames


def test_frames_come_in_order_and_are_what_the_contract_says(uri):
    source = source_of(uri)
    assert isinstance(source, Source)
    assert source.live
    source.open()
    frames = frames_of(source, 12)
    now_ns = time.monotonic_ns()
    source.close()
    assert [frame.seq for frame in frames] == list(range(12))
    captured = [frame.captured_ns for frame in frames]
    assert captured == sorted(set(captured))
    assert captured[-1] <= now_ns
    for frame in frames:
        assert frame.stream == "cart"
        assert frame.media_ns is None
        assert frame.pixels.dtype == np.uint8
        assert frame.pixels.shape in ((48, 64), (48, 64, 3))
        assert all(region.box == (0, 0, 64, 48) for region in frame.regions)
    assert (source.info.width, source.info.height) == (64, 48)


def test_frames_keep_their_pixels_while_others_are_read(uri):
    source = source_of(uri)
    source.open()
    (first,) = frames_of(source, 1)
    kept = first.pixels.copy()
    frames_of(source, 8)
    source.close()
    np.testing.assert_array_equal(first.pixels, kept)


def test_it_closes_at_any_time_and_twice_and_opens_again(uri):
    source = source_of(uri)
    source.close()
    for _ in range(2):
        source.open()
        assert frames_of(source, 2)
        source.close()
        source.close()
        assert not isinstance(source.read(0.01), Frame)


def test_a_reader_in_another_thread_returns_after_a_close(uri):
    source = source_of(uri)
    source.open()
    closed = threading.Event()

    def read_until_closed():
        while not closed.is_set():
            source.read(60.0)
        source.read(60.0)

    reader = threading.Thread(target=read_until_closed, daemon=True)
    reader.start()
    closed.set()
    source.close()
    reader.join(timeout=30.0)
    assert not reader.is_alive()


def test_what_was_not_read_in_time_is_counted(uri):
    source = source_of(uri)
    source.open()
    frames_of(source, 1)
    deadline = time.monotonic() + 30
    while source.dropped < 3 and time.monotonic() < deadline:
        time.sleep(0.1)
        source.read(1.0)
    source.close()
    assert source.dropped >= 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_counterpart_is_said_with_a_hint(kind, monkeypatch, tmp_path):
    if kind in ("rpicam", "gst"):
        monkeypatch.setenv("PATH", str(tmp_path))
    source = source_of(MISSING[kind])
    with pytest.raises(SourceError) as error:
        source.open()
    assert (error.value.exit_code, error.value.reason) == (5, "source_lost")
    assert error.value.hint
    item = source.read(0.1)
    assert (item.kind, item.reason.value) == ("lost", "source_lost")
    source.close()


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_parameter_is_refused(kind):
    uri = MISSING[kind]
    with pytest.raises(UsageError, match="colour"):
        source_of(f"{uri}{'&' if '?' in uri else '?'}colour=red")
