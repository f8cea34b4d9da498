"""camera:// above the kernel: no signal, damage, drops, refusals and replugs, with a device that does as it is told."""

from __future__ import annotations

import errno

import cv2
import numpy as np
import pytest
from scripted_camera import CAPTURES, GONE, IDLE, ScriptedCamera

from edge.config.settings import StreamSettings
from edge.config.uri import parse_uri
from edge.contracts.errors import SourceError, UsageError
from edge.sources.live.camera import CameraReader, CameraSource
from edge.sources.live.reader import FrameDamagedError, LiveOptions
from edge.sources.live.v4l2.device import SignalTimings, VideoInput
from edge.sources.live.v4l2.modes import CameraMode

HDMI = "camera://0?input=1"


def picture(level):
    return bytes([level]) * 8


@pytest.fixture
def use(monkeypatch):
    """A reader of a scripted camera; buffers are taken one at a time, as they are on a machine that keeps up."""
    made = []

    def make(camera, uri="camera://0"):
        monkeypatch.setattr("edge.sources.live.camera.find_camera", lambda wanted: f"/dev/video{wanted}")
        monkeypatch.setattr("edge.sources.live.camera.VideoDevice", camera)
        monkeypatch.setattr("edge.sources.live.camera.BufferQueue", camera.queue_of)
        made.append(CameraReader(parse_uri(uri, "sources"), LiveOptions()))
        return made[-1]

    yield make
    for reader in made:
        reader.close()


def apart(*steps):
    """Steps with nothing between them: each picture is the newest when it is looked for."""
    return [part for step in steps for part in (step, IDLE)]


def levels(reader, count):
    return [int(reader.read().pixels[0, 0]) for _ in range(count)]


def test_what_the_device_gives_stands_in_the_info(use):
    info = use(ScriptedCamera(apart(picture(1)))).open()
    assert (info.width, info.height, info.fps, info.format, info.decoder) == (4, 2, 30.0, "grey", "")
    assert info.details == {
        "camera": "HD Webcam", "driver": "vivid", "time stamps": "kernel, end of frame", "input": "0 (Camera 1)",
    }  # fmt: skip


def test_pictures_that_are_there_already_give_way_to_the_newest_and_are_counted(use):
    camera = ScriptedCamera([picture(1), IDLE, picture(2), picture(3), picture(4), IDLE, picture(5), IDLE])
    reader = use(camera)
    reader.open()
    frames = [reader.read() for _ in range(3)]
    assert [(int(frame.pixels[0, 0]), frame.left_out) for frame in frames] == [(1, 0), (4, 2), (5, 0)]
    assert camera.given_back == 5


def test_frames_that_the_driver_dropped_are_counted_also_across_damage(use):
    steps = apart(picture(1), (picture(2), {"dropped": 3}), (picture(3), {"dropped": 1, "broken": True}), picture(4))
    reader = use(ScriptedCamera(steps))
    reader.open()
    assert [reader.read().left_out for _ in range(2)] == [0, 3]
    with pytest.raises(FrameDamagedError, match="says that this picture is damaged"):
        reader.read()
    assert reader.read().left_out == 1


def test_a_signal_that_is_lost_while_pictures_come_ends_the_stream_before_any_of_it(use):
    """The driver gives pictures without a signal: none that was filled after it was lost is passed on."""
    camera = ScriptedCamera()

    def pull():
        camera.all_inputs[1] = VideoInput(1, "HDMI 0", 0x2, 2)

    camera.script = apart(picture(1), picture(2), pull, picture(66), picture(66))
    reader = use(camera, HDMI)
    reader.open()
    assert levels(reader, 2) == [1, 2]
    with pytest.raises(SourceError, match=r"no signal at input 1 \(HDMI 0\)") as error:
        reader.read()
    assert (error.value.reason, "cable" in error.value.hint) == ("source_lost", True)
    with pytest.raises(SourceError, match="no signal"):
        reader.open()
    camera.all_inputs[1] = VideoInput(1, "HDMI 0", 0, 2)
    camera.script = apart(picture(3))
    reader.open()
    assert levels(reader, 1) == [3]


