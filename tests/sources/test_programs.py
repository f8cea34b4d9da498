"""gst:// and rpicam://: pictures that an external program writes to a pipe, and every way in which it can fail."""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from brokers import wait_until
from picture_programs import make_program

from edge.config.settings import StreamSettings
from edge.config.uri import parse_uri
from edge.contracts.errors import SourceError, UsageError
from edge.contracts.frames import Frame, SourceEvent
from edge.sources.live.gst import GstReader, GstSource, picture_of_caps, pipeline_words
from edge.sources.live.program import last_words
from edge.sources.live.raw_pictures import RawPicture
from edge.sources.live.reader import LiveOptions
from edge.sources.live.rpicam import RpicamReader, RpicamSource

SMALL = "rpicam://0?size=64x48&fps=100"
needs_gst = pytest.mark.skipif(
    shutil.which("gst-launch-1.0") is None,
    reason="no gst-launch-1.0: apt install gstreamer1.0-tools gstreamer1.0-plugins-base",
)


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Puts a fake rpicam-vid on PATH."""

    def make(fault=""):
        make_program(tmp_path, fault)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        return tmp_path

    return make


def is_there(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def rpicam(uri=SMALL):
    return RpicamReader(parse_uri(uri, "sources"), LiveOptions())


def gst(pipeline):
    return GstReader(parse_uri(f"gst://{pipeline}", "sources"), LiveOptions())


def failure_of(reader):
    """The error with which a reader fails, and how many pictures it gave before."""
    seen = []
    try:
        with pytest.raises(SourceError) as error:
            read_all(reader, seen)
    finally:
        reader.close()
    assert error.value.reason == "source_lost"
    return error.value, len(seen)


def read_all(reader, seen):
    """Open a reader, and add its pictures to ``seen`` until it raises."""
    reader.open()
    while True:
        seen.append(reader.read().pixels.copy())


# --- rpicam: no hardware here; a program that writes what it would write ---------------------------------------------


def test_pictures_come_whole_in_order_and_with_their_arrival(program):
    folder = program()
    reader = rpicam()
    info = reader.open()
    assert (info.width, info.height, info.fps, info.format, info.decoder) == (64, 48, 100.0, "yuv420", "rpicam-vid")
    assert "arrival" in info.details["time stamps"]
    frames = []
    for _ in range(20):
        frame = reader.read()
        assert frame.captured_ns <= time.monotonic_ns()
        frames.append((frame.pixels.copy(), frame.captured_ns))
    reader.close()
    levels = [pixels[0, 0, 0] for pixels, _ in frames]
    assert levels == sorted(set(levels))
    assert all(pixels.shape == (48, 64, 3) and np.ptp(pixels) == 0 for pixels, _ in frames)
    times = [at for _, at in frames]
    assert times == sorted(times)
    assert (folder / "arguments").read_text().split("\n") == [
        "--camera", "0", "--width", "64", "--height", "48", "--framerate", "100",
        "--nopreview", "--timeout", "0", "--codec", "yuv420", "--output", "-",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "message", "count"),
    [
        ("half", r"rpicam-vid ended with exit status 3 \(in the middle of a picture, after 3072 bytes\)", 4),
        ("crashes", "rpicam-vid was ended by signal 11", 4),
        ("ends", "rpicam-vid ended with exit status 0", 4),
        ("refuses", r"exit status 1: ERROR: \*\*\* no cameras available \*\*\* at rtsp://…@host/x in …$", 0),
    ],
)
def test_how_a_program_ends_is_told_with_its_last_words(program, fault, message, count):
    program(fault)
    error, seen = failure_of(rpicam())
    assert re.search(message, error.message), error.message
    assert seen == count
    assert error.hint


def test_pictures_of_another_size_are_noticed_by_their_rate(program):
    program("larger")
    error, _ = failure_of(rpicam("rpicam://0?size=64x48&fps=20"))
    assert "they have another size" in error.message


def test_a_program_that_talks_without_end_is_still_read(program):
    program("talks")
    reader = rpicam()
    reader.open()
    for _ in range(60):
        reader.read()
    reader.close()


def test_a_hung_program_is_lost_for_the_source_and_ended(program):
    program("hangs")
    source = RpicamSource(parse_uri(f"{SMALL}&silence_s=0.4", "sources"), StreamSettings(name="cart", source=SMALL))
    source.open()
    items = []
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not any(isinstance(item, SourceEvent) for item in items):
        items.append(source.read(0.5))
    event = next(item for item in items if isinstance(item, SourceEvent))
    assert (event.kind, event.detail) == ("lost", "no picture came for 0.4 s")
    assert any(isinstance(item, Frame) for item in items)
    source.close()


@pytest.mark.parametrize("fault", ["", "stubborn", "child"])
def test_the_program_and_its_group_end_with_the_reader(program, fault):
    folder = program(fault)
    reader = rpicam()
    reader.open()
    reader.read()
    pids = [reader._program.pid]
    if fault == "child":
        pids.append(int((folder / "child").read_text()))
    assert all(is_there(pid) for pid in pids)
    reader.close()
    wait_until(lambda: not any(is_there(pid) for pid in pids), 10)
    reader.close()


@pytest.mark.parametrize("fault", ["", "child"])
def test_the_program_and_its_group_end_with_the_source(program, fault):
    folder = program(fault)
    source = RpicamSource(parse_uri(SMALL, "sources"), StreamSettings(name="cart", source=SMALL))
    source.open()
    assert isinstance(source.read(5.0), Frame)
    children = Path(f"/proc/{source.pid}/task/{source.pid}/children").read_text().split()
    pids = [int(pid) for pid in children]
    assert pids
    if fault == "child":
        pids.append(int((folder / "child").read_text()))
    source.close()
    wait_until(lambda: not any(is_there(pid) for pid in pids), 10)


def test_a_killed_reader_takes_a_program_along_that_would_never_notice(program):
    program("hangs")  # one that writes would meet a pipe without a reader
    source = RpicamSource(parse_uri(f"{SMALL}&silence_s=60", "sources"), StreamSettings(name="cart", source=SMALL))
    source.open()
    (pid,) = map(int, Path(f"/proc/{source.pid}/task/{source.pid}/children").read_text().split())
    items = []
    wait_until(lambda: items.append(source.read(0.3)) or (items[-1] is None and len(items) > 1), 20)
    os.kill(source.pid, signal.SIGKILL)
    wait_until(lambda: not is_there(pid), 10)
    source.close()


def test_a_program_may_take_memory_of_its_own_and_goes_first_where_there_is_none(program):
    program()
    source = RpicamSource(parse_uri(SMALL, "sources"), StreamSettings(name="cart", source=SMALL))
    source.open()
    (pid,) = Path(f"/proc/{source.pid}/task/{source.pid}/children").read_text().split()
    limits = {name: Path(f"/proc/{one}/limits").read_text() for name, one in (("own", pid), ("ours", source.pid))}
    data = {name: re.search(r"Max data size +(\S+) +(\S+)", text).groups() for name, text in limits.items()}
    assert data["own"][0] == data["own"][1] == data["ours"][1] != data["ours"][0]
    assert Path(f"/proc/{pid}/oom_score_adj").read_text() == Path(f"/proc/{source.pid}/oom_score_adj").read_text()
    source.close()


def test_no_program_is_an_error_that_names_the_package(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    error, _ = failure_of(rpicam())
    assert error.message == "rpicam-vid is not installed"
    assert "rpicam-apps" in error.hint
    error, _ = failure_of(gst("videotestsrc"))
    assert "gstreamer1.0-tools" in error.hint


@pytest.mark.parametrize("uri", ["rpicam://0?size=100x48", "rpicam://0?size=64x47", "rpicam://x", "rpicam://0?fps=0"])
def test_wishes_that_a_pi_cannot_meet_are_refused(uri):
    with pytest.raises(UsageError):
        RpicamSource(parse_uri(uri, "sources"), StreamSettings(name="cart", source=uri))


# --- last words ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"", ""),
        (b"one\n\n  two\n", "one / two"),
        (b"much\nERROR: from element x: gone\nmore\n", "ERROR: from element x: gone / more"),
        (b"open rtsp://u:p@h/a failed", "open rtsp://…@h/a failed"),
        (b"password=abc user-id = me", "password=… user-id = …"),
        (b'cannot read "/home/jane doe/x.mp4"', "cannot read …"),
        (b"cannot open '/dev/video9'", "cannot open '/dev/video9'"),
        (b"\x1b[31mred\xff", "?[31mred\ufffd"),
    ],
)
def test_last_words_are_one_line_without_credentials_or_files(said, words):
    assert last_words(said) == words
    assert len(last_words(said * 500)) < 310


# --- GStreamer -------------------------------------------------------------------------------------------------------


@needs_gst
@pytest.mark.parametrize(
    ("pipeline", "size", "colour"),
    [
        ("videotestsrc pattern=red ! video/x-raw,width=322,height=241", (322, 241), [254, 0, 0]),  # padded lines
        ("videotestsrc pattern=white ! video/x-raw,format=Y42B,width=62,height=40", (62, 40), [255] * 3),  # video range
        ("videotestsrc pattern=black ! video/x-raw,format=I420,width=62,height=40", (62, 40), [0] * 3),
        ("videotestsrc pattern=red ! video/x-raw,format=NV12,width=64,height=48", (64, 48), [254, 0, 0]),
    ],
)
def test_a_pipeline_gives_its_pictures_whatever_their_format(pipeline, size, colour):
    reader = gst(f"{pipeline},framerate=30/1")
    info = reader.open()
    try:
        assert ((info.width, info.height), info.fps) == (size, 30.0)
        for _ in range(3):
            pixels = reader.read().pixels
            assert pixels.shape == (size[1], size[0], 3)
            assert np.abs(pixels.astype(int) - colour).max() <= 3
    finally:
        reader.close()


@needs_gst
@pytest.mark.parametrize(
    ("pipeline", "words"),
    [
        ("nosuchelement ! videoconvert", 'no element "nosuchelement"'),
        ("audiotestsrc", "could not link"),
        ("v4l2src device=/dev/video99", "/dev/video99"),
        ("filesrc location=/home/jane/x.mp4 ! decodebin", "exit status"),
    ],
)
def test_a_pipeline_that_fails_says_why_and_names_no_file(pipeline, words):
    error, _ = failure_of(gst(pipeline))
    assert words in error.message
    assert "jane" not in error.message


@needs_gst
def test_a_pipeline_that_ends_is_lost_and_told_after_its_last_picture():
    error, count = failure_of(gst("videotestsrc num-buffers=7 ! video/x-raw,width=64,height=48"))
    assert count == 7
    assert "gst-launch-1.0 ended with exit status 0" in error.message


@needs_gst
@pytest.mark.slow
def test_a_size_that_changes_in_mid_stream_ends_it_before_a_torn_picture():
    """Two sources, one after the other, into one pipe: concat lets the second begin when the first has ended."""
    reader = gst(
        "concat name=c "
        "videotestsrc num-buffers=5 pattern=white ! video/x-raw,format=RGB,width=64,height=48 ! c. "
        "videotestsrc num-buffers=9 pattern=black ! video/x-raw,format=RGB,width=32,height=24 ! c. c."
    )
    seen = []
    try:
        with pytest.raises(SourceError, match="size or format of the pictures changed"):
            read_all(reader, seen)
    finally:
        reader.close()
    assert len(seen) <= 5
    assert all(pixels.min() > 250 for pixels in seen)


@needs_gst
@pytest.mark.slow
def test_a_source_of_a_pipeline_gives_frames_and_ends_cleanly():
    uri = "gst://videotestsrc is-live=true ! video/x-raw,width=64,height=48,framerate=100/1?delay_ms=20"
    source = GstSource(parse_uri(uri, "sources"), StreamSettings(name="cart", source=uri))
    source.open()
    (pid,) = map(int, Path(f"/proc/{source.pid}/task/{source.pid}/children").read_text().split())
    frames = []
    while len(frames) < 10:
        item = source.read(5.0)
        assert isinstance(item, Frame), item
        assert time.monotonic_ns() - item.captured_ns >= 20_000_000
        frames.append(item)
    assert [frame.seq for frame in frames] == list(range(10))
    source.close()
    wait_until(lambda: not is_there(pid), 10)


def test_caps_are_read_as_gstreamer_prints_them():
    caps = (
        "/GstPipeline:pipeline0/GstCapsFilter:sonoedge-pictures.GstPad:src: caps = video/x-raw, format=(string)RGB, "
        "width=(int)322, height=(int)240, interlace-mode=(string)progressive, framerate=(fraction)30000/1001\n"
    )
    picture = picture_of_caps(caps)
    assert picture == RawPicture(322, 240, "rgb", 968, 30000 / 1001)
    assert picture.nbytes == 968 * 240
    for broken in ("format=(string)NV12, width=(int)2, height=(int)2", "format=(string)RGB", "width=(int)x"):
        with pytest.raises(SourceError):
            picture_of_caps(broken)


@pytest.mark.parametrize("text", ["", "!", "! a", "a !", "-e videotestsrc", "'unclosed"])
def test_what_is_no_pipeline_is_refused(text):
    with pytest.raises(UsageError):
        pipeline_words(text)
    with pytest.raises(UsageError):
        GstSource(parse_uri(f"gst://{text}", "sources"), StreamSettings(name="cart", source=f"gst://{text}"))


def test_no_shell_sees_a_pipeline():
    assert pipeline_words("a; rm -rf $HOME `x` | y > z") == ["a;", "rm", "-rf", "$HOME", "`x`", "|", "y", ">", "z"]
    assert pipeline_words('filesrc location="a b" ! x') == ["filesrc", "location=a b", "!", "x"]


@pytest.mark.parametrize(
    "uri",
    ["gst://rtspsrc location=rtsp://user:secret@h/x ! decodebin", "gst://a user-pw=secret", "camera://secret-name"],
)
def test_a_pipeline_and_a_cameras_name_are_redacted(uri):
    assert "secret" not in parse_uri(uri, "sources").redacted()
    assert parse_uri("camera://0?fps=30").redacted() == "camera://0"
