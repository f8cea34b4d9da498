"""camera:// on a real kernel video device: the vivid driver, whose controls pull cables and break pictures.

Run by ``make kernel-camera``, in a virtual machine; on a machine with ``modprobe vivid`` and root, as they are.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from kernel_camera.vivid_controls import (
    BLACK,
    BREAK_PICTURE,
    BREAK_STREAM,
    BREAK_STREAMON,
    DROPPED_PERCENT,
    FULL_RANGE,
    NO_SIGNAL,
    OTHER_SIGNAL,
    QUANTISATION,
    SELECTED_SIGNAL,
    SMALL_SIGNAL,
    TEST_PATTERN,
    TEXT,
    TIMINGS,
    TIMINGS_SIGNAL,
    UNPLUG,
    USUAL_RANGE,
    WHITE,
    select_input,
    set_control,
)

from edge.config.settings import StreamSettings
from edge.config.uri import parse_uri
from edge.contracts.errors import SourceError
from edge.contracts.frames import Frame, SourceEvent
from edge.contracts.results import Reason
from edge.doctor.camera_probe import probe_camera
from edge.sources.live.camera import CameraReader, CameraSource
from edge.sources.live.reader import FrameDamagedError, LiveOptions
from edge.sources.live.v4l2.find_camera import find_camera

NODE = Path("/sys/class/video4linux/video0/name")
pytestmark = [
    pytest.mark.opt_in,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        not NODE.exists() or not NODE.read_text().startswith("vivid"), reason="no vivid device: make kernel-camera"
    ),
]
UNBIND, BIND = (Path("/sys/bus/platform/drivers/vivid") / name for name in ("unbind", "bind"))
LIVE = "camera://0?input=0&size=320x180&fps=30"
HDMI = "camera://0?input=3"


@pytest.fixture(autouse=True)
def _device_in_order(monkeypatch):
    monkeypatch.setattr("edge.sources.live.source.START_S", 120.0)  # each instruction is computed: Python starts slowly
    node = find_camera("vivid-000-vid-cap")
    for control in (DROPPED_PERCENT, TEXT, QUANTISATION, TEST_PATTERN):
        set_control(control, 0, node)
    select_input(3, node)
    set_control(TIMINGS, SMALL_SIGNAL, node)
    set_control(TIMINGS_SIGNAL, SELECTED_SIGNAL, node)
    select_input(0, node)


@pytest.fixture(scope="session")
def note():
    """Writes a figure down for whoever started the machine."""

    def write(name, value):
        print(f"{name}: {value}")
        if folder := os.environ.get("KERNEL_CAMERA_OUT"):
            with (Path(folder) / "figures.jsonl").open("a") as file:
                file.write(json.dumps({"name": name, "value": value}) + "\n")

    return write


def reader(uri):
    return CameraReader(parse_uri(uri, "sources"), LiveOptions())


@pytest.fixture
def source():
    made = []

    def make(uri):
        made.append(CameraSource(parse_uri(uri, "sources"), StreamSettings(name="cart", source=uri)))
        made[-1].open()
        return made[-1]

    yield make
    for one in made:
        one.close()


def next_event(one, limit_s=10.0):
    """The next event of a source, the frames before it, and when it was told."""
    frames, deadline = [], time.monotonic() + limit_s
    while time.monotonic() < deadline:
        item = one.read(0.5)
        if isinstance(item, Frame):
            frames.append(item)
        elif isinstance(item, SourceEvent):
            return item, frames, time.monotonic_ns()
    raise AssertionError("no event came")


def test_the_largest_mode_of_25_a_second_is_taken_and_told(source):
    one = source("camera://0?input=0")
    assert (one.info.width, one.info.height, one.info.fps, one.info.format) == (640, 480, 25.0, "yuyv")
    assert one.info.details["time stamps"] == "kernel, end of frame"
    assert one.info.details["input"] == "0 (Webcam 0)"
    assert one.read(5.0).pixels.shape == (480, 640, 3)


@pytest.mark.parametrize("name", ["yuyv", "uyvy", "nv12", "yuv420", "rgb", "grey"])
def test_every_format_gives_the_same_picture(name):
    """Bars of colour, in order: white, yellow, cyan, green, magenta, red, blue, black."""
    one = reader(f"{LIVE}&format={name}")
    set_control(TEXT, 2)
    one.open()
    try:
        frames = [one.read() for _ in range(6)]  # the first may have the text still
    finally:
        one.close()
    row = frames[-1].pixels[90].astype(int)
    bars = [row[20 + 40 * n] for n in range(8)]
    expected = [(1, 1, 1), (1, 1, 0), (0, 1, 1), (0, 1, 0), (1, 0, 1), (1, 0, 0), (0, 0, 1), (0, 0, 0)]
    for bar, colour in zip(bars, expected, strict=True):
        if name != "grey":
            assert [int(value > 100) for value in bar] == list(colour), (name, bars)
    if name == "grey":
        assert bars == sorted(bars, reverse=True), bars


@pytest.mark.parametrize("name", ["yuyv", "nv12"])
def test_the_range_of_brightness_changes_no_colour(name):
    set_control(TEXT, 2)
    seen = []
    for value in (USUAL_RANGE, FULL_RANGE):
        set_control(QUANTISATION, value)
        one = reader(f"{LIVE}&format={name}")
        one.open()
        try:
            assert one._setup.layout.is_full_range == (value == FULL_RANGE)
            seen.append([one.read().pixels for _ in range(4)][-1][90, 20::40].astype(int))
        finally:
            one.close()
    assert np.abs(seen[0] - seen[1]).max() <= 6, seen


def test_a_picture_is_captured_when_it_changed(note):
    """A flash: what a picture shows is known to the moment; its time is held against it."""
    one = reader(LIVE)
    set_control(TEXT, 2)
    one.open()
    first_new, last_old = [], []
    try:
        for turn in range(12):
            pattern = WHITE if turn % 2 else BLACK
            for _ in range(5):
                before = one.read()
            changed_ns = set_control(TEST_PATTERN, pattern)
            after = before
            while (after.pixels.mean() > 128) != bool(turn % 2) and turn:
                before, after = after, one.read()
            if turn:
                first_new.append((after.captured_ns - changed_ns) / 1e6)
                last_old.append((before.captured_ns - changed_ns) / 1e6)
    finally:
        one.close()
    note("first picture after a flash, captured ms after it", [round(value, 1) for value in first_new])
    note("last picture before it", [round(value, 1) for value in last_old])
    period_ms = 1000 / 30
    assert all(-period_ms < value < 3 * period_ms for value in first_new)
    assert all(value < period_ms for value in last_old)


def test_dropped_buffers_are_counted(note):
    set_control(DROPPED_PERCENT, 40)
    one = reader(LIVE)
    one.open()
    try:
        first = one._first.sequence
        frames = [one.read() for _ in range(40)]
        last = one._sequence
    finally:
        one.close()
    missed = sum(frame.left_out for frame in frames)
    note("of so many frames dropped by the driver were counted", [last - first + 1 - 40, missed])
    assert missed == last - first + 1 - 40
    assert missed > 0
    assert np.all(np.diff([frame.captured_ns for frame in frames]) > 0)


def test_broken_pictures_are_told_and_never_judged(note):
    one = reader(LIVE)
    one.open()
    told = 0
    try:
        for _ in range(10):
            set_control(BREAK_PICTURE)
            for _ in range(6):
                told += is_damaged(one)
    finally:
        one.close()
    note("pictures marked as broken that were told, of 10", told)
    assert told >= 8  # one whose buffer was left out as old is counted as missed
    note("broken pictures that OpenCV hands on as good, of 10", opencv_hands_on())


def is_damaged(one):
    """Whether the next picture of a reader is told to be damaged."""
    try:
        one.read()
    except FrameDamagedError as error:
        return "says that this picture is damaged" in error.detail
    return False


def opencv_hands_on():
    """How many of ten broken pictures OpenCV gives as good: reads go on, and the driver's frames have no gap."""
    import cv2

    capture = cv2.VideoCapture("/dev/video0", cv2.CAP_V4L2)
    capture.set(cv2.CAP_PROP_FPS, 5)  # slow, so that a gap is one
    handed_on = 0
    for _ in range(10):
        assert capture.read()[0]
        before = capture.get(cv2.CAP_PROP_POS_MSEC)
        set_control(BREAK_PICTURE)
        times = []
        for _ in range(3):
            assert capture.read()[0]
            times.append(capture.get(cv2.CAP_PROP_POS_MSEC))
        period = 1000 / capture.get(cv2.CAP_PROP_FPS)
        handed_on += bool(np.all(np.diff([before, *times]) < 1.6 * period))
    capture.release()
    return handed_on


