"""Takes one page out of a TIFF file, as a file of its own that holds nothing else.

Decoders give the first page, follow the chain of the others, and refuse a page because of those behind it. And of a
cine of hundreds of megabytes nobody wants a copy for each page.
"""

from __future__ import annotations

import struct
from itertools import accumulate
from types import MappingProxyType
from typing import TYPE_CHECKING

from edge.contracts.errors import SourceError
from edge.images.tiff import COMPRESSION, STRIP_SIZES, STRIPS, SUB_FILES, TILE_SIZES, TILES, TiffReader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    _Value = tuple[int, int, bytes]

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 16: 8, 17: 8}
"""Bytes of a value by type, of the types that hold no position in the file."""
_NO_CHANGES: Mapping[int, int | None] = MappingProxyType({})
_ALL = slice(None)
_OLD_JPEG = 6
"""Compression whose tags hold positions of tables in the file."""
_ELSEWHERE = (SUB_FILES, 34665, 34853, 40965)
"""Tags that point to other directories: smaller copies, EXIF, GPS."""


def only_page(
    data: bytes, directory: int, changes: Mapping[int, int | None] = _NO_CHANGES, part: slice = _ALL
) -> bytearray:
    """Return a TIFF file that holds one page of another one, and nothing else.

    Args:
        data: the bytes of that TIFF file.
        directory: position of the page's directory.
        changes: tags that get another number, or are left out (None).
        part: which of its strips or tiles; only with ``changes``.

    Raises:
        struct.error: its directory is not within the file.
        SourceError: it is broken.
    """
    reader = TiffReader(data)
    entries, _ = reader.directory(directory)
    tag, sizes_tag = (TILES, TILE_SIZES) if TILES in entries else (STRIPS, STRIP_SIZES)
    starts, sizes = reader.values(entries, tag), reader.values(entries, sizes_tag)
    plain = reader.first(entries, COMPRESSION, 1) != _OLD_JPEG and not (TILES in entries and STRIPS in entries)
    if not plain or len(starts) != len(sizes) or sum(sizes) > len(data):
        if changes:
            raise SourceError("a TIFF that cannot be decoded", hint="convert it to an 8-bit PNG")
        return _as_first_page(reader, directory)
    starts, sizes = starts[part], sizes[part]
    values = dict(_values(reader, entries)) | {sizes_tag: _positions(reader, sizes)}
    for changed, number in changes.items():
        values.pop(changed, None)
        if number is not None:
            values[changed] = (4, 1, struct.pack(reader.order + "L", number))
    begin = len(_header(reader, values | {tag: _positions(reader, starts)}))
    places = list(accumulate(sizes, initial=begin))
    page = bytearray(places.pop())
    page[:begin] = _header(reader, values | {tag: _positions(reader, places)})
    view = memoryview(data)
    for at, start, size in zip(places, starts, sizes, strict=True):
        page[at : at + size] = view[start : start + size]
    return page


def _values(reader: TiffReader, entries: Mapping[int, tuple[int, int, int]]) -> Iterator[tuple[int, _Value]]:
    """Tag and value of each entry that holds no position in the file, and is all there."""
    for tag, (kind, count, at) in entries.items():
        size = _SIZES.get(kind, 0) * count
        begin = at if size <= reader.place else reader.number(reader.offset, at)
        if size and tag not in _ELSEWHERE and begin + size <= len(reader.data):
            yield tag, (kind, count, bytes(reader.data[begin : begin + size]))


def _positions(reader: TiffReader, places: Sequence[int]) -> _Value:
    return (16 if reader.big else 4), len(places), struct.pack(f"{reader.order}{len(places)}{reader.offset}", *places)


def _header(reader: TiffReader, values: Mapping[int, _Value]) -> bytes:
    """Header and directory of a TIFF file, of the same kind as another one, with the values that it points to."""
    start = 2 * reader.place
    count = struct.pack(reader.order + ("Q" if reader.big else "H"), len(values))
    far_at = start + len(count) + len(values) * (4 + 2 * reader.place) + reader.place
    directory, far = [], []
    for tag, (kind, number, value) in sorted(values.items()):
        if len(value) > reader.place:
            far.append(value + bytes(-len(value) % 8))
            value, far_at = struct.pack(reader.order + reader.offset, far_at), far_at + len(far[-1])
        directory.append(
            struct.pack(f"{reader.order}HH{reader.offset}", tag, kind, number) + value.ljust(reader.place, b"\0")
        )
    head = reader.data[: reader.place] + struct.pack(reader.order + reader.offset, start)
    return b"".join((head, count, *directory, bytes(reader.place), *far))


def _as_first_page(reader: TiffReader, directory: int) -> bytearray:
    """The whole file, with one page as its first and last."""
    count, first, size = reader.entries_at(directory)
    changed = bytearray(reader.data)
    struct.pack_into(reader.order + reader.offset, changed, 8 if reader.big else 4, directory)
    struct.pack_into(reader.order + reader.offset, changed, first + count * size, 0)
    return changed
