"""``doctor`` says by which library network streams are received, and what lacks without PyAV."""

from __future__ import annotations

import pytest

from edge.doctor import network_streams
from edge.doctor.network_streams import check_network_streams


@pytest.mark.parametrize(("pyav", "receiver"), [("18.1.0", "PyAV 18.1.0"), ("", "the FFmpeg in OpenCV 5.0.0")])
def test_each_kind_has_a_line(monkeypatch: pytest.MonkeyPatch, pyav: str, receiver: str) -> None:
    monkeypatch.setattr(network_streams, "_version", lambda name: pyav if name == "av" else "5.0.0")
    checks = {check.name: check for check in check_network_streams()}
    assert receiver in checks["rtsp://, rtsps://, udp://"].text
    assert "MJPEG" in checks["http://, https://"].text
    assert checks["srt://"].mark == "absent"
    assert ("PyAV" in checks) == (not pyav)
    assert pyav or "live" in checks["PyAV"].hint
    assert {check.exit_code for check in checks.values()} == {0}


def test_it_asks_what_is_installed() -> None:
    assert any("OpenCV" in check.text for check in check_network_streams())
