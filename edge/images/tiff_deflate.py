"""Checks the checksums of deflated TIFF strips and tiles, which libtiff does not look at.

A strip whose bytes changed may still inflate to as many samples as it should, and to wrong ones (RFC 1950, ADLER32).
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from edge.contracts.errors import SourceError
from edge.images.tiff import COMPRESSION, STRIP_SIZES, STRIPS, TILE_SIZES, TILES, TiffReader

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEFLATE = (8, 32946)
"""Compressions: Adobe's, and the one of libtiff before."""
_FILL_ORDER = 266
_PIECE = 1 << 16
"""Bytes that are given to zlib at once."""
_INFLATED = 1 << 18
"""Bytes that it gives at once; they are not kept."""


def check_deflated(data: bytes | bytearray, directory: int) -> None:
    """Inflate all strips or tiles of one page, if they are deflated, to see whether their checksums fit.

    Args:
        data: the bytes of a TIFF file.
        directory: position of the page's directory.

    Raises:
        SourceError: one is damaged.
    """
    reader = TiffReader(data)
    entries, _ = reader.directory(directory)
    if reader.first(entries, COMPRESSION, 1) not in _DEFLATE or reader.first(entries, _FILL_ORDER, 1) != 1:
        return
    for start, size in _places(reader, entries):
        if not _is_sound(memoryview(data)[start : start + size]):
            raise SourceError("damaged picture (a checksum differs)", hint="copy or export it again")


def _places(reader: TiffReader, entries: Mapping[int, tuple[int, int, int]]) -> list[tuple[int, int]]:
    """Position and size in bytes of each strip or tile."""
    tiled = TILES in entries
    starts = reader.values(entries, TILES if tiled else STRIPS)
    sizes = reader.values(entries, TILE_SIZES if tiled else STRIP_SIZES)
    return list(zip(starts, sizes, strict=False))


def _is_sound(strip: memoryview) -> bool:
    """Whether a deflated strip inflates without an error; one that ends early is libtiff's to judge."""
    inflater = zlib.decompressobj()
    try:
        for at in range(0, len(strip), _PIECE):
            rest: bytes | memoryview = strip[at : at + _PIECE]
            while rest and not inflater.eof:
                inflater.decompress(rest, _INFLATED)
                rest = inflater.unconsumed_tail
    except zlib.error:
        return False
    return True
