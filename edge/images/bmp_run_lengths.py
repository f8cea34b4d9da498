"""Run lengths of a BMP file (RLE8 and RLE4, MS-WMF 3.1.6.4), decoded to palette indices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.contracts.errors import SourceError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_BYTES = 4 << 20
"""Most bytes of run lengths. A million of the shortest runs take half a second, and no screen needs as many."""


def decode_run_lengths(data: bytes, width: int, height: int, bits: int) -> NDArray[np.uint8]:
    """Decode run lengths to palette indices, (H, W) uint8, in the order of the file: the lowest row first.

    What the file skips has index 0.

    Args:
        data: the coded pixels, to the end of the file.
        width: of the picture in pixels.
        height: of the picture in pixels.
        bits: of an index: 8 or 4.

    Raises:
        SourceError: they end before the picture does, leave it, or are too many.
    """
    if len(data) > MAX_BYTES:
        raise SourceError("a run-length BMP that is too long", hint="convert it to PNG", reason="too_large")
    rows = np.zeros((height, width), np.uint8)
    x = y = at = 0
    while y < height:
        if at + 2 > len(data):
            raise SourceError("the file is broken or cut short", hint="copy or export it again")
        count, value = data[at], data[at + 1]
        at += 2
        if count:
            run = bytes([value]) * count if bits == 8 else (bytes([value >> 4, value & 15]) * 128)[:count]
        elif value == 0:  # end of row
            x, y = 0, y + 1
            continue
        elif value == 1:  # end of picture
            break
        elif value == 2:  # skip
            moved = data[at : at + 2]
            at += 2
            if len(moved) == 2:
                x, y = x + moved[0], y + moved[1]
            continue
        else:  # so many indices as they are, padded to 16 bits
            size = value if bits == 8 else (value + 1) // 2
            run = data[at : at + size]
            at += size + size % 2
            if bits == 4:
                run = bytes(nibble for byte in run for nibble in (byte >> 4, byte & 15))[:value]
        kept = run[: max(0, width - x)]  # some pad their last run
        rows[y, x : x + len(kept)] = np.frombuffer(kept, np.uint8)
        x += len(run)
    return rows
