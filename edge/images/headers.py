"""Headers of PNG, JPEG, BMP and TIFF files, read without decoding: picture size, and whether the file is complete.

Decoders cannot be asked either: to learn the size they decode, and of a file cut short some give what they have.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Literal

from edge.contracts.errors import SourceError
from edge.images.jpeg import read_jpeg_header

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
"""File name suffixes of the formats that are read here, in lower case."""


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """Header of one picture of an image file: format and size in pixels."""

    kind: Literal["png", "jpeg", "bmp", "tiff"]
    width: int
    height: int
    grey: bool = False
    """True: PNG without colour; its decoder makes colour of it where there is transparency."""
    directory: int = 0
    """TIFF: position of this page's directory in the file, in bytes."""


def read_image_headers(data: bytes) -> list[ImageInfo]:
    """Read the headers of the pictures in an image file: one, or in a TIFF one for each page.

    Raises:
        SourceError: ``data`` is none of PNG, JPEG, BMP, TIFF, or cut short, or broken.
    """
    try:
        if data[:8] == b"\x89PNG\r\n\x1a\n":
            return [_png(data)]
        if data[:2] == b"\xff\xd8":
            return [_jpeg(data)]
        if data[:2] == b"BM":
            return [_bmp(data)]
        if data[:4] in (b"II*\0", b"MM\0*"):
            return _tiff(data)
    except (struct.error, IndexError):
        raise _cut_short() from None
    raise SourceError("empty file" if not data else "none of PNG, JPEG, BMP and TIFF", hint="convert it to PNG")


def _png(data: bytes) -> ImageInfo:
    """Check that every chunk that matters has its checksum, and that the last one is there: W3C PNG 5."""
    width, height, _, colour = struct.unpack(">LLBB", data[16:26])
    view, at = memoryview(data), 8
    while True:
        length, name = struct.unpack(">L4s", data[at : at + 8])
        (checksum,) = struct.unpack(">L", data[at + 8 + length : at + 12 + length])
        if name[:1].isupper() and zlib.crc32(view[at + 4 : at + 8 + length]) != checksum:
            raise SourceError("broken PNG: a checksum differs", hint="copy or export the file again")
        if name == b"IEND":
            return ImageInfo("png", width, height, grey=colour in (0, 4))
        at += 12 + length


def _jpeg(data: bytes) -> ImageInfo:
    info = read_jpeg_header(data)
    if info is None or not info.complete:
        raise _cut_short()
    return ImageInfo("jpeg", info.width, info.height)


def _bmp(data: bytes) -> ImageInfo:
    """Check that an uncompressed BMP holds all its rows; the decoder notices where compressed ones end."""
    (start,) = struct.unpack("<L", data[10:14])
    (header,) = struct.unpack("<L", data[14:18])
    if header == 12:
        width, height, _, bits = struct.unpack("<HHHH", data[18:26])
        compression = 0
    else:
        width, height, _, bits, compression = struct.unpack("<llHHL", data[18:34])
    height = abs(height)  # negative: rows from the top
    if compression in (0, 3) and start + (width * bits + 31) // 32 * 4 * height > len(data):
        raise _cut_short()
    return ImageInfo("bmp", width, height)


def _tiff(data: bytes) -> list[ImageInfo]:
    """Check that the directories, and the strips or tiles that they name, lie within the file: TIFF 6.0, section 2."""
    order = "<" if data[:1] == b"I" else ">"
    pages: list[ImageInfo] = []
    (at,) = struct.unpack(f"{order}L", data[4:8])
    while at and len(pages) < 10_000:
        (count,) = struct.unpack(f"{order}H", data[at : at + 2])
        entries = (data[at + 2 + 12 * i : at + 14 + 12 * i] for i in range(count))
        fields = {struct.unpack(f"{order}H", entry[:2])[0]: entry for entry in entries}
        width, height = (_numbers(data, fields.get(tag), order)[0] for tag in (256, 257))
        for offsets, counts in ((273, 279), (324, 325)):  # strips, tiles
            starts, sizes = (_numbers(data, fields.get(tag), order) for tag in (offsets, counts))
            if any(start + size > len(data) for start, size in zip(starts, sizes, strict=False)):
                raise _cut_short()
        pages.append(ImageInfo("tiff", width, height, directory=at))
        (at,) = struct.unpack(f"{order}L", data[at + 2 + 12 * count : at + 6 + 12 * count])
    return pages


def tiff_page(data: bytes, info: ImageInfo) -> bytes:
    """Return the TIFF file with the page ``info`` as its first, which is the one that decoders give."""
    return data[:4] + struct.pack("<L" if data[:1] == b"I" else ">L", info.directory) + data[8:]


def _numbers(data: bytes, entry: bytes | None, order: str) -> tuple[int, ...]:
    """The values of one directory entry of type SHORT or LONG; none if it is absent."""
    if entry is None:
        return ()
    kind, count = struct.unpack(f"{order}HL", entry[2:8])
    code, size = {3: ("H", 2), 4: ("L", 4)}.get(kind, ("", 0))
    if not code or count > len(data) // size:
        raise _cut_short()
    at = struct.unpack(f"{order}L", entry[8:12])[0] if count * size > 4 else None
    raw = entry[8:] if at is None else data[at : at + count * size]
    return struct.unpack(f"{order}{count}{code}", raw[: count * size])


def _cut_short() -> SourceError:
    return SourceError("the file is broken or cut short", hint="copy or export it again")