def test_unplugged_is_told_within_600_ms_and_plugged_in_again_it_is_found(source, note):
    told_ms = []
    for _ in range(5):
        one = source("camera://vivid-000-vid-cap?input=0&size=320x180")
        assert isinstance(one.read(5.0), Frame)
        at_ns = set_control(UNPLUG)
        event, _, now_ns = next_event(one)
        told_ms.append(round((now_ns - at_ns) / 1e6, 1))
        assert (event.kind, event.reason) == ("lost", Reason.SOURCE_LOST)
        assert "the camera is gone" in event.detail
        one.open()
        assert isinstance(one.read(5.0), Frame)
        one.close()
    note("unplug told after, ms", told_ms)
    assert max(told_ms) < 600


def test_plugged_in_again_as_another_number_it_is_found_by_name(source, note):
    one = source("camera://vivid-000-vid-cap?input=0&size=320x180")
    assert isinstance(one.read(5.0), Frame)
    before = find_camera("vivid-000-vid-cap")
    holder = os.open(before, os.O_RDWR)  # as long as anybody has the old one open, its number is taken
    UNBIND.write_text("vivid.0")
    event, _, _ = next_event(one)
    assert event.kind == "lost"
    with pytest.raises(SourceError, match="no camera is called"):
        one.open()
    BIND.write_text("vivid.0")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            one.open()
            break
        except SourceError:
            time.sleep(0.05)
    assert isinstance(one.read(5.0), Frame)
    after = find_camera("vivid-000-vid-cap")
    note("node before and after", [before, after])
    assert after != before
    one.close()
    UNBIND.write_text("vivid.0")
    os.close(holder)
    BIND.write_text("vivid.0")


