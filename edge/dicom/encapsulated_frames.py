"""Encapsulated (compressed) frames of a DICOM file: which fragments make up each. PS3.5 A.4, PS3.3 C.7.6.3.1.8."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, BinaryIO

from edge.contracts.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence

Fragment = tuple[int, int]
"""(position in the file, length) of the bytes of one fragment."""

MAX_SEARCHED = 1 << 28
"""Largest fragment that is searched for more than one stream, in bytes."""

MAX_FRAGMENTS = 200_000
"""Most fragments of a file, and entries of its table of offsets: as many as a cine of two hours has frames."""

_ITEM, _END = 0xFFFEE000, 0xFFFEE0DD
_JPEG, _JPEG2000 = b"\xff\xd8", b"\xff\x4f"
"""First bytes of a JPEG or JPEG-LS stream, and of a JPEG 2000 codestream."""
_NEXT_STREAM = re.compile(rb"\xff\xd9\x00?(?=\xff\xd8\xff|\xff\x4f\xff\x51)")
"""End of one stream with the start of another right behind it, which coded samples cannot hold."""


def index_frames(
    stream: BinaryIO, start: int, frames: int, extended: Sequence[int] = (), size: int = 0
) -> list[list[Fragment]]:
    """Find the fragments of each frame; of those that hold what the file says, without reading them.

    Args:
        stream: the file.
        start: position of the Basic Offset Table's item.
        frames: how many there should be.
        extended: the Extended Offset Table; empty: there is none.
        size: bytes of a frame if they are not compressed; 0: they are.

    Returns:
        The fragments of each frame that is there: fewer than ``frames`` if the file is cut short, more if its header
        is wrong.

    Raises:
        SourceError: there is no telling which fragments belong together.
    """
    table, fragments, cut_short = _read_items(stream, start)
    if not fragments:
        return []
    if size:
        return _split_by_size(fragments, size)
    begins = _table_begins(list(extended) or table, fragments, frames, cut_short)
    if begins is None:
        begins = _found_begins(stream, fragments, frames, cut_short)
    groups = [fragments[a:b] for a, b in zip(begins, [*begins[1:], len(fragments)], strict=True)]
    if len(groups) > 1 and len(groups) >= frames:
        return groups
    return [part for group in groups for part in _split_streams(stream, group)]  # several in one fragment, perhaps


def _table_begins(offsets: list[int], fragments: list[Fragment], frames: int, cut_short: bool) -> list[int] | None:
    """Index of the first fragment of each frame by a table of offsets; None if there is none to trust."""
    base = fragments[0][0] - 8  # offsets count from the first item after the table
    heads = {position - 8 - base: i for i, (position, _) in enumerate(fragments)}
    known = [heads[offset] for offset in offsets if offset in heads]
    if len(offsets) < frames or not known or known[0] != 0 or known != sorted(set(known)):
        return None
    if len(offsets) == 1 and len(fragments) > 1:
        return None  # says nothing that the header does not say
    return known if cut_short or len(known) == len(offsets) else None


def _found_begins(stream: BinaryIO, fragments: list[Fragment], frames: int, cut_short: bool) -> list[int]:
    """The same by how frames begin. Raises `SourceError` if they do not tell."""
    if len(fragments) == frames > 1:
        return list(range(frames))
    begins = [i for i, fragment in enumerate(fragments) if _begins_frame(stream, fragment)]
    told = bool(begins) and begins[0] == 0
    if frames == 1:
        return begins if told else [0]
    if told and (len(begins) >= frames or cut_short):
        return begins
    if len(fragments) < frames:
        return list(range(len(fragments)))
    raise SourceError(
        f"{len(fragments)} fragments for {frames} frames, and no table that assigns them",
        hint="export the clip again, as uncompressed if that is offered",
    )


def _begins_frame(stream: BinaryIO, fragment: Fragment) -> bool:
    """Whether a fragment begins a frame: as JPEG, JPEG-LS, JPEG 2000, JP2, or with a header of RLE (PS3.5 G.5)."""
    stream.seek(fragment[0])
    head = stream.read(64)
    if head[:2] in (_JPEG, _JPEG2000) or head[4:8] == b"jP  ":
        return True
    if len(head) < 64:
        return False
    segments, *places = struct.unpack("<16L", head)
    used = places[: min(segments, 15)]
    return 1 <= segments <= 15 and used[0] == 64 and used == sorted(set(used)) and not any(places[segments:])


def _split_streams(stream: BinaryIO, group: list[Fragment]) -> list[list[Fragment]]:
    """The fragments of one frame, or of several where a fragment holds more than one compressed stream."""
    groups: list[list[Fragment]] = [[]]
    for position, length in group:
        at = 0
        data = read_fragments(stream, [(position, length)]) if length <= MAX_SEARCHED else b""
        for found in _NEXT_STREAM.finditer(data):
            groups[-1].append((position + at, found.end() - at))
            groups.append([])
            at = found.end()
        groups[-1].append((position + at, length - at))
    return groups


def _split_by_size(fragments: list[Fragment], size: int) -> list[list[Fragment]]:
    """Frames of ``size`` bytes that are not compressed: each a fragment, perhaps padded, or all one after another."""
    if all(size <= length <= size + 1 for _, length in fragments):
        return [[(position, size)] for position, _ in fragments]
    groups: list[list[Fragment]] = []
    missing = 0
    for position, length in fragments:
        at = 0
        while at < length:
            if not missing:
                groups.append([])
                missing = size
            taken = min(missing, length - at)
            groups[-1].append((position + at, taken))
            at, missing = at + taken, missing - taken
    return groups[:-1] if missing else groups


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
