"""BMP files of Windows and OS/2, decoded with numpy: OpenCV misreads run lengths, OS/2 palettes and odd bit fields."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.contracts.errors import SourceError
from edge.images.bmp_run_lengths import decode_run_lengths

if TYPE_CHECKING:
    from numpy.typing import NDArray

RGB, RLE8, RLE4, BIT_FIELDS, ALPHA_BIT_FIELDS = 0, 1, 2, 3, 6
"""Compression methods that are read."""
_CORE = 12
"""Size of the header of OS/2 1.x: 16-bit sizes, palette entries of three bytes."""
_MASKS = {16: (0x7C00, 0x3E0, 0x1F), 24: (0xFF0000, 0xFF00, 0xFF), 32: (0xFF0000, 0xFF00, 0xFF)}
"""Bits of red, green and blue where the file names none."""
_HINT = "convert it to PNG"


@dataclass(frozen=True, slots=True)
class BmpInfo:
    """Header of a BMP file."""

    width: int
    height: int
    bits: int
    """Bits of a pixel: 1, 2, 4, 8, 16, 24 or 32."""
    compression: int
    """One of the methods above."""
    start: int
    """Where the pixels begin in the file."""
    top_down: bool
    masks: tuple[int, int, int]
    """Bits of red, green and blue in a pixel of more than 8."""
    alpha: bool
    """Whether the header names bits for opacity. They are left out."""
    palette: tuple[int, int, int]
    """Start, number of entries and bytes of an entry; of blue, green, red."""

    @property
    def stride(self) -> int:
        """Bytes of an uncompressed row."""
        return (self.width * self.bits + 31) // 32 * 4


def read_bmp_header(data: bytes) -> BmpInfo:
    """Read the header, and check that an uncompressed file holds all its rows.

    Raises:
        SourceError: a kind of BMP that is not read, or cut short.
        struct.error: the file ends within its header.
    """
    start, size = struct.unpack("<LL", data[10:18])
    compression = used = 0
    if size == _CORE:
        width, height, _, bits = struct.unpack("<HHHH", data[18:26])
    else:
        width, height, _, bits = struct.unpack("<llHH", data[18:30])
        if size >= 40 or size == 16:
            compression, used = (0, 0) if size == 16 else struct.unpack("<L12xL", data[30:50])
    fields = compression in (BIT_FIELDS, ALPHA_BIT_FIELDS)
    if size not in (_CORE, 16, 40, 52, 56, 64, 108, 124) or (size == 64 and fields):
        raise SourceError("a BMP of a kind that is not read", hint=_HINT)
    allowed = {
        RGB: (1, 2, 4, 8, 16, 24, 32),
        RLE8: (8,),
        RLE4: (4,),
        BIT_FIELDS: (16, 24, 32),
        ALPHA_BIT_FIELDS: (16, 32),
    }
    if bits not in allowed.get(compression, ()):
        raise SourceError(f"a BMP of {bits} bits with compression {compression} is not read", hint=_HINT)
    if width <= 0 or height == 0:
        raise SourceError("a BMP without pixels", hint="copy or export it again")
    masks = struct.unpack("<LLL", data[54:66]) if fields else _MASKS.get(bits, (0, 0, 0))
    alpha = fields and (size >= 56 or compression == ALPHA_BIT_FIELDS) and struct.unpack("<L", data[66:70])[0] != 0
    at = 14 + size + (0 if size > 40 or not fields else 16 if compression == ALPHA_BIT_FIELDS else 12)
    entry = 3 if size == _CORE else 4
    colours = min(used or 1 << bits, 1 << bits, max(0, start - at) // entry) if bits <= 8 else 0
    info = BmpInfo(
        *(width, abs(height), bits, compression, start),
        top_down=height < 0, masks=masks, alpha=alpha, palette=(at, colours, entry),
    )  # fmt: skip
    if start > len(data) or (compression not in (RLE8, RLE4) and start + info.stride * info.height > len(data)):
        raise SourceError("the file is broken or cut short", hint="copy or export it again")
    return info


def decode_bmp(data: bytes, info: BmpInfo) -> NDArray[np.uint8]:
    """Decode a BMP file to grey or RGB.

    Returns:
        (H, W) grey, if its palette has no colour, or (H, W, 3) RGB, uint8.

    Raises:
        SourceError: broken or cut short.
    """
    if info.compression in (RLE8, RLE4):
        rows = decode_run_lengths(data[info.start :], info.width, info.height, info.bits)
    else:
        raw = np.frombuffer(data, np.uint8, info.stride * info.height, info.start)
        rows = raw.reshape(info.height, info.stride)
    if not info.top_down:
        rows = rows[::-1]
    if info.bits <= 8:
        return _through_palette(rows if info.compression else _indices(rows, info), data, info)
    if info.bits in (24, 32) and info.masks == _MASKS[32]:
        pixels = rows[:, : info.width * info.bits // 8].reshape(info.height, info.width, info.bits // 8)
        return np.ascontiguousarray(pixels[:, :, 2::-1])
    return _by_masks(rows, info)


def _indices(rows: NDArray[np.uint8], info: BmpInfo) -> NDArray[np.uint8]:
    """Palette indices (H, W) of packed rows: the first pixel is in the highest bits."""
    if info.bits == 8:
        return rows[:, : info.width]
    per_byte = 8 // info.bits
    shifts = np.arange(per_byte - 1, -1, -1, dtype=np.uint8) * np.uint8(info.bits)
    split = (rows[:, :, None] >> shifts) & np.uint8((1 << info.bits) - 1)
    return np.asarray(split.reshape(info.height, -1)[:, : info.width])


def _through_palette(indices: NDArray[np.uint8], data: bytes, info: BmpInfo) -> NDArray[np.uint8]:
    at, count, entry = info.palette
    table = np.zeros((256, 3), np.uint8)  # an index beyond the palette is black
    raw = np.frombuffer(data, np.uint8, count * entry, at).reshape(count, entry)
    table[:count] = raw[:, 2::-1]
    grey = bool((table[:, :1] == table).all())
    if grey and np.array_equal(table[:, 0], np.arange(256)):
        return np.ascontiguousarray(indices)
    return np.asarray((table[:, 0] if grey else table)[indices])


def _by_masks(rows: NDArray[np.uint8], info: BmpInfo) -> NDArray[np.uint8]:
    """RGB (H, W, 3) of pixels whose bits the header assigns; each channel is spread over 0 to 255."""
    size = info.bits // 8
    if size == 3:
        raise SourceError("a BMP of 24 bits with bit fields is not read", hint=_HINT)
    values = np.ascontiguousarray(rows[:, : info.width * size]).view(f"<u{size}")
    picture = np.empty((info.height, info.width, 3), np.uint8)
    for channel, mask in enumerate(info.masks):
        low = (mask & -mask).bit_length() - 1
        top = mask >> max(low, 0)
        if not mask or top & (top + 1) or mask >> info.bits:
            raise SourceError("a BMP whose bit fields are broken", hint="copy or export it again")
        for row, target in zip(values, picture, strict=True):  # row by row: what lies between is eight times as large
            share = ((row & mask) >> low).astype(np.uint64)
            target[:, channel] = (share * 510 + top) // (2 * top)
    return picture
