"""Limits of one picture: how large it may be, and what its decoding may cost, told from headers before it is decoded.

A few kilobytes can promise gigabytes, so what counts is what a header promises, not what a file weighs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.contracts.errors import SourceError
from edge.contracts.results import Reason
from edge.images.jpeg import read_jpeg_header

if TYPE_CHECKING:
    from typing import Protocol

    class Sized(Protocol):
        """Protocol of a picture's header: format and size in pixels."""

        @property
        def kind(self) -> str:
            """Format: ``png``, ``jpeg``, ``bmp`` or ``tiff``."""

        @property
        def width(self) -> int:
            """Width of the picture in pixels."""

        @property
        def height(self) -> int:
            """Height of the picture in pixels."""


MAX_PICTURE_PIXELS = 4096 * 3072
"""Largest picture that is read, in pixels. Three of them in colour, as the loop holds, are 113 MB."""
MAX_COST = 192 << 20
"""Most bytes of memory that decoding one picture may take, the picture itself and all that lies between included."""
IN_PROCESS_COST = 64 << 20
"""Most bytes that a decoder may take in this process; what costs more is decoded by the decoder process."""
MAX_COMPRESSED_FRAME = 64 << 20
"""Largest compressed frame in bytes. Uncompressed, the largest picture in 8-bit colour has 36 MB."""
MAX_IN_PROCESS_PNG = 512 << 10
"""Largest PNG file in bytes that is decoded in this process: a thousandfold inflated, it keeps libpng for a second."""
MAX_IN_PROCESS_RUN_LENGTHS = 256 << 10
"""Largest run-length BMP in bytes that is decoded in this process: Python takes half a second for 2 MB of them."""
MAX_SCAN_PIXELS = 32 << 20
"""Most pixels times scans of a JPEG that is decoded in this process: each scan goes through the whole picture."""

_RUN_LENGTHS = (b"\1\0\0\0", b"\2\0\0\0")
"""Compression of a BMP, as its header has it, that is run lengths of 8 or 4 bits."""
_PNG_SAMPLES = {0: 1, 2: 3, 3: 3, 4: 4, 6: 4}
"""Samples of a pixel as OpenCV decodes them, by colour type; grey with transparency becomes colour."""
_BYTES_PER_PIXEL = {"jpeg": 12, "bmp": 10, "tiff": 15}
"""Bytes that decoding takes for a pixel at most, by format; PNG tells its own."""


def check_picture_size(width: int, height: int) -> None:
    """Raise `SourceError` for a picture of more pixels than are read. Call it before it is decoded."""
    if width * height > MAX_PICTURE_PIXELS:
        message = f"expected at most {MAX_PICTURE_PIXELS / 1e6:.1f} million pixels, got {width} x {height}"
        raise SourceError(
            message, hint="export it smaller: the largest that is read is 4096 x 3072", reason=Reason.TOO_LARGE.value
        )


def check_cost(width: int, height: int, bytes_per_pixel: int, what: str) -> None:
    """Raise `SourceError` for a picture whose decoding would take too much memory, told from its header.

    ``what``: names the coding, for the message.
    """
    check_picture_size(width, height)
    if width * height * bytes_per_pixel > MAX_COST:
        largest = MAX_COST / bytes_per_pixel / 1e6
        message = f"expected at most {largest:.1f} million pixels of {what}, got {width} x {height}"
        raise SourceError(message, hint="export it smaller, or in 8-bit colour or grey", reason=Reason.TOO_LARGE.value)


def check_image(head: bytes, info: Sized) -> None:
    """Raise `SourceError` for a picture of an image file that is too large. ``head``: the file's first 64 bytes."""
    what = {"png": "such a PNG", "jpeg": "JPEG", "bmp": "BMP"}.get(info.kind, info.kind.upper())
    check_cost(info.width, info.height, _bytes_per_pixel(head, info), what)


def decodes_in_process(data: bytes, info: Sized) -> bool:
    """Whether a picture of an image file may be decoded in this process, by what its header promises.

    TIFF never: its strips and tiles promise things of their own.
    """
    if info.width * info.height * _bytes_per_pixel(data, info) > IN_PROCESS_COST or info.kind == "tiff":
        return False
    if info.kind == "png":
        return len(data) <= MAX_IN_PROCESS_PNG
    if info.kind == "bmp":
        return data[30:34] not in _RUN_LENGTHS or len(data) <= MAX_IN_PROCESS_RUN_LENGTHS
    return info.kind != "jpeg" or few_scans(data, info.width * info.height)


def few_scans(data: bytes, pixels: int) -> bool:
    """Whether a JPEG has no more scans than its decoder goes through in a moment."""
    info = read_jpeg_header(data)
    return info is not None and info.scans * pixels <= max(MAX_SCAN_PIXELS, pixels)


def _bytes_per_pixel(head: bytes, info: Sized) -> int:
    if info.kind != "png":
        return _BYTES_PER_PIXEL[info.kind]
    samples, deep = _PNG_SAMPLES.get(head[25], 4), head[24] > 8
    decoded = 2 * samples * (2 if deep else 1)  # OpenCV holds the picture twice
    converted = 3 * (3 if deep else 2)
    return decoded + converted