def test_no_signal_is_told_and_no_picture_of_it_passes(source, note):
    told_ms, after = [], []
    for _ in range(5):
        one = source(HDMI)
        assert isinstance(one.read(5.0), Frame)
        at_ns = set_control(TIMINGS_SIGNAL, NO_SIGNAL)
        event, frames, now_ns = next_event(one)
        told_ms.append(round((now_ns - at_ns) / 1e6, 1))
        assert (event.kind, event.reason) == ("lost", Reason.SOURCE_LOST)
        assert "no signal at input 3 (HDMI 0)" in event.detail
        after += [frame for frame in frames if frame.captured_ns > at_ns]
        with pytest.raises(SourceError, match="no signal at input 3"):
            one.open()
        set_control(TIMINGS_SIGNAL, SELECTED_SIGNAL)
        one.open()
        assert isinstance(one.read(5.0), Frame)
        one.close()
    note("no signal told after, ms", told_ms)
    note("pictures captured without a signal that were passed on", len(after))
    assert max(told_ms) < 1000
    assert not after


def test_another_signal_ends_the_stream_and_opens_with_its_size(source):
    one = source(HDMI)
    size = (one.info.width, one.info.height)
    set_control(TIMINGS, OTHER_SIGNAL)
    event, _, _ = next_event(one)
    assert f"the signal changed from {size[0]} x {size[1]}" in event.detail
    one.open()
    assert (one.info.width, one.info.height) != size
    assert one.read(5.0).pixels.shape[:2] == (one.info.height, one.info.width)


def test_a_stream_that_fails_is_lost_and_can_be_opened_again(source):
    one = source(LIVE)
    assert isinstance(one.read(5.0), Frame)
    set_control(BREAK_STREAM)
    event, _, _ = next_event(one)
    assert (event.kind, event.detail.partition(";")[0]) == ("lost", "the camera failed")
    one.open()
    assert isinstance(one.read(5.0), Frame)


def test_a_driver_that_refuses_to_start_is_an_error_and_the_next_try_works(source):
    set_control(BREAK_STREAMON)
    with pytest.raises(SourceError):
        source(LIVE)
    assert isinstance(source(LIVE).read(5.0), Frame)


def test_a_camera_in_use_is_said_to_be(source):
    source(LIVE)
    with pytest.raises(SourceError, match="in use by another program"):
        source(LIVE)
    assert "in use" in probe_camera("cameras", "vivid", "/dev/video0").text


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_killed_or_hung_process_is_told_within_a_second(source, note, number):
    one = source(LIVE)
    assert isinstance(one.read(5.0), Frame)
    at_ns = time.monotonic_ns()
    os.kill(one.pid, number)
    event, _, now_ns = next_event(one)
    note(f"{number.name} told after, ms", round((now_ns - at_ns) / 1e6, 1))
    assert event.kind == "lost"
    one.open()
    assert isinstance(one.read(5.0), Frame)


def test_who_reads_late_gets_the_newest_picture(source, note):
    one = source(LIVE)
    one.read(5.0)
    time.sleep(0.4)
    frame = one.read(5.0)
    age_ms = (time.monotonic_ns() - frame.captured_ns) / 1e6
    note("age of the next picture after 0.4 s of not reading, ms", round(age_ms, 1))
    assert age_ms < 400


def test_doctor_proves_the_camera(note):
    check = probe_camera("cameras", "vivid", "/dev/video0")
    note("doctor", check.text)
    assert check.mark == "ok"
    assert "yuyv 640 x 480 at 25/s; measured" in check.text
    assert "times of kernel, end of frame" in check.text


def test_plain_paths_and_wishes_that_cannot_be_met(source):
    one = source("/dev/video0")
    assert isinstance(one.read(5.0), Frame)
    one.close()
    for uri, message in [
        ("camera://0?size=641x360", "has no mode 641x360"),
        ("camera://0?format=mjpeg", "has no mode mjpeg"),
        ("camera://0?input=9", "has no input 9"),
        ("camera://7", "there is no /dev/video7"),
        ("camera://1", "gives no pictures"),
    ]:
        with pytest.raises(SourceError, match=message) as error:
            reader(uri).open()
        assert error.value.hint


def test_threads_and_descriptors_do_not_grow(note):
    one = reader(LIVE)
    counts = []
    for _ in range(20):
        one.open()
        one.read()
        one.close()
        counts.append((len(os.listdir("/proc/self/fd")), threading.active_count()))
    assert len(set(counts[5:])) == 1
    note("descriptors after 20 openings", counts[-1][0])
    assert subprocess.run(["true"], check=False).returncode == 0
