"""TIFF directories (TIFF 6.0 section 2, and BigTIFF): the pages of a file, checked before a decoder sees them."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.contracts.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_PAGES = 10_000
"""Most pages that are read; what lies behind them is told."""
_CODES = {1: "B", 3: "H", 4: "L", 6: "b", 8: "h", 9: "l", 13: "L", 16: "Q", 17: "q", 18: "Q"}
"""Codes of `struct` for the types of integers."""
_AGAIN = "copy or export it again"
_CONVERT = "convert it to an 8-bit PNG"
SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 254, 256, 257, 258, 259, 262
STRIPS, SAMPLES, ROWS_PER_STRIP, STRIP_SIZES, MAX_VALUE, PLANAR = 273, 277, 278, 279, 281, 284
TILE_WIDTH, TILE_HEIGHT, TILES, TILE_SIZES = 322, 323, 324, 325
SUB_FILES, EXTRA, FORMAT, SIGNED_MAX = 330, 338, 339, 341
"""Tags."""
_READ = {0: "min is white", 1: "grey", 2: "RGB", 3: "palette", 5: "CMYK", 6: "YCbCr"}
"""Photometric interpretations that are decoded rightly."""
_OTHERS = {4: "a transparency mask", 8: "CIE Lab", 9: "ICC Lab", 10: "ITU Lab", 32803: "a sensor's colour pattern",
           32844: "logarithmic luminance", 32845: "logarithmic Luv", 34892: "linear raw"}  # fmt: skip
_JPEG = (6, 7)
"""Compressions that know no page of two samples."""
_FORMATS = {2: "signed", 3: "floating point", 5: "complex", 6: "complex"}


@dataclass(frozen=True, slots=True)
class TiffPage:
    """One page of a TIFF file that can be decoded."""

    width: int
    height: int
    directory: int
    """Position of its directory in the file."""
    bits: int
    """Bits of a sample: 1 to 8 are decoded to 8, others to 16."""
    samples: int
    """Samples of a pixel."""
    white_is_zero: bool
    """More than 8 bits whose lowest value is white, which the decoder leaves as it is."""
    depth: int | None
    """Bits of a 16-bit sample that are used, as far as the file says."""
    alpha: bool
    """There is opacity by pixel."""
    grey_alpha: bool
    """Grey and opacity, both of which can be decoded."""
    premultiplied: bool
    """The decoder gives samples that are over black already: it does it to those of 8 bits."""
    reduced: bool
    """A smaller copy of another page, or a mask."""


@dataclass(frozen=True, slots=True)
class TiffFile:
    """Pages of a TIFF file, and what is wrong with the chain of them."""

    pages: list[TiffPage | SourceError]
    """In order; an error where one cannot be decoded."""
    problem: SourceError | None
    """Why there are no more, if some are missing."""
    notes: tuple[str, ...]
    """What else was left out."""


class TiffReader:
    """Numbers of one TIFF file, of either byte order and either size."""

    def __init__(self, data: bytes | bytearray) -> None:
        self.data = data
        self.order = "<" if data[:1] == b"I" else ">"
        self.big = data[2:4] in (b"+\0", b"\0+")
        self.offset, self.place = ("Q", 8) if self.big else ("L", 4)

    def number(self, code: str, at: int) -> int:
        """One integer of `struct`'s type ``code`` at position ``at``; raises `struct.error` beyond the end."""
        if at > len(self.data):
            raise struct.error  # which is what `struct` itself raises just beyond the end
        (value,) = struct.unpack_from(self.order + code, self.data, at)
        return int(value)

    def entries_at(self, at: int) -> tuple[int, int, int]:
        """Number of a directory's entries, position of the first, and bytes of each."""
        return (self.number("Q", at), at + 8, 20) if self.big else (self.number("H", at), at + 2, 12)

    def directory(self, at: int) -> tuple[dict[int, tuple[int, int, int]], int]:
        """Entries by tag (type, count, position of the value or of its offset), and the next directory's position."""
        count, first, size = self.entries_at(at)
        if count > 4096:
            raise _cut_short()
        entries = {}
        for entry in range(first, first + count * size, size):
            tag, kind = struct.unpack_from(self.order + "HH", self.data, entry)
            entries[tag] = (kind, self.number(self.offset, entry + 4), entry + 4 + self.place)
        return entries, self.number(self.offset, first + count * size)

    def values(self, entries: Mapping[int, tuple[int, int, int]], tag: int) -> tuple[int, ...]:
        """Integers of one entry; none if it is absent."""
        if tag not in entries:
            return ()
        kind, count, at = entries[tag]
        code = _CODES.get(kind)
        if code is None or count > len(self.data):
            raise _cut_short()
        size = struct.calcsize(f"={code}") * count
        if size > self.place:
            at = self.number(self.offset, at)
        if at + size > len(self.data):
            raise _cut_short()
        return struct.unpack_from(f"{self.order}{count}{code}", self.data, at)

    def first(self, entries: Mapping[int, tuple[int, int, int]], tag: int, default: int) -> int:
        """First integer of one entry; ``default`` if it is absent."""
        found = self.values(entries, tag)
        return found[0] if found else default


