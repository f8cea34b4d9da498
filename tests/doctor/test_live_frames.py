"""What doctor says of cameras and live streams: proven by frames, or why there are none."""

from __future__ import annotations

import pytest
from igtl_sender import IgtlServer, image

from edge.config.settings import Settings, StreamSettings
from edge.config.uri import Uri
from edge.contracts.errors import SourceError
from edge.device.cameras_and_accelerators import DeviceNode
from edge.doctor import devices
from edge.doctor.camera_probe import probe_camera
from edge.doctor.sources import check_sources
from edge.sources.live.synthetic import SyntheticSource

NODE = "/dev/video0"


@pytest.fixture
def camera(monkeypatch):
    """A camera whose frames are made here, with one fault."""

    def make(query):
        def source(_uri, stream):
            return SyntheticSource(Uri("synthetic", params=dict(query)), stream)

        monkeypatch.setattr("edge.doctor.camera_probe.CameraSource", source)
        return probe_camera("cameras", "HD Webcam", NODE)

    return make


def test_a_camera_is_proven_by_its_frames(camera):
    check = camera({"fps": "50"})
    assert check.mark == "ok"
    assert check.text.startswith(f"{NODE}: synthetic 160 x 120 at 50/s; measured ")


@pytest.mark.parametrize(
    ("fault", "said"),
    [("refused", "is refused"), ("crash", "died"), ("hang", "no picture came"), ("lost", "is lost")],
)
@pytest.mark.slow
def test_a_camera_that_gives_none_is_a_warning_with_its_reason(camera, fault, said):
    check = camera({"fault": fault, "at": "0", "first_frame_s": "0.5"})
    assert check.mark == "warning"
    assert said in check.text
    assert check.hint


def test_a_camera_that_the_daemon_uses_is_no_fault(camera, monkeypatch):
    def in_use(self):
        raise SourceError("the camera is in use by another program", hint="end it")

    monkeypatch.setattr(SyntheticSource, "open", in_use)
    check = camera({})
    assert (check.mark, "in use by another program" in check.text) == ("ok", True)


def test_only_cameras_that_we_may_open_are_opened(monkeypatch):
    found = [DeviceNode(kind="camera", name=name, path=NODE, usable=name == "mine") for name in ("mine", "theirs")]
    monkeypatch.setattr(devices, "cameras", lambda root: found)
    monkeypatch.setattr("edge.doctor.camera_probe.probe_camera", lambda *args: devices.ok(*args))
    checks = [check for check in devices.check_devices() if check.group == "cameras"]
    assert [(check.name, check.mark) for check in checks] == [("mine", "ok"), ("theirs", "warning")]


@pytest.mark.slow
def test_a_live_stream_of_the_settings_is_described():
    server = IgtlServer([image(number) for number in range(2000)], pause_s=0.01)
    try:
        uri = f"igtl://127.0.0.1:{server.port}?device=Image"
        (check,) = check_sources(Settings(streams=[StreamSettings(name="cart", source=uri)]))
    finally:
        server.close()
    assert check.mark == "ok"
    assert check.text.startswith("gives frames of 64 x 48 (grey); measured ")
    assert check.text.endswith("times of the sender's")
