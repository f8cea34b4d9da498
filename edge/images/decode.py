"""Decodes JPEG, PNG and other images with OpenCV, and refuses damaged ones.

That an image is damaged, libjpeg and libpng say only on stderr: libjpeg warns, and gives half a picture as a whole.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.contracts.errors import SourceError
from edge.process.stderr_capture import capture_stderr, capture_stderr_shared, print_captured

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import NDArray

_DAMAGE = (
    b"Corrupt JPEG data",
    b"Premature end of JPEG",
    b"Inconsistent progression",
    b"Invalid SOS parameters",
    b"Unknown Adobe color",
    b"Warning: unknown JFIF",
    b"libpng error",
)
"""How lines on stderr begin that tell of damage.

All of libjpeg's warnings: it prints only the first, which may hide a worse one.
"""
_NOISE = (b"libpng warning",)
"""How harmless lines begin: colour profiles and text that libpng does not like. The pixels are right."""
_LOG_WARNINGS, _LOG_DEBUG = 3, 5
"""Levels of OpenCV's log."""
_TIFF_LINES = (b"[ WARN:", b"[ERROR:", b"[ INFO:", b"[DEBUG:", b"OpenCV TIFF:")
"""How its lines begin."""
_TIFF_DAMAGE = (b"TIFF_Error", b"JPEGLib: Corrupt", b"JPEGLib: Premature", b"to avoid buffer overrun", b"Wrong length")
"""What OpenCV's log says of damaged strips and tiles of a TIFF; of tags that it does not know it says other things."""


def decode_with_opencv(data: bytes, flags: int) -> NDArray[Any] | None:
    """Decode an image with ``cv2.imdecode`` and refuse damaged ones. Threads may call it in parallel.

    Args:
        data: a file of a format that OpenCV reads.
        flags: ``cv2.IMREAD_…``.

    Returns:
        (H, W) or (H, W, channels), uint8, uint16 or float32; BGR or BGRA unless ``flags`` ask for RGB. None if it
        cannot be decoded at all.

    Raises:
        SourceError: something was decoded, but not all of it was there or right.
    """
    coded = np.frombuffer(data, np.uint8)
    with capture_stderr_shared(_DAMAGE + _NOISE) as printed:
        picture: NDArray[Any] | None = cv2.imdecode(coded, flags)
    if printed.shared:  # this picture, or one that another thread was at: once more, with nobody else
        with capture_stderr() as printed:
            picture = cv2.imdecode(coded, flags)
    if not printed.data:
        return picture
    lines = printed.data.splitlines(keepends=True)
    if others := [line for line in lines if not line.startswith(_DAMAGE + _NOISE)]:
        print_captured(b"".join(others))
    if damage := next((line for line in lines if line.startswith(_DAMAGE)), None):
        message = damage.decode("ascii", "replace").strip()
        raise SourceError(f"damaged picture ({message})", hint="copy or export it again")
    return picture


def decode_tiff_with_opencv(data: bytes | bytearray, flags: int) -> NDArray[Any] | None:
    """Decode the first page of a TIFF file as `decode_with_opencv`, and refuse it if a strip or tile is damaged.

    Of such a strip libtiff leaves the rest as the memory was, and OpenCV gives the picture: only its log tells.
    """
    coded = np.frombuffer(data, np.uint8)
    get_level, set_level, telling = _log_level()
    with capture_stderr() as printed:  # with nobody else: the level is the whole process'
        level = get_level()
        set_level(telling)
        try:
            picture: NDArray[Any] | None = cv2.imdecode(coded, flags)
        finally:
            set_level(level)
    lines = printed.data.splitlines(keepends=True)
    if others := [line for line in lines if not line.startswith((*_DAMAGE, *_NOISE, *_TIFF_LINES, b"\n"))]:
        print_captured(b"".join(others))
    damage = next((line for line in lines if _tells_tiff_damage(line)), None)
    if picture is not None and damage is not None:
        said = re.split(rb"TIFF_\w+ |: Warning, ", damage, maxsplit=1)[-1].decode("ascii", "replace").strip()
        raise SourceError(f"damaged picture ({said})", hint="copy or export it again")
    return picture


def _tells_tiff_damage(line: bytes) -> bool:
    """Whether a line of OpenCV's log tells of a damaged strip or tile, and not of a tag that libtiff does not know."""
    if line.startswith(_TIFF_LINES[-1]):  # before 4.13 all are called warnings
        return not any(
            word in line for word in (b"TIFFReadDirectory", b"TIFFFetch", b"SetField", b"Unknown", b"Assuming")
        )
    return any(word in line for word in _TIFF_DAMAGE)


def _log_level() -> tuple[Callable[[], int], Callable[[int], int], int]:
    """Functions that get and set the level of OpenCV's log, and the one at which it repeats what libtiff says."""
    if hasattr(cv2, "setLogLevel"):  # before 4.13
        return getattr(cv2, "getLogLevel"), getattr(cv2, "setLogLevel"), _LOG_DEBUG  # noqa: B009
    return cv2.utils.logging.getLogLevel, cv2.utils.logging.setLogLevel, _LOG_WARNINGS
