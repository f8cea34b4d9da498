"""Choice of a camera's mode, the camera's node, capture times and pixel formats: all without a device."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from machine_file_trees import write_files

from edge.config.uri import parse_uri
from edge.contracts.errors import SourceError, UsageError
from edge.sources.live.camera_setup import CameraRequest, name_modes
from edge.sources.live.v4l2.buffers import AT_START, CLOCK_MONOTONIC, FilledBuffer
from edge.sources.live.v4l2.device import CaptureLayout
from edge.sources.live.v4l2.find_camera import find_camera, names_of
from edge.sources.live.v4l2.kernel_clock import AHEAD_NS, OLDEST_NS, KernelClock
from edge.sources.live.v4l2.modes import FORMAT_NAMES, READABLE, CameraMode, ModeWishes, choose_mode
from edge.sources.live.v4l2.pixels import WrongPictureError, to_pixels

if TYPE_CHECKING:
    from pathlib import Path

WEBCAM = [
    CameraMode("YUYV", (640, 480), 30), CameraMode("YUYV", (1280, 720), 10), CameraMode("YUYV", (1920, 1080), 5),
    CameraMode("MJPG", (640, 480), 30), CameraMode("MJPG", (1280, 720), 30), CameraMode("MJPG", (1280, 720), 60),
    CameraMode("MJPG", (1920, 1080), 30), CameraMode("MJPG", (2592, 1944), 15), CameraMode("H264", (3840, 2160), 30),
]  # fmt: skip
MODES = st.builds(
    CameraMode,
    st.sampled_from([*READABLE, "H264", "Y10 "]),
    st.tuples(st.sampled_from([320, 640, 1920]), st.sampled_from([240, 1080])),
    st.sampled_from([0.0, 2.0, 15.0, 24.0, 25.0, 29.97, 30.0, 60.0, 120.0]),
)


@pytest.mark.parametrize(
    ("wishes", "mode"),
    [
        (ModeWishes(), CameraMode("MJPG", (1920, 1080), 30)),  # the largest at 25/s or more
        (ModeWishes(size=(640, 480)), CameraMode("YUYV", (640, 480), 30)),  # uncompressed, all else being equal
        (ModeWishes(size=(640, 480), format="mjpeg"), CameraMode("MJPG", (640, 480), 30)),
        (ModeWishes(size=(1280, 720)), CameraMode("MJPG", (1280, 720), 30)),
        (ModeWishes(size=(1280, 720), fps=60), CameraMode("MJPG", (1280, 720), 60)),
        (ModeWishes(format="yuyv"), CameraMode("YUYV", (640, 480), 30)),
        (ModeWishes(fps=5), CameraMode("YUYV", (1920, 1080), 5)),
        (ModeWishes(fps=15), CameraMode("MJPG", (2592, 1944), 15)),
        (ModeWishes(size=(2592, 1944)), CameraMode("MJPG", (2592, 1944), 15)),
        (ModeWishes(size=(3840, 2160)), None),  # H.264 is not read
        (ModeWishes(fps=29), None),
    ],
)
def test_the_mode_of_a_usual_webcam(wishes, mode):
    assert choose_mode(WEBCAM, wishes) == mode
    assert choose_mode(WEBCAM[::-1], wishes) == mode


def test_a_slow_camera_gives_its_fastest_mode():
    slow = [CameraMode("YUYV", (1920, 1080), 5), CameraMode("YUYV", (640, 480), 15), CameraMode("YUYV", (800, 600), 15)]
    assert choose_mode(slow, ModeWishes()) == slow[2]


@given(st.lists(MODES, max_size=12), st.builds(
    ModeWishes, st.sampled_from([None, (640, 240)]), st.sampled_from([None, 25.0, 30.0]),
    st.sampled_from([None, *FORMAT_NAMES])))  # fmt: skip
def test_whatever_a_device_lists_the_mode_is_one_of_it_and_as_asked_for(modes, wishes):
    mode = choose_mode(modes, wishes)
    fitting = [one for one in modes if wishes.allows(one)]
    assert (mode is None) == (not fitting)
    if mode is None:
        return
    assert mode in fitting
    assert mode.pixel_format in READABLE
    smooth = [one for one in fitting if one.fps >= 25]
    if smooth and wishes.fps is None:
        largest = max(one.size[0] * one.size[1] for one in smooth)
        assert mode.fps >= 24.4
        assert mode.size[0] * mode.size[1] >= largest


def test_the_modes_that_an_error_names_are_few_and_the_largest():
    assert name_modes(WEBCAM[:7]) == "1920x1080 at 30/s, 1280x720 at 60/s, 640x480 at 30/s; format=mjpeg or yuyv"


@pytest.mark.parametrize(
    "query", ["size=0x480", "size=640", "size=axb", "fps=0", "fps=nan", "fps=x", "format=h264", "input=-1", "input=a"]
)
def test_wishes_that_are_none_are_refused(query):
    with pytest.raises(UsageError):
        CameraRequest.of(parse_uri(f"camera://0?{query}", "sources"))


# --- finding the node ------------------------------------------------------------------------------------------------


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    files = {}
    for number, (name, index) in enumerate([("HD Webcam", 0), ("HD Webcam", 1), ("Grabber 4K", 0), ("Grabber 4K", 0)]):
        files |= {f"dev/video{number}": "", f"sys/class/video4linux/video{number}/name": f"{name}\n"}
        files |= {f"sys/class/video4linux/video{number}/index": f"{index}\n"}
    write_files(tmp_path, files)
    by_id, paths = ("by-id", "usb-ACME_Cam_123-video-index0", 0), ["pci-0000:00:14.0-usb-1", "pci-0000:00:14.0-usb-2"]
    for folder, name, number in [by_id, ("by-path", paths[0], 2), ("by-path", paths[1], 3)]:
        (tmp_path / "dev/v4l" / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / "dev/v4l" / folder / name).symlink_to(f"../../video{number}")
    return tmp_path


@pytest.mark.parametrize(
    ("wanted", "node"),
    [
        ("0", "/dev/video0"),
        ("02", "/dev/video2"),
        ("/dev/video3", "/dev/video3"),
        ("/dev/v4l/by-id/usb-ACME_Cam_123-video-index0", "/dev/video0"),
        ("usb-ACME_Cam_123-video-index0", "/dev/video0"),
        ("acme_cam", "/dev/video0"),
        ("hd webcam", "/dev/video0"),  # its second node gives no pictures
        ("pci-0000:00:14.0-usb-2", "/dev/video3"),
    ],
)
def test_a_camera_is_found_by_number_path_and_name(machine, wanted, node):
    assert find_camera(wanted, machine) == node
    assert find_camera(parse_uri(f"camera://{wanted}?fps=30", "sources").file, machine) == node


def test_a_camera_that_came_back_under_another_number_is_found_by_its_names(machine):
    link = machine / "dev/v4l/by-id/usb-ACME_Cam_123-video-index0"
    link.unlink()
    (machine / "dev/video0").unlink()
    with pytest.raises(SourceError, match="no camera is called 'acme_cam'"):
        find_camera("acme_cam", machine)
    with pytest.raises(SourceError, match="there is no /dev/video0") as error:
        find_camera("0", machine)
    assert error.value.reason == "source_lost"
    write_files(machine, {"dev/video9": "", "sys/class/video4linux/video9/name": "HD Webcam"})
    link.symlink_to("../../video9")
    assert find_camera("acme_cam", machine) == find_camera("hd web", machine) == "/dev/video9"
    assert names_of("/dev/video9", machine) == ("HD Webcam", link.name)


def test_a_name_that_two_cameras_have_is_refused_with_both(machine):
    with pytest.raises(SourceError, match=r"2 cameras answer to 'Grabber': /dev/video2, /dev/video3") as error:
        find_camera("Grabber", machine)
    assert "by-path" in error.value.hint


# --- whose time ------------------------------------------------------------------------------------------------------

START = 5_000_000_000_000


def a_buffer(stamp_ns, flags=CLOCK_MONOTONIC, *, waited=True):
    return FilledBuffer(0, memoryview(b""), 0, stamp_ns, flags, waited)


def test_the_kernels_time_counts_and_is_never_in_the_future():
    clock = KernelClock(START)
    assert clock.captured_ns(a_buffer(START + 10), START + 30) == START + 10
    assert clock.source == "kernel, end of frame"
    assert clock.captured_ns(a_buffer(START + 40 + AHEAD_NS, CLOCK_MONOTONIC | AT_START), START + 41) == START + 41
    assert clock.source == "kernel, start of exposure"
    assert clock.untrue == 0


@pytest.mark.parametrize(
    ("stamp_ns", "flags", "why"),
    [
        (START + 10, 0, "not of the monotonic clock"),
        (START + 10, 0x4000, "not of the monotonic clock"),
        (1_790_000_000_000_000_000, CLOCK_MONOTONIC, "cannot be true"),  # the date's clock, told as monotonic
        (0, CLOCK_MONOTONIC, "cannot be true"),
        (START - OLDEST_NS - 1, CLOCK_MONOTONIC, "cannot be true"),
    ],
)
def test_a_time_that_cannot_be_true_is_not_believed_and_said(stamp_ns, flags, why):
    clock = KernelClock(START)
    assert clock.captured_ns(a_buffer(stamp_ns, flags), START + 30) == START + 30
    assert why in clock.source
    assert clock.source.startswith("arrival (")
    assert clock.untrue == 1


def test_a_clock_that_stands_still_is_not_believed():
    clock = KernelClock(START)
    assert clock.captured_ns(a_buffer(START + 10), START + 30) == START + 10
    assert clock.captured_ns(a_buffer(START + 10), START + 60) == START + 60
    assert "do not rise" in clock.source


def test_without_a_clock_what_lay_there_is_as_old_as_it_may_be():
    clock = KernelClock(START)
    clock.captured_ns(a_buffer(0, 0), START + 30)
    assert clock.captured_ns(a_buffer(0, 0, waited=False), START + 90) == START + 30


@given(st.lists(st.tuples(st.integers(0, 2 << 33), st.integers(1, 1 << 31), st.booleans()), min_size=1, max_size=20))
def test_no_capture_is_after_its_taking_or_long_before_the_last(steps):
    clock, now_ns, before_ns = KernelClock(START), START, START
    for stamp, step, waited in steps:
        now_ns += step
        made = clock.captured_ns(a_buffer(START - (1 << 33) + stamp, waited=waited), now_ns)
        assert before_ns - OLDEST_NS <= made <= now_ns
        before_ns = now_ns


# --- pixels ----------------------------------------------------------------------------------------------------------


def a_layout(code, width, height, line_bytes=0, quantisation=0):
    return CaptureLayout(width, height, code, 1, line_bytes, 0, 0, quantisation)


def padded(rows, line_bytes):
    """Lines of bytes with rubbish behind each."""
    return b"".join(row.tobytes().ljust(line_bytes, b"\xaa") for row in rows)


@given(
    st.integers(1, 12), st.integers(1, 12), st.integers(0, 5),
    st.sampled_from(["RGB3", "BGR3", "GREY", "XR24", "BX24"]),
)  # fmt: skip
def test_rgb_and_grey_come_out_as_they_are_with_any_padding(width, height, padding, code):
    picture = np.random.default_rng(width * 100 + height).integers(0, 256, (height, width, 3), np.uint8)
    blank = np.zeros((height, width, 1), np.uint8)
    stored = {"RGB3": picture, "BGR3": picture[:, :, ::-1], "GREY": picture[:, :, :1],
              "XR24": np.concatenate((picture[:, :, ::-1], blank), axis=2),
              "BX24": np.concatenate((blank, picture), axis=2)}[code]  # fmt: skip
    line = width * stored.shape[2] + padding
    data = padded(np.ascontiguousarray(stored).reshape(height, -1), line)
    made = to_pixels(memoryview(data), a_layout(code, width, height, line))
    assert np.array_equal(made, picture[:, :, 0] if code == "GREY" else picture)
    assert made.flags.owndata or made.base is None or not np.shares_memory(made, np.frombuffer(data, np.uint8))
    needed = line * (height - 1) + width * stored.shape[2]
    with pytest.raises(WrongPictureError, match="bytes of a picture"):
        to_pixels(memoryview(data)[: needed - 1], a_layout(code, width, height, line))


@given(
    st.sampled_from(["YUYV", "UYVY", "YVYU", "NV12", "NV21", "YU12", "YV12"]), st.integers(0, 3).map(lambda n: 8 * n)
)
def test_every_yuv_format_gives_the_same_picture(code, padding):
    width, height = 16, 8
    luma = np.tile(np.linspace(16, 235, width).astype(np.uint8), (height, 1))
    u, v = 90, 180
    data, line = stored_as(code, luma, u, v, padding)
    made = to_pixels(memoryview(data), a_layout(code, width, height, line)).astype(int)
    reference = np.full((height // 2, width // 2), u, np.uint8), np.full((height // 2, width // 2), v, np.uint8)
    planes = np.concatenate([luma.ravel(), reference[0].ravel(), reference[1].ravel()]).reshape(height * 3 // 2, width)
    assert np.abs(made - cv2.cvtColor(planes, cv2.COLOR_YUV2RGB_I420)).max() <= 2
    with pytest.raises(WrongPictureError, match="bytes of a picture"):
        to_pixels(memoryview(data)[: len(data) // 2], a_layout(code, width, height, line))


@pytest.mark.parametrize("padding", [0, 8])
@pytest.mark.parametrize("code", ["YUYV", "UYVY", "YVYU", "NV12", "NV21", "YU12", "YV12"])
def test_brightness_from_0_to_255_is_kept_where_the_driver_says_so(code, padding):
    """Taken for 16 to 235 it would be clipped: the darkest and the brightest 8 % of a picture, speckle included."""
    luma = np.tile(np.arange(0, 256, 5, np.uint8), (8, 1))
    data, line = stored_as(code, luma, 128, 128, padding)
    made = to_pixels(memoryview(data), a_layout(code, luma.shape[1], 8, line, quantisation=1))
    assert np.array_equal(made, np.dstack((luma, luma, luma)))
    usual = to_pixels(memoryview(data), a_layout(code, luma.shape[1], 8, line, quantisation=2))
    assert len(np.unique(usual)) < len(np.unique(luma))
    data, line = stored_as(code, np.full((8, 16), 76, np.uint8), 85, 255, padding)  # red, as JPEG has it
    red = to_pixels(memoryview(data), a_layout(code, 16, 8, line, quantisation=1)).astype(int)
    assert np.abs(red - [254, 0, 0]).max() <= 2


@pytest.mark.parametrize(
    ("colours", "quantisation", "full"), [(7, 0, True), (7, 2, False), (8, 0, False), (3, 0, False), (8, 1, True)]
)
def test_the_range_is_as_the_driver_says_or_as_is_usual(colours, quantisation, full):
    assert CaptureLayout(4, 2, "YUYV", 1, 8, 16, colours, quantisation).is_full_range == full


def stored_as(code, luma, u, v, padding):
    """A picture of one colour in one format, and the bytes of its lines."""
    height, width = luma.shape
    if code in ("YUYV", "UYVY", "YVYU"):
        pairs = {"YUYV": (0, 1, u, v), "UYVY": (1, 0, u, v), "YVYU": (0, 1, v, u)}[code]
        packed = np.empty((height, width, 2), np.uint8)
        packed[:, :, pairs[0]] = luma
        packed[:, 0::2, pairs[1]], packed[:, 1::2, pairs[1]] = pairs[2], pairs[3]
        line = 2 * width + padding
        data = padded(packed.reshape(height, -1), line)
    else:
        line = width + padding
        data = padded(luma, line)
        if code in ("NV12", "NV21"):
            both = np.tile(np.array([u, v] if code == "NV12" else [v, u], np.uint8), (height // 2, width // 2))
            data += padded(both, line)
        else:
            for value in (u, v) if code == "YU12" else (v, u):
                data += padded(np.full((height // 2, width // 2), value, np.uint8), line // 2)
    return data, line


def a_jpeg(width=64, height=48):
    y, x = np.mgrid[:height, :width]
    picture = np.dstack((x * 3, y * 4, x + y)).astype(np.uint8)
    done, data = cv2.imencode(".jpg", picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
    assert done
    return picture, data.tobytes()


def test_a_jpeg_is_decoded_as_rgb_with_what_the_driver_leaves_behind_it():
    picture, data = a_jpeg()
    for coded in (data, data + bytes(1000)):
        made = to_pixels(memoryview(coded), a_layout("MJPG", 64, 48))
        assert np.abs(made.astype(int) - picture).mean() < 4


def test_a_jpeg_without_huffman_tables_is_one_as_many_cameras_send_them():
    picture, data = a_jpeg()
    bare = bytearray(data)
    while (at := bare.find(b"\xff\xc4")) >= 0:
        del bare[at : at + 2 + int.from_bytes(bare[at + 2 : at + 4], "big")]
    made = to_pixels(memoryview(bytes(bare)), a_layout("MJPG", 64, 48))
    assert np.abs(made.astype(int) - picture).mean() < 4


@given(st.integers(16, 3000))
def test_half_a_jpeg_is_never_a_picture(cut):
    _, data = a_jpeg(256, 192)
    assume(cut < len(data) - 2)
    with pytest.raises(WrongPictureError):
        to_pixels(memoryview(data[: len(data) - cut]), a_layout("MJPG", 256, 192))


def test_no_jpeg_and_a_jpeg_of_another_size_are_refused(capfd):
    _, data = a_jpeg()
    with pytest.raises(WrongPictureError, match="none"):
        to_pixels(memoryview(b"\0" * 100), a_layout("MJPG", 64, 48))
    with pytest.raises(WrongPictureError, match="64 x 48 pixels instead of 640 x 480"):
        to_pixels(memoryview(data), a_layout("MJPG", 640, 480))
    with pytest.raises(WrongPictureError):
        to_pixels(memoryview(data[:300] + os.urandom(200)), a_layout("MJPG", 64, 48))
    assert capfd.readouterr().err == ""