@pytest.mark.parametrize(
    ("status", "signal", "said"),
    [
        (0x1, None, "no power"),
        (0x2, None, "no signal"),
        (0x100, None, "no lock"),
        (0x10000, None, "no lock"),
        (0, errno.ENOLINK, "no signal"),
        (0, errno.ENOLCK, "no lock on the signal"),
        (0, errno.ERANGE, "outside of what the device can receive"),
    ],
)
def test_every_way_to_have_no_signal_is_told_at_the_opening(use, status, signal, said):
    camera = ScriptedCamera(apart(picture(1)))
    camera.all_inputs[1] = VideoInput(1, "HDMI 0", status, 2)
    camera.signal = camera.signal if signal is None else signal
    with pytest.raises(SourceError, match=said) as error:
        use(camera, HDMI).open()
    assert error.value.reason == "source_lost"


def test_timings_that_go_or_change_are_noticed_though_the_status_is_good(use, monkeypatch):
    monkeypatch.setattr("edge.sources.live.camera.TIMINGS_S", 0.0)
    for signal, said in [
        (errno.ENOLINK, "no signal"),
        (SignalTimings(8, 4, False, 60.0, ()), "the signal changed from 4 x 2 to 8 x 4 pixels"),
    ]:
        camera = ScriptedCamera()
        camera.script = apart(picture(1), lambda c=camera, s=signal: setattr(c, "signal", s), picture(2))
        reader = use(camera, HDMI)
        assert reader.open().fps == 60.0
        assert levels(reader, 1) == [1]
        with pytest.raises(SourceError, match=said):
            reader.read()


def test_a_digital_signal_gives_the_size_and_no_other_mode_is_asked_for(use):
    camera = ScriptedCamera(modes=[CameraMode("GREY", (1000, 1000), 30.0)])
    camera.signal = SignalTimings(6, 2, False, 59.94, ())
    camera.script = apart(bytes(12))
    info = use(camera, HDMI).open()
    assert (info.width, info.height, info.fps) == (6, 2, 59.94)


def test_an_input_whose_driver_knows_no_timings_is_still_read(use):
    camera = ScriptedCamera(apart(picture(7)))
    camera.signal = errno.ENOTTY
    reader = use(camera, HDMI)
    reader.open()
    assert levels(reader, 1) == [7]


def test_a_usb_camera_is_not_asked_for_a_signal_that_it_cannot_tell(use):
    camera = ScriptedCamera(apart(*map(picture, range(6))), driver="uvcvideo")
    reader = use(camera)
    reader.open()
    asked = camera.asked_for_signal
    levels(reader, 6)
    assert camera.asked_for_signal == asked


@pytest.mark.parametrize(
    ("number", "said"),
    [(GONE, "is gone"), (errno.EIO, "the camera failed"), (errno.EPROTO, "driver refuses: Protocol error")],
)
def test_a_camera_that_goes_is_lost_and_closed_so_that_its_number_is_free(use, number, said):
    camera = ScriptedCamera([*apart(picture(1)), number])
    reader = use(camera)
    reader.open()
    levels(reader, 1)
    with pytest.raises(SourceError, match=said) as error:
        reader.read()
    assert error.value.reason == "source_lost"
    reader.close()
    assert camera.closed == camera.opened == 1


@pytest.mark.parametrize(
    ("place", "number", "said", "hint"),
    [
        ("open", errno.EACCES, "no permission", "usermod -aG video"),
        ("open", errno.ENODEV, "is gone", "plug"),
        ("open", errno.EBUSY, "in use by another program", "end that program"),
        ("set_layout", errno.EBUSY, "in use by another program", "end that program"),
        ("start", errno.EBUSY, "in use by another program", "end that program"),
        ("start", errno.ENOSPC, "USB bus has no room", "format=mjpeg"),
        ("start", errno.EIO, "the camera failed", "cable"),
        ("set_timings", errno.EBUSY, "in use", "end that"),
    ],
)
def test_what_the_kernel_refuses_is_an_error_with_what_to_do(use, place, number, said, hint):
    camera = ScriptedCamera(apart(picture(1)))
    camera.fails[place] = number
    reader = use(camera, HDMI)
    with pytest.raises(SourceError, match=said) as error:
        reader.open()
    assert hint in error.value.hint
    reader.close()
    assert camera.opened == camera.closed
    reader.open()


def test_a_device_without_pictures_is_refused_by_name(use):
    with pytest.raises(SourceError, match="HD Webcam gives no pictures"):
        use(ScriptedCamera(flags=0x04000000)).open()
    with pytest.raises(SourceError, match="several planes") as error:
        use(ScriptedCamera(flags=0x04001000)).open()
    assert "gst://" in error.value.hint
    with pytest.raises(SourceError, match="gives only H264, which is not read here"):
        use(ScriptedCamera(modes=[CameraMode("H264", (640, 480), 30.0)])).open()


