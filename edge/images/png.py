"""PNG files (W3C PNG, third edition): chunks checked, and what the decoder must not see left out."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.contracts.errors import SourceError
from edge.images.orientation import exif_orientation
from edge.images.png_text import TEXT_CHUNKS, XMP, text_orientation

if TYPE_CHECKING:
    from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
"""Colour types."""
_DECODED = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
"""Chunks that make the pixels. Colour profiles and gamma do not count here, as in Pillow; text never does."""


@dataclass(frozen=True, slots=True)
class PngInfo:
    """Header of a PNG, and what its other chunks say."""

    width: int
    height: int
    bits: int
    """Bits of a sample."""
    colour: int
    """Colour type, see above."""
    significant: int | None
    """Bits of a sample that count, by the sBIT chunk."""
    colour_key: bool
    """One colour is transparent; the pixels keep it."""
    alpha: bool
    """There is opacity by pixel, or by entry of the palette."""
    pictures: int
    """Pictures of the animation, or 1."""
    orientation: int
    """Orientation, 1 to 8, by EXIF; else by EXIF in a text, else by XMP, as Pillow has it."""
    end: int
    """Position behind its last chunk."""
    plain: bool
    """The decoder may see the file as it is."""


def read_png_header(data: bytes) -> PngInfo:
    """Check that every chunk that matters has its checksum, and that the last one is there.

    Raises:
        SourceError: a checksum differs.
        struct.error: the file is cut short.
    """
    width, height, bits, colour = struct.unpack(">LLBB", data[16:26])
    significant, transparent, pictures, after = None, False, 1, 0
    names = set()
    turned: dict[bytes, int] = {}
    for name, at, end in _chunks(data):
        names.add(name)
        if name == b"sBIT" and end > at:
            significant = max(data[at:end])
        elif name == b"tRNS":
            transparent = True
        elif name == b"acTL" and end - at >= 4:
            pictures = max(1, int.from_bytes(data[at : at + 4], "big"))
        elif name == b"eXIf":
            turned[name] = exif_orientation(data[at:end])
        elif name in TEXT_CHUNKS and (found := text_orientation(name, data[at:end])):
            turned[found[0]] = found[1]
        after = end + 4
    keyed = transparent and colour in (GREY, RGB)
    return PngInfo(
        width=width,
        height=height,
        bits=bits,
        colour=colour,
        significant=significant,
        colour_key=keyed,
        alpha=colour in (GREY_ALPHA, RGB_ALPHA) or (transparent and colour == PALETTE),
        pictures=pictures,
        orientation=_orientation(turned),
        end=after,
        plain=not keyed and not turned and b"acTL" not in names,
    )


def _orientation(turned: dict[bytes, int]) -> int:
    """The orientation that counts, of those by chunk or keyword of a text."""
    order = sorted(turned, key=lambda name: (name in XMP, name != b"eXIf"))
    return next((turned[name] for name in order if turned[name] != 1), 1)


def plain_png(data: bytes, info: PngInfo) -> bytes:
    """Return the PNG with only what makes its first picture.

    What decoders do with a transparent colour, with animations and with EXIF differs from version to version.
    """
    if info.plain:
        return data
    kept = (*_DECODED, b"tRNS") if info.colour == PALETTE else _DECODED
    return SIGNATURE + b"".join(data[at - 8 : end + 4] for name, at, end in _chunks(data) if name in kept)


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of the content of each chunk. Raises `SourceError`, or struct.error at the file's end."""
    view, at = memoryview(data), len(SIGNATURE)
    while True:
        length, name = struct.unpack(">L4s", data[at : at + 8])
        end = at + 8 + length
        (checksum,) = struct.unpack(">L", data[end : end + 4])
        if name[:1].isupper() and zlib.crc32(view[at + 4 : end]) != checksum:
            raise SourceError("broken PNG: a checksum differs", hint="copy or export the file again")
        yield name, at + 8, end
        if name == b"IEND":
            return
        at = end + 4
