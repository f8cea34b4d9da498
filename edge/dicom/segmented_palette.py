"""Segmented colour palettes (PS3.3 C.7.9): how many entries they expand to, told before they are expanded.

A few bytes may stand for 65,535 entries, and a segment that repeats others may repeat those that repeat.
"""

from __future__ import annotations

import struct

MAX_ENTRIES = 1 << 16
"""Most entries of a palette."""
_DISCRETE, _LINEAR, _INDIRECT = 0, 1, 2


def check_segmented_palette(data: bytes, bits: int) -> None:
    """Raise ValueError for a segmented palette that is broken, or expands to more than `MAX_ENTRIES`.

    ``bits`` of an entry: 8 or 16, little endian.
    """
    words = list(data) if bits == 8 else list(struct.unpack(f"<{len(data) // 2}H", data[: len(data) // 2 * 2]))
    _count(words, 0, len(words), bits, nested=False)


def _count(words: list[int], at: int, most: int, bits: int, *, nested: bool) -> int:
    """Entries of at most ``most`` segments that begin at ``at``."""
    entries = segments = 0
    while at + 1 < len(words) and segments < most:
        kind, length = words[at : at + 2]
        at += 2
        segments += 1
        if kind == _INDIRECT and not nested:
            width = 4 if bits == 8 else 2
            offset = sum(word << (bits * i) for i, word in enumerate(words[at : at + width]))
            length = _count(words, offset, length, bits, nested=True)
            at += width
        elif kind in (_DISCRETE, _LINEAR):
            at += length if kind == _DISCRETE else 1
        else:
            raise ValueError("a segment that no palette has")
        entries += length
        if entries > MAX_ENTRIES:
            raise ValueError("a palette of more entries than there can be")
    return entries
