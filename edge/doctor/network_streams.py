"""Checks of network streams: which library receives each kind here. None is loaded, and nothing is connected to."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from edge.doctor.check import absent, ok
from edge.process.install import install_command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.doctor.check import Check

GROUP = "streams"
OPENCV = ("opencv-python-headless", "opencv-python", "opencv-contrib-python-headless", "opencv-contrib-python")
"""Distributions that bring cv2."""


def check_network_streams() -> Iterator[Check]:
    """Check which library reads RTSP, MPEG-TS and MJPEG, and say what another one would give."""
    opencv = next((found for name in OPENCV if (found := _version(name))), "")
    pyav = _version("av")
    name = "rtsp://, rtsps://, udp://"
    if pyav:
        yield ok(GROUP, name, f"received by PyAV {pyav}")
    else:
        yield ok(GROUP, name, f"received by the FFmpeg in OpenCV {opencv}, which says less when it fails")
        yield absent(GROUP, "PyAV", "not here: errors with their cause, time limits that hold", install_command("live"))
    yield ok(GROUP, "http://, https://", f"MJPEG, decoded by OpenCV {opencv}")
    yield absent(GROUP, "srt://", "only where the FFmpeg that is installed knows it; that in PyAV's wheels does not")


def _version(distribution: str) -> str:
    """Version of an installed distribution; empty: it is not installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""
