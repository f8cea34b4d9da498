"""Test of this machine's OpenCV with an interlaced clip of two frames: pictures, a told failure, or neither.

OpenCV 4.14 and 5.0 (FFmpeg 8) cannot convert interlaced frames: they return True and whatever lay in their buffer. A
damaged frame comes filled in, with True as well. Both are noticed by FFmpeg's log alone, so it is tried whether the log
arrives: it does not where FFmpeg was used in this process before `edge.sources.ffmpeg_log` was imported.

Run as ``python -m edge.sources.interlaced_probe`` it prints the outcome.
"""

from __future__ import annotations

import functools
import os
import threading
from typing import Literal

import cv2

from edge.contracts.errors import SourceError
from edge.sources.ffmpeg_log import ffmpeg_log

Outcome = Literal["converted", "refused", "blind"]
"""``converted``: the right pictures. ``refused``: none, and FFmpeg's log tells. ``blind``: its log does not arrive."""

GREYS = (200, 64)
"""Brightness of the two frames, everywhere in them."""
_SEQUENCE = "000001b301001013ffffe018 000001b5148200010000"
"""Sequence header and extension: MPEG-2, 16 x 16 pixels, 25 frames/s, not progressive."""
_PICTURE = "00000100000ffff8 000001b58ffff30000"
"""Header and extension of an intra picture that is an interlaced frame."""
_CLIP = bytes.fromhex(
    f"{_SEQUENCE} 000001b800080040 {_PICTURE} 00000101137bca529110 00000102137bca529110"
    f"{_SEQUENCE} 000001b8000800c0 {_PICTURE} 0000010113786a529110 0000010213786a529110"
    f"{_SEQUENCE} 000001b800080140 {_PICTURE} 00000101130000 00000102137bca529110"
)
"""Two frames that are well, and one whose first slice is damaged: that must be told, too."""


@functools.cache
def probe_interlaced() -> Outcome:
    """Decode the interlaced test clip, once in a process. Takes a few milliseconds."""
    with _lock:
        return _probe()


def require_trustworthy_decoder() -> None:
    """Raise `SourceError` if this OpenCV may give frames without their pictures, and nothing tells which."""
    if probe_interlaced() == "blind":
        raise SourceError(
            f"OpenCV {cv2.__version__} does not tell here which frames of a video it could not decode",
            hint="install another opencv-python-headless, on a system with glibc; see edge-cli doctor",
        )


_lock = threading.Lock()


def _probe() -> Outcome:
    log = ffmpeg_log()
    clip = os.memfd_create("interlaced", os.MFD_CLOEXEC)
    try:
        os.write(clip, _CLIP)
        capture = cv2.VideoCapture(f"/proc/self/fd/{clip}", cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        log.update()
        before = log.conversions, log.damages
        greys = []
        for _ in GREYS:
            there, image = capture.read()
            greys.append(float(image.mean()) if there else -1.0)
        log.update()
        conversion_told = log.conversions > before[0]
        capture.read()
        capture.release()
        log.update()
    finally:
        os.close(clip)
    if log.damages == before[1]:
        return "blind"
    if all(abs(grey - expected) < 4 for grey, expected in zip(greys, GREYS, strict=True)):
        return "converted"
    # No frame at all is a refusal, too.
    return "refused" if conversion_told or set(greys) == {-1.0} else "blind"


if __name__ == "__main__":
    print(probe_interlaced())
