"""Settings that load, but contradict each other or will not work on this machine; and masking of passwords."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge.config.consistency import find_contradictions, find_warnings
from edge.config.load import load_settings
from edge.config.password_mask import mask_passwords
from edge.config.settings import CalibrationSettings, RuntimeSettings, Settings, SinkSettings, StreamSettings

if TYPE_CHECKING:
    from pathlib import Path

    from edge.contracts.region import Box


def test_files_that_are_not_there_and_settings_without_effect(tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.write_text("x")
    sinks = [
        SinkSettings(uri="mqtts://h", username="u", password_file=str(here), ca_file=str(tmp_path / "no")),
        SinkSettings(uri="mqtt://h", ca_file=str(here), password_file=str(here)),
        SinkSettings(uri="mqtt://u@h", password_file=str(here)),
    ]
    said = [(fault.path, fault.message) for fault in find_warnings(Settings(sinks=sinks, model=str(tmp_path)))]
    assert said == [
        (("sinks", 0, "ca_file"), f"sinks[0].ca_file: there is no file {tmp_path / 'no'}"),
        (("sinks", 1, "ca_file"), "sinks[1].ca_file has no effect on mqtt://, which is not encrypted"),
        (("sinks", 1, "password_file"), "sinks[1].password_file has no effect without a username"),
        (("model",), f"model: there is no file {tmp_path}"),
    ]


def test_a_version_of_mqtt_that_cannot_say_what_is_refused_is_noted() -> None:
    sinks = [
        SinkSettings(uri="mqtts://h", protocol="3.1.1"),
        SinkSettings(uri="mqtt://h", protocol="5"),
        SinkSettings(uri="jsonl:///a", protocol="3.1.1"),
    ]
    (fault,) = find_warnings(Settings(sinks=sinks))
    assert fault.path == ("sinks", 0, "protocol")
    assert "cannot say what its access list refuses" in fault.message


@pytest.mark.parametrize("box", [(-1, 0, 10, 10), (0, -1, 10, 10), (0, 0, 0, 10), (0, 0, 10, -5)])
def test_a_calibration_box_that_is_no_part_of_a_picture(box: Box) -> None:
    def faults(box: Box) -> list[tuple[str | int, ...]]:
        calibration = CalibrationSettings(box=box, mm_x=0.1, mm_y=0.1)
        stream = StreamSettings(name="a", source="phantom://", calibration=calibration)
        return [fault.path for fault in find_contradictions(Settings(streams=[stream]))]

    assert faults(box) == [("streams", 0, "calibration", "box")]
    assert faults((0, 0, 1, 1)) == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mqtt://h:1883", "mqtt://h:1883"),
        ("mqtt://u@h:1883/a@b", "mqtt://u@h:1883/a@b"),
        ("mqtt://u:p@h", "mqtt://u:***@h"),
        ("mqtt://u:p@ss:w@h:1", "mqtt://u:***@h:1"),
        ("mqtt://:p@h", "mqtt://:***@h"),
        ("a mqtt://u:p@h b rtsp://x:y@z/", "a mqtt://u:***@h b rtsp://x:***@z/"),
        ("http://h/?a=1&TOKEN=abc&b=2", "http://h/?a=1&TOKEN=***&b=2"),
        ("images:///a:b/c@d", "images:///a:b/c@d"),
        ("rtsp://u:p/a@h/b@c", "rtsp://u:***@c"),
        ("rtsp://u:p@h/b@c", "rtsp://u:***@h/b@c"),
        ("http://h:80/b@c http://[::1]:80/b@c", "http://h:80/b@c http://[::1]:80/b@c"),
        ("srt://h:1?passphrase=abc&latency=1", "srt://h:1?passphrase=***&latency=1"),
        ("rtsp://h/user=me_password=abc_channel=1.sdp", "rtsp://h/user=me_password=***_channel=1.sdp"),
        ("gst://rtspsrc user-id=me user-pw=abc ! x", "gst://rtspsrc user-id=me user-pw=*** ! x"),
        ("gst://rtspsrc user-pw='a b' ! x", "gst://rtspsrc user-pw=*** ! x"),
        ('password_file = "/etc/x"', 'password_file = "/etc/x"'),
        ("time 12:30 mail me@x", "time 12:30 mail me@x"),
    ],
)
def test_passwords_are_masked_and_nothing_else(text: str, shown: str) -> None:
    assert mask_passwords(text) == shown


def test_a_time_limit_for_frames_that_the_watchdog_would_not_wait_for_is_refused() -> None:
    settings = Settings(runtime=RuntimeSettings(timeout_s=10.0))
    assert [fault.path for fault in find_contradictions(settings)] == [("runtime", "timeout_s")]


def test_a_crop_is_a_part_of_the_picture():
    for box in ([-1, 0, 10, 10], [0, 0, 0, 10]):
        stream = StreamSettings(name="cart", source="camera://0", crop=tuple(box))
        (problem,) = find_contradictions(Settings(streams=[stream]))
        assert problem.path == ("streams", 0, "crop")
        assert problem.message == f"streams[0].crop: expected a part of the picture, got {box}"


def test_frames_without_a_lesion_are_still_read_as_seconds_and_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    path.write_text("[tracking]\ngone_after_frames = 15\nconfirm = { seconds = 0.8 }\n")
    settings = load_settings(path, {"EDGE_TRACKING__CONFIRM__SHARE": "0.9"}, {})
    assert settings.tracking.gone_s == 0.5
    assert (settings.tracking.confirm.seconds, settings.tracking.confirm.share) == (0.8, 0.9)
    (warning,) = find_warnings(settings)
    assert "gone_after_frames" in warning.message
    assert "gone_after_s = 0.5" in warning.hint
    assert list(find_warnings(Settings())) == []


@pytest.mark.parametrize("outline", [[(0, 0), (10, 0), (20, 0)], [(5, 5), (5, 5), (5, 5)]])
def test_an_outline_of_the_scan_encloses_something(outline: list[tuple[int, int]]) -> None:
    stream = StreamSettings(name="cart", source="camera://0", scan_outline=outline)
    (problem,) = find_contradictions(Settings(streams=[stream]))
    assert problem.path == ("streams", 0, "scan_outline")
    stream = StreamSettings(name="cart", source="camera://0", scan_outline=[(0, 0), (10, 0), (0, 10)])
    assert not list(find_contradictions(Settings(streams=[stream])))


def test_a_depth_without_a_height_is_warned_of() -> None:
    stream = StreamSettings(name="cart", source="camera://0", depth_mm=40.0, scan_outline=[(0, 0), (10, 0), (0, 10)])
    (problem,) = find_warnings(Settings(streams=[stream]))
    assert problem.path == ("streams", 0, "depth_mm")
