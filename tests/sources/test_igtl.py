"""igtl://: images of an OpenIGTLink server with their spacing, from our own bytes, from C++ and from pyigtl."""

from __future__ import annotations

import contextlib
import importlib.util
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from brokers import wait_until
from hypothesis import given
from hypothesis import strategies as st
from igtl_sender import IgtlServer, build_sender, image, image_body, message

from edge.config.settings import StreamSettings
from edge.config.uri import parse_uri
from edge.contracts.errors import SourceError, UsageError
from edge.contracts.frames import Frame, SourceEvent
from edge.sources.live.igtl import MOST_BYTES, IgtlReader, IgtlSource
from edge.sources.live.igtl_messages import HEADER, NO_SPACING, MessageError, MessageHeader, parse_header, parse_image
from edge.sources.live.reader import FrameDamagedError, LiveOptions


def reader_of(port, query=""):
    return IgtlReader(parse_uri(f"igtl://127.0.0.1:{port}{query}", "sources"), LiveOptions(open_timeout_s=3.0))


@pytest.fixture
def serve():
    made = []

    def make(*connections, **how):
        made.append(IgtlServer(*connections, **how))
        return made[-1].port

    yield make
    for server in made:
        server.close()


def failure_of(reader):
    """The error with which a reader fails, and what it gave before."""
    frames = []

    def read_all():
        reader.open()
        while True:
            frames.append(reader.read())

    with pytest.raises(SourceError) as error:
        read_all()
    reader.close()
    assert error.value.reason == "source_lost"
    return error.value, frames


def test_each_image_brings_its_own_spacing(serve):
    """Depth is changed at the scanner: the next picture has other millimetres, and none has those of another."""
    port = serve([image(n, spacing=(0.1, 0.2) if n < 5 else (0.15, 0.3)) for n in range(10)])
    reader = reader_of(port, "?device=Image")
    info = reader.open()
    assert (info.width, info.height, info.format, info.details["device"]) == (64, 48, "grey", "Image")
    for number in range(10):
        frame = reader.read()
        assert frame.pixels.shape == (48, 64)
        assert set(np.unique(frame.pixels)) == {number}
        (region,) = frame.regions
        assert (region.box, region.source) == ((0, 0, 64, 48), "igtl")
        assert (region.mm_x, region.mm_y) == pytest.approx((0.1, 0.2) if number < 5 else (0.15, 0.3))
    reader.close()


def test_the_first_device_with_images_is_taken_where_none_is_named(serve):
    other = message("TRANSFORM", "Probe", bytes(48))
    port = serve([other, image(1, "A"), image(2, "B"), other, image(3, "A")])
    reader = reader_of(port)
    assert reader.open().details["device"] == "A"
    assert [int(reader.read().pixels[0, 0]) for _ in range(2)] == [1, 3]
    reader.close()
    reader = reader_of(serve([image(1, "A"), image(2, "B"), other, image(4, "B")]), "?device=B")
    reader.open()
    assert [int(reader.read().pixels[0, 0]) for _ in range(2)] == [2, 4]
    reader.close()


def test_a_device_that_does_not_come_is_told_with_those_that_do(serve, monkeypatch):
    monkeypatch.setattr("edge.sources.live.igtl.STRANGERS_S", 0.2)
    port = serve([image(1, "Live"), message("VIDEO", "Image", bytes(8))] * 200)
    error, frames = failure_of(reader_of(port, "?device=Image"))
    assert "no image of the device 'Image' comes, but messages of Live (IMAGE), Image (VIDEO)" in error.message
    assert not frames


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n" + bytes(100), "not OpenIGTLink"),
        (HEADER.pack(1, b"IMAGE", b"Image", 0, 0, MOST_BYTES + 1, 0), "is announced, more than"),
        (HEADER.pack(1, b"IMAGE", b"Image", 0, 0, 1 << 63, 0), "is announced, more than"),
        (image(1)[:40], "closed the connection"),
        (image(1)[:-10], "closed the connection"),
        (b"", "closed the connection"),
    ],
)
def test_what_is_no_image_stream_is_lost_with_a_reason(serve, data, why):
    error, frames = failure_of(reader_of(serve([data], stay=False)))
    assert why in error.message
    assert not frames


def test_a_server_that_goes_is_told_at_once_and_found_again(serve):
    port = serve([image(n) for n in range(3)], [image(7)], stay=False)
    reader = reader_of(port)
    reader.open()
    began = time.monotonic()
    with pytest.raises(SourceError, match="the server has closed the connection"):
        [reader.read() for _ in range(4)]
    assert time.monotonic() - began < 5
    reader.open()
    assert int(reader.read().pixels[0, 0]) == 7
    reader.close()