def test_a_size_that_the_driver_gives_instead_of_the_one_asked_for_is_refused(use):
    modes = [CameraMode("YUYV", (640, 480), 30.0)]
    camera = ScriptedCamera(apart(picture(1)), modes=modes)
    camera.gives = ("YUYV", (320, 240))
    with pytest.raises(SourceError, match="gives YUYV 320 x 240 when asked for YUYV 640 x 480") as error:
        use(camera, "camera://0?size=640x480").open()
    assert "calibration" in error.value.hint
    camera.gives = ("H264", (640, 480))
    with pytest.raises(SourceError, match="gives H264"):
        use(camera).open()
    camera.gives, camera.script = ("YUYV", (320, 240)), apart(bytes(320 * 240 * 2))
    assert use(camera).open().width == 320  # nothing was asked for: what it gives is told


def test_a_signal_that_the_device_cannot_receive_is_named(use):
    camera = ScriptedCamera(apart(picture(1)))
    camera.signal, camera.fails = SignalTimings(1920, 1080, True, 30.0, ()), {"set_timings": errno.EINVAL}
    with pytest.raises(SourceError, match="cannot receive the interlaced signal of 1920 x 1080 pixels") as error:
        use(camera, HDMI).open()
    assert "1080p60" in error.value.hint


@pytest.mark.parametrize("field", [2, 3, 5, 6, 7])
def test_fields_that_come_apart_are_no_pictures(use, field):
    camera = ScriptedCamera(apart(picture(1)))
    camera.field = field
    with pytest.raises(SourceError, match="fields of an interlaced signal apart") as error:
        use(camera).open()
    assert "progressive" in error.value.hint
    camera.field = 4  # woven into whole pictures
    assert use(camera).open().details["field order"] == "interlaced"


def test_no_picture_after_the_start_is_an_error(use, monkeypatch):
    monkeypatch.setattr("edge.sources.live.camera.FIRST_PICTURE_S", 0.05)
    with pytest.raises(SourceError, match="gives no picture within"):
        use(ScriptedCamera()).open()


def test_pictures_that_are_not_whole_cost_themselves_alone(use):
    noise = np.random.default_rng(1).integers(80, 100, (48, 64, 3), np.uint8)
    _, data = cv2.imencode(".jpg", noise, [cv2.IMWRITE_JPEG_QUALITY, 100])
    jpeg = data.tobytes()
    modes = [CameraMode("MJPG", (64, 48), 30.0)]
    reader = use(ScriptedCamera(apart(jpeg, jpeg[: len(jpeg) // 2], b"", jpeg + bytes(500)), modes=modes))
    info = reader.open()
    assert (info.format, info.decoder) == ("mjpg", "OpenCV")
    assert reader.read().pixels.shape == (48, 64, 3)
    for said in ("the camera gave", "should be a JPEG"):
        with pytest.raises(FrameDamagedError, match=said):
            reader.read()
    assert abs(reader.read().pixels.mean() - 90) < 3


def test_wishes_reach_the_driver(use):
    modes = [CameraMode("YUYV", (4, 2), fps) for fps in (5.0, 25.0, 30.0, 60.0)]
    for uri, fps in [("camera://0", 30.0), ("camera://0?fps=60", 60.0), ("camera://0?fps=5", 5.0)]:
        camera = ScriptedCamera(apart(bytes(16)), modes=modes)
        assert use(camera, uri).open().fps == camera.rate == fps
    with pytest.raises(SourceError, match="has no mode 7/s") as error:
        use(ScriptedCamera(modes=modes), "camera://0?fps=7").open()
    assert "4x2 at 60/s; format=yuyv" in error.value.hint
    with pytest.raises(SourceError, match="has no input 4") as error:
        use(ScriptedCamera(), "camera://0?input=4").open()
    assert "0 (Camera 1), 1 (HDMI 0)" in error.value.hint


def test_a_camera_of_no_name_is_refused():
    for uri in ("camera://", "camera://?fps=30"):
        with pytest.raises(UsageError, match="names no camera"):
            CameraSource(parse_uri(uri, "sources"), StreamSettings(name="cart", source=uri))
    assert CAPTURES
