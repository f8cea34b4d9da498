"""Encapsulated (compressed) frames of a DICOM file: which fragments make up each. PS3.5 A.4, PS3.3 C.7.6.3.1.8."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, BinaryIO

from edge.contracts.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence

Fragment = tuple[int, int]
"""(position in the file, length) of the bytes of one fragment."""

MAX_FRAGMENTS = 200_000
"""Most fragments of a file, and entries of its table of offsets: as many as a cine of two hours has frames."""

_ITEM, _END = 0xFFFEE000, 0xFFFEE0DD
_STARTS = (b"\xff\xd8", b"\xff\x4f")
"""First bytes of a JPEG or JPEG-LS stream, and of a JPEG 2000 codestream."""


def index_frames(stream: BinaryIO, start: int, frames: int, extended: Sequence[int] = ()) -> list[list[Fragment]]:
    """Find the fragments of each frame, without reading any of them.

    Args:
        stream: the file.
        start: position of the Basic Offset Table's item.
        frames: how many there should be.
        extended: the Extended Offset Table; empty: there is none.

    Returns:
        The fragments of each frame that is there: fewer than ``frames`` if the file is cut short.

    Raises:
        SourceError: there is no telling which fragments belong together.
    """
    table, fragments, cut_short = _read_items(stream, start)
    offsets = list(extended) or table
    if not fragments:
        return []
    if frames == 1:
        return [fragments]
    base = fragments[0][0] - 8  # offsets count from the first item after the table
    heads = {position - 8 - base: i for i, (position, _) in enumerate(fragments)}
    known = [heads[offset] for offset in offsets if offset in heads]
    if len(offsets) >= frames and known and known == sorted(set(known)) and (cut_short or len(known) == len(offsets)):
        begins = known
    elif len(fragments) <= frames:
        begins = list(range(len(fragments)))
    else:
        begins = [i for i, fragment in enumerate(fragments) if _head(stream, fragment) in _STARTS]
        if not begins or begins[0] != 0 or (len(begins) != frames and not cut_short):
            raise SourceError(
                f"{len(fragments)} fragments for {frames} frames, and no table that assigns them",
                hint="export the clip again, as uncompressed if that is offered",
            )
    groups = [fragments[a:b] for a, b in zip(begins, [*begins[1:], len(fragments)], strict=True)]
    return groups[:frames]


def read_fragments(stream: BinaryIO, fragments: Sequence[Fragment]) -> bytes:
    """Read the compressed bytes of one frame, its fragments joined."""
    parts = []
    for position, length in fragments:
        stream.seek(position)
        parts.append(stream.read(length))
    return b"".join(parts)


def _read_items(stream: BinaryIO, start: int) -> tuple[list[int], list[Fragment], bool]:
    """The Basic Offset Table, the fragments that are there as a whole, and whether the end is missing."""
    end = stream.seek(0, 2)
    items: list[Fragment] = []
    at, cut_short = start, True
    while at + 8 <= end:
        stream.seek(at)
        group, element, length = struct.unpack("<HHL", stream.read(8))
        tag = group << 16 | element
        if tag == _END:
            cut_short = False
            break
        if tag != _ITEM or at + 8 + length > end:
            break
        items.append((at + 8, length))
        if len(items) > MAX_FRAGMENTS:
            raise SourceError(f"more than {MAX_FRAGMENTS} fragments", hint="export the clip again, in parts")
        at += 8 + length
    if not items:
        return [], [], cut_short
    raw = read_fragments(stream, items[:1]) if items[0][1] <= 4 * MAX_FRAGMENTS else b""
    table = list(struct.unpack(f"<{len(raw) // 4}L", raw[: len(raw) // 4 * 4]))
    return table, items[1:], cut_short


def _head(stream: BinaryIO, fragment: Fragment) -> bytes:
    stream.seek(fragment[0])
    return stream.read(2)