def test_no_server_is_an_error_with_its_place():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error, _ = failure_of(reader_of(port))
    assert f"127.0.0.1:{port} cannot be reached: Connection refused" in error.message
    assert error.hint


GREY = np.zeros((48, 64), np.uint8)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (image_body(GREY, scalar=5), "16-bit values"),
        (image_body(GREY, scalar=99), "unknown values"),
        (image_body(GREY, components=2), "2 components"),
        (image_body(GREY, depth=3), "a volume of 3 slices"),
        (image_body(GREY, start=4), "a part of an image"),
        (image_body(GREY)[:-1], "64 x 48 pixels with 3071 bytes"),
        (image_body(GREY, width=0), "0 x 48"),
        (image_body(GREY, width=65535, height=65535), "with 3072 bytes"),
        (image_body(GREY)[:30], "less than its header"),
        (b"", "less than its header"),
    ],
)
def test_an_image_that_cannot_be_read_costs_that_image(serve, body, why):
    port = serve([image(1), message("IMAGE", "Image", body), image(2)])
    reader = reader_of(port)
    reader.open()
    reader.read()
    with pytest.raises(FrameDamagedError, match=why):
        reader.read()
    assert int(reader.read().pixels[0, 0]) == 2
    reader.close()
    error, _ = failure_of(reader_of(serve([message("IMAGE", "Image", body)])))
    assert why in error.message


@given(st.sampled_from([1, 2, 3]), st.binary(max_size=400), st.integers(0, 400))
def test_no_body_does_more_than_be_refused(version, noise, at):
    """Damage in any place, and any extended header, give a picture of the right shape or a `MessageError`."""
    body = bytearray(bytes(12 if version > 1 else 0) + image_body(np.ones((4, 5), np.uint8)))
    body[at : at + len(noise)] = noise
    header = MessageHeader(version, "IMAGE", "Image", 0, len(body))
    try:
        made = parse_image(header, memoryview(bytes(body)))
    except MessageError:
        return
    assert made.pixels.dtype == np.uint8
    assert made.region.box == (0, 0, made.pixels.shape[1], made.pixels.shape[0])
    assert made.region.calibrated or made.region.uncalibrated


@given(st.binary(min_size=58, max_size=58))
def test_no_header_does_more_than_be_refused(data):
    with contextlib.suppress(MessageError):
        assert parse_header(data).version in (1, 2, 3)


@pytest.mark.parametrize(
    ("spacing", "mm", "why"),
    [
        ((0.1, 0.2), (0.1, 0.2), None),
        ((1.0, 1.0), (None, None), NO_SPACING),  # what a sender gives that knows none
        ((0.0, 0.0), (None, None), "no scanner has"),
        ((50.0, 50.0), (None, None), "no scanner has"),
        ((float("nan"), 0.1), (None, None), "no scanner has"),
    ],
)
def test_a_spacing_that_no_scanner_has_is_not_believed(spacing, mm, why):
    body = image_body(np.zeros((480, 640), np.uint8), spacing)
    region = parse_image(MessageHeader(1, "IMAGE", "Image", 0, len(body)), memoryview(body)).region
    assert (region.mm_x, region.mm_y) == (mm if mm[0] is None else pytest.approx(mm))
    assert (region.uncalibrated is None) == (why is None)
    if why:
        assert why in region.uncalibrated


def test_the_senders_clock_counts_whatever_its_date(serve):
    """A message that was held up is as old as it is: its own time says so, not its arrival."""
    sent = [100.0 + 0.01 * n for n in range(20)]
    reader = reader_of(serve([image(n, sent_s=at) for n, at in enumerate(sent)], pause_s=0.01))
    reader.open()
    frames = [reader.read() for _ in range(20)]
    reader.close()
    steps = np.diff([frame.captured_ns for frame in frames[5:]]) / 1e6
    assert np.all(np.abs(steps - 10) < 9.9)
    assert all(frame.captured_ns <= time.monotonic_ns() for frame in frames)


def test_silence_is_told_by_age_though_the_connection_stands(serve):
    port = serve([image(n) for n in range(5)])
    uri = f"igtl://127.0.0.1:{port}?silence_s=0.3"
    source = IgtlSource(parse_uri(uri, "sources"), StreamSettings(name="cart", source=uri))
    source.open()
    items = []
    wait_until(lambda: items.append(source.read(0.5)) or isinstance(items[-1], SourceEvent), 20)
    assert (items[-1].kind, items[-1].detail) == ("lost", "no picture came for 0.3 s")
    assert [frame.regions[0].source for frame in items if isinstance(frame, Frame)]
    source.close()


