"""Headers of PNG, JPEG, BMP and TIFF files, read without decoding: the pictures of a file, and whether it is complete.

Decoders cannot be asked either: to learn the size they decode, and of a file cut short some give what they have.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from edge.contracts.errors import SourceError
from edge.images.bmp import read_bmp_header
from edge.images.jpeg import MAX_SEGMENTS, has_companions, has_too_many_segments, read_jpeg_header
from edge.images.png import GREY, GREY_ALPHA, SIGNATURE, read_png_header
from edge.images.tiff import TiffPage, read_tiff

if TYPE_CHECKING:
    from edge.images.bmp import BmpInfo
    from edge.images.png import PngInfo

_NEXT = rb"(?:\xff\xd8\xff[\xc0-\xfe]|\x89PNG\r\n\x1a\n)"
_BEHIND_JPEG = re.compile(rb"\xff\xd9\x00*" + _NEXT)
"""End of a JPEG and the start of another picture behind it."""
_BEHIND_PNG = re.compile(rb"(?:IEND\xaeB`\x82|\xff\xd9)\x00*" + _NEXT)
"""The same behind a PNG, from its last chunk on."""
_BEHIND_BMP = re.compile(rb"\x00*(?:" + _NEXT + rb"|BM.{4}\x00{4}.{4}[\x0c-\x7c]\x00\x00\x00)", re.DOTALL)
"""The same behind a BMP, from the end on that its header names."""


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """Header of one picture of an image file: format, size in pixels, and what its decoder has to know."""

    kind: Literal["png", "jpeg", "bmp", "tiff"]
    width: int
    height: int
    format_info: PngInfo | BmpInfo | TiffPage | None = None
    """The format's own header; None: JPEG."""
    grey: bool = False
    """True: PNG without colour; its decoder makes colour of it where there is transparency."""
    deep: bool = False
    """Samples have more than 8 bits: how many are used has to be found out, for all pictures of a clip together."""
    notes: tuple[str, ...] = ()
    """What is left out of it, in words."""


@dataclass(frozen=True, slots=True)
class ImageFile:
    """Pictures of an image file."""

    pictures: list[ImageInfo | SourceError]
    """In order; an error where one of several cannot be decoded."""
    missing: SourceError | None = None
    """That there are more pictures, or should be, which are not read."""
    notes: tuple[str, ...] = field(default=())
    """What else is left out of it, in words."""


def read_image_file(data: bytes) -> ImageFile:
    """Read the headers of the pictures in an image file: one, or in a TIFF one for each page.

    Raises:
        SourceError: ``data`` is none of PNG, JPEG, BMP, TIFF, or cut short, or broken, or of a kind that is not read.
    """
    try:
        if data[:8] == SIGNATURE:
            return _png(data)
        if data[:2] == b"\xff\xd8":
            return _jpeg(data)
        if data[:2] == b"BM":
            return _bmp(data)
        if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            return _tiff(data)
    except (struct.error, IndexError):
        raise _cut_short() from None
    raise SourceError("empty file" if not data else "none of PNG, JPEG, BMP and TIFF", hint="convert it to PNG")


def read_image_headers(data: bytes) -> list[ImageInfo]:
    """Read the headers of all pictures in an image file. Raises `SourceError` if one of them cannot be read."""
    found = []
    for picture in read_image_file(data).pictures:
        if isinstance(picture, SourceError):
            raise picture
        found.append(picture)
    return found


def _png(data: bytes) -> ImageFile:
    info = read_png_header(data)
    notes = ("one of its colours is transparent: shown as it is",) if info.colour_key else ()
    grey = info.colour in (GREY, GREY_ALPHA)
    picture = ImageInfo("png", info.width, info.height, info, grey=grey, deep=info.bits > 8, notes=notes)
    if info.pictures > 1:
        return ImageFile([picture], _left_out(info.pictures - 1, "an animation"))
    others = len(_BEHIND_PNG.findall(data, info.end - 8))
    return ImageFile([picture], _left_out(others, "one file") if others else None)


def _jpeg(data: bytes) -> ImageFile:
    info = read_jpeg_header(data)
    if info is None or not info.complete:
        if has_too_many_segments(data):
            raise SourceError(f"a JPEG of over {MAX_SEGMENTS} segments is not read", hint="convert it to PNG")
        raise _cut_short()
    if info.bits != 8:
        raise SourceError(f"a JPEG of {info.bits} bits is not read", hint="convert it to PNG")
    others = len(_BEHIND_JPEG.findall(data))
    picture = ImageInfo("jpeg", info.width, info.height)
    if others and has_companions(data):  # as phones write them: the first picture is the one that was taken
        return ImageFile(
            [picture], notes=(f"{_more(others)} behind it left out (another view, a preview or a gain map)",)
        )
    return ImageFile([picture], _left_out(others, "one file") if others else None)


def _bmp(data: bytes) -> ImageFile:
    info = read_bmp_header(data)
    notes = ("its transparency is left out",) if info.alpha else ()
    size = int.from_bytes(data[2:6], "little")  # of the file: some writers leave it 0, then nothing is known
    others = _rest_of_bmps(data, size) if 26 <= size < len(data) else 0
    picture = ImageInfo("bmp", info.width, info.height, info, notes=notes)
    return ImageFile([picture], _left_out(others, "one file") if others else None)


def _rest_of_bmps(data: bytes, at: int) -> int:
    """Number of pictures behind a BMP, from ``at`` on; behind one of another format they are not counted."""
    count = 0
    while found := _BEHIND_BMP.match(data, at):
        count += 1
        start = data.find(b"BM", at, found.end())
        size = int.from_bytes(data[start + 2 : start + 6], "little") if start >= 0 else 0
        if size < 26:
            break
        at = start + size
    return count


def _tiff(data: bytes) -> ImageFile:
    found = read_tiff(data)
    pictures: list[ImageInfo | SourceError] = []
    reduced = 0
    for page in found.pages:
        if isinstance(page, SourceError):
            pictures.append(page)
        elif page.reduced and len(found.pages) > 1:
            reduced += 1
        else:
            notes = (
                ("its transparency is left out",) if page.alpha and page.samples == 2 and not page.grey_alpha else ()
            )
            pictures.append(ImageInfo("tiff", page.width, page.height, page, deep=page.bits > 8, notes=notes))
    left_out = (f"{reduced} smaller copies or masks left out",) if reduced else ()
    if not pictures:
        raise found.problem or _cut_short()
    return ImageFile(pictures, found.problem, (*found.notes, *left_out))


def _left_out(count: int, where: str) -> SourceError:
    return SourceError(
        f"{_more(count)} of {where} left out: only the first is read", hint="export them as single files"
    )


def _more(count: int) -> str:
    return "1 more picture" if count == 1 else f"{count} more pictures"


def _cut_short() -> SourceError:
    return SourceError("the file is broken or cut short", hint="copy or export it again")
