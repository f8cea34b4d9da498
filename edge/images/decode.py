"""Decodes JPEG, PNG and other images with OpenCV, and refuses damaged ones.

That an image is damaged, libjpeg and libpng say only on stderr: libjpeg warns, and gives half a picture as a whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.contracts.errors import SourceError
from edge.process.stderr_capture import capture_stderr, capture_stderr_shared, print_captured

if TYPE_CHECKING:
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
