"""OpenCV's video decoder, tried in a child process with an interlaced clip: does it give pictures, and tell if not?"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from edge.doctor.check import ok, wrong
from edge.process.install import pip_install

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.doctor.check import Check

GROUP = "video"
NAME = "interlaced clips"
PROBE = "edge.sources.interlaced_probe"
PATIENCE_S = 30.0
"""For a child on a slow machine to start and to decode two frames."""
_WELL = {
    "converted": "decoded, both fields woven into one picture",
    "refused": "refused frame by frame, since this OpenCV cannot convert them; all others are decoded",
}


def check_video() -> Iterator[Check]:
    """Yield what comes of an interlaced clip of two frames."""
    outcome = _probe_in_child()
    if outcome in _WELL:
        yield ok(GROUP, NAME, _WELL[outcome])
        return
    hint = f"install another version: {pip_install('opencv-python-headless>=4.11')}"
    if outcome == "blind":
        yield wrong(GROUP, NAME, "OpenCV does not tell which frames it could not decode: video is refused", hint)
    else:
        yield wrong(GROUP, NAME, "the decoder crashes or does not answer", hint)


def _probe_in_child() -> str:
    """Get the outcome as the child prints it; empty if it hung or died."""
    safe = ["-P"] if sys.version_info >= (3, 11) else []  # the working directory is no place to import from
    command = [sys.executable, *safe, "-m", PROBE]
    try:
        child = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    except (subprocess.TimeoutExpired, OSError):
        return ""
    return child.stdout.strip() if child.returncode == 0 else ""