@pytest.mark.parametrize("drips", [False, True])
def test_a_server_that_never_sends_an_image_is_told_when_the_limit_of_opening_is_over(serve, drips):
    port = serve([bytes([byte]) for byte in image(1)[:40]] if drips else [], pause_s=0.1)
    reader = IgtlReader(parse_uri(f"igtl://127.0.0.1:{port}", "sources"), LiveOptions(open_timeout_s=0.4))
    error, _ = failure_of(reader)
    assert error.message == "no image came within 0.4 s"
    assert error.hint


def test_pictures_of_another_size_are_not_those_that_were_configured(serve):
    small = message("IMAGE", "Image", image_body(np.zeros((24, 64), np.uint8)))
    error, frames = failure_of(reader_of(serve([image(1), image(2), small])))
    assert error.message == "its pictures changed from 64 x 48 to 64 x 24"
    assert len(frames) == 2


def test_pictures_that_stay_late_are_left_out_and_then_end_the_connection(serve, monkeypatch):
    """What waits at a server grows old there; after a while all that came would seem to be fresh again."""
    monkeypatch.setattr("edge.sources.live.late_frames.PATIENCE_NS", 100_000_000)
    began = time.time()
    late = [image(n, sent_s=began - 5 + 0.01 * n) for n in range(100)]
    error, frames = failure_of(reader_of(serve([image(0, sent_s=began), *late], pause_s=0.01)))
    assert "s late; the connection is made anew" in error.message
    assert len(frames) == 1


@pytest.mark.parametrize("uri", ["igtl://", "igtl://h/x", "igtl://h?devise=x"])
def test_addresses_that_are_none_are_refused(uri):
    with pytest.raises(UsageError):
        IgtlSource(parse_uri(uri, "sources"), StreamSettings(name="cart", source=uri))


# --- other implementations -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_images_of_the_protocols_own_library(tmp_path):
    program = build_sender(tmp_path)
    if program is None:
        pytest.skip("no OpenIGTLink library: apt install libopenigtlink-dev g++")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with subprocess.Popen([program, str(port)], stdout=subprocess.PIPE) as sender:
        assert sender.stdout.readline() == b"ready\n"
        reader = reader_of(port, "?device=Image_Reference")
        reader.open()
        for number in range(20):
            frame = reader.read()
            assert frame.pixels.shape == ((48, 64, 3) if number % 2 else (48, 64))
            assert set(np.unique(frame.pixels)) == {number}
            mm = 0.1 if number < 10 else 0.25
            assert (frame.regions[0].mm_x, frame.regions[0].mm_y) == pytest.approx((mm, 2 * mm))
            assert 0 <= time.monotonic_ns() - frame.captured_ns < 10e9
        sender.kill()
        with pytest.raises(SourceError, match=r"closed the connection|is lost"):
            [reader.read() for _ in range(300)]
        reader.close()


PYIGTL = """
import sys, time, numpy, pyigtl
server = pyigtl.OpenIGTLinkServer(port=int(sys.argv[1]), local_server=True)
print("ready", flush=True)
for number in range(1000):
    matrix = numpy.diag([0.3, 0.4, 1, 1])
    image = pyigtl.ImageMessage(numpy.full((1, 48, 64), number % 256, numpy.uint8), matrix, device_name="Image")
    image.header_version = int(sys.argv[2])
    image.metadata = {"DepthMm": "48", "Probe": "L12"} if image.header_version == 2 else {}
    server.send_message(image, wait=True)
    time.sleep(0.005)
"""


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("pyigtl") is None, reason="pyigtl is not installed")
@pytest.mark.parametrize("version", [1, 2])
def test_images_of_pyigtl(version):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with subprocess.Popen([sys.executable, "-c", PYIGTL, str(port), str(version)], stdout=subprocess.PIPE) as sender:
        assert sender.stdout.readline() == b"ready\n"
        reader = reader_of(port, "?device=Image")
        reader.open()
        frames = [reader.read() for _ in range(10)]
        levels = [int(frame.pixels[0, 0]) for frame in frames]
        assert levels == list(range(levels[0], levels[0] + 10))
        assert (frames[0].regions[0].mm_x, frames[0].regions[0].mm_y) == pytest.approx((0.3, 0.4))
        reader.close()
        sender.kill()