def read_tiff(data: bytes) -> TiffFile:
    """Read the directories of all pages, each once, and check that what they name lies within the file.

    Raises:
        struct.error: the file ends within its header.
    """
    reader = TiffReader(data)
    pages: list[TiffPage | SourceError] = []
    visited: set[int] = set()
    problem, below = None, 0
    at = reader.number(reader.offset, 8 if reader.big else 4)
    notes = []
    while at:
        if at in visited:
            notes.append(f"its last page points back to an earlier one; {len(pages)} are there")
            break
        if len(pages) == MAX_PAGES:
            problem = SourceError(f"more than {MAX_PAGES} pages: the others are left out", hint="split the file")
            break
        visited.add(at)
        try:
            entries, after = reader.directory(at)
        except (struct.error, SourceError):
            problem = SourceError(f"cut short: page {len(pages) + 1} is not there", hint=_AGAIN)
            break
        try:
            below += len(reader.values(entries, SUB_FILES))
            pages.append(_page(reader, entries, at))
        except SourceError as error:
            pages.append(error)
        except struct.error:
            pages.append(_cut_short())
        at = after
    if below:
        notes.append(f"{below} more below its pages (smaller copies or masks) left out")
    return TiffFile(pages, problem, tuple(notes))


def _page(reader: TiffReader, entries: Mapping[int, tuple[int, int, int]], at: int) -> TiffPage:
    width, height = (reader.first(entries, tag, 0) for tag in (WIDTH, HEIGHT))
    if min(width, height) <= 0:
        raise _cut_short()
    samples = reader.first(entries, SAMPLES, 1)
    all_bits = reader.values(entries, BITS) or (1,)
    photometric = reader.first(entries, PHOTOMETRIC, 1)
    planar = reader.first(entries, PLANAR, 1) == 2 and samples > 1
    _refuse(photometric, samples, all_bits, planar, reader.values(entries, FORMAT))
    row_bits = width * all_bits[0] * (1 if planar else samples)
    if photometric == 6:
        row_bits = 0  # colours may be shared: not known
    _check_data(reader, entries, width, height, samples if planar else 1, row_bits)
    bits = all_bits[0]
    extra, compression = reader.values(entries, EXTRA), reader.first(entries, COMPRESSION, 1)
    return TiffPage(
        width=width,
        height=height,
        directory=at,
        bits=bits,
        samples=samples,
        white_is_zero=photometric == 0 and bits > 8,
        depth=None
        if bits <= 8
        else _declared_depth(reader, entries)
        if bits == 16
        else 16,  # 10, 12 and 14 are decoded to the highest of 16
        alpha=bool(extra) and extra[0] in (1, 2),
        grey_alpha=samples == 2 and bool(extra) and extra[0] in (1, 2) and compression not in _JPEG,
        premultiplied=bool(extra) and (extra[0] == 1 or (bits <= 8 and samples > 2)),
        reduced=reader.first(entries, SUBFILE, 0) & 5 != 0,
    )


def _declared_depth(reader: TiffReader, entries: Mapping[int, tuple[int, int, int]]) -> int | None:
    """Bits that the maximum sample value needs; None if the file gives none."""
    try:
        most = max((*reader.values(entries, MAX_VALUE), *reader.values(entries, SIGNED_MAX), 0))
    except SourceError:  # of a type that is no integer
        return None
    return min(16, max(8, most.bit_length())) if most > 1 else None


def _refuse(photometric: int, samples: int, all_bits: tuple[int, ...], planar: bool, formats: tuple[int, ...]) -> None:
    """Raise `SourceError` for a page that the decoder does not read, or reads wrongly."""
    kind = next((_FORMATS[each] for each in formats if each in _FORMATS), None)
    if kind is not None:
        raise SourceError(f"a TIFF of {kind} samples is not read", hint=_CONVERT)
    if photometric not in _READ:
        raise SourceError(f"a TIFF in {_OTHERS.get(photometric, 'unknown colours')} is not read", hint=_CONVERT)
    bits = all_bits[0]
    allowed = {0: (1, 8, 10, 12, 14, 16), 1: (1, 8, 10, 12, 14, 16), 2: (8, 16)}.get(photometric, (1, 2, 4, 8))
    if bits not in allowed or set(all_bits) != {bits} or (bits not in (8, 16) and samples != 1):
        raise SourceError(f"a TIFF of {bits} bits a sample in {_READ[photometric]} is not read", hint=_CONVERT)
    most = {0: 1, 1: 2, 2: 4, 3: 1, 5: 4, 6: 3}[photometric]
    least = {2: 3, 5: 4, 6: 3}.get(photometric, 1)
    if not least <= samples <= most:
        raise SourceError(f"a TIFF of {samples} samples a pixel in {_READ[photometric]} is not read", hint=_CONVERT)
    if planar and bits > 8:
        raise SourceError("a TIFF of 16-bit colour planes is not read", hint=_CONVERT)  # OpenCV gives other memory


def _check_data(
    reader: TiffReader, entries: Mapping[int, tuple[int, int, int]], width: int, height: int, planes: int, row_bits: int
) -> None:
    """Raise `SourceError` unless all strips or tiles are there, and uncompressed ones are long enough."""
    tiled = TILES in entries
    if tiled:
        wide, high = (reader.first(entries, tag, 0) for tag in (TILE_WIDTH, TILE_HEIGHT))
        if min(wide, high) <= 0:
            raise _cut_short()
        wanted = -(-width // wide) * -(-height // high) * planes
    else:
        high = min(reader.first(entries, ROWS_PER_STRIP, height), height) or height
        wanted = -(-height // high) * planes
    starts = reader.values(entries, TILES if tiled else STRIPS)
    sizes = reader.values(entries, TILE_SIZES if tiled else STRIP_SIZES)
    if len(starts) < wanted or (sizes and len(sizes) < wanted):
        raise _cut_short()
    if any(start + size > len(reader.data) for start, size in zip(starts, sizes, strict=False)):
        raise _cut_short()
    uncompressed = not tiled and reader.first(entries, COMPRESSION, 1) == 1 and len(sizes) >= wanted
    if uncompressed and sum(sizes[:wanted]) < -(-row_bits // 8) * height * planes:
        raise _cut_short()


def _cut_short() -> SourceError:
    return SourceError("the file is broken or cut short", hint=_AGAIN)
