"""A clock in the picture: draws the time of a frame as blocks of pixels, and reads it from what came out of a stream.

Age is then measured, not believed: the time is that of CLOCK_MONOTONIC, which all processes of a machine share. Blocks
of 16 x 16 pixels, black or white, survive JPEG and H.264. Nothing but the standard library is needed to draw, so that a
server under another Python can do it; the numbers are the frame's own, for telling repeats from losses.

Layout, from the top left corner: two rows of 32 blocks; 40 bits of time in units of 10 us, 16 bits of number, 8 bits of
checksum, the highest first.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

BLOCK = 16
COLUMNS = 32
ROWS = 2
MIN_WIDTH, MIN_HEIGHT = BLOCK * COLUMNS, BLOCK * ROWS
UNIT_NS = 10_000
_TIME_BITS, _NUMBER_BITS = 40, 16
_STEP = 7
"""Pixels by which the background moves from frame to frame: none is like the last."""


@dataclass(frozen=True)
class PictureClock:
    """What a picture says of itself."""

    at_ns: int
    """CLOCK_MONOTONIC when it was drawn, rounded down to 10 us."""
    number: int
    """Its number, modulo 65536."""


def draw_frame(width: int, height: int, number: int, at_ns: int | None = None) -> bytes:
    """(height, width) grey picture as bytes, with its clock and a background that moves."""
    at_ns = time.monotonic_ns() if at_ns is None else at_ns
    shift = number * _STEP % 256
    base = bytes(64 + abs((x + shift) % 256 - 128) // 2 for x in range(256))
    line = (base * (width // 256 + 1))[:width]
    code = _encoded(at_ns, number)
    lines = []
    for row in range(ROWS):
        bits = [code >> (ROWS * COLUMNS - 1 - row * COLUMNS - column) & 1 for column in range(COLUMNS)]
        marked = b"".join((b"\xeb" if bit else b"\x10") * BLOCK for bit in bits) + line[MIN_WIDTH:]
        lines.append(marked * BLOCK)
    return b"".join(lines) + line * (height - MIN_HEIGHT)


def read_clock(pixels: Any) -> PictureClock | None:
    """The clock of a picture, (H, W) or (H, W, 3); None if its checksum is not right: damaged, or none of ours."""
    if pixels.shape[0] < MIN_HEIGHT or pixels.shape[1] < MIN_WIDTH:
        return None
    grey = pixels if pixels.ndim == 2 else pixels[..., 1]
    code = 0
    for row in range(ROWS):
        for column in range(COLUMNS):
            y, x = row * BLOCK, column * BLOCK
            code = code << 1 | int(grey[y + 5 : y + 11, x + 5 : x + 11].mean() > 127)
    number = code >> 8 & 0xFFFF
    ticks = code >> 24
    return PictureClock(ticks * UNIT_NS, number) if _checksum(ticks, number) == code & 0xFF else None


def _encoded(at_ns: int, number: int) -> int:
    ticks = at_ns // UNIT_NS & ((1 << _TIME_BITS) - 1)
    number &= (1 << _NUMBER_BITS) - 1
    return (ticks << _NUMBER_BITS | number) << 8 | _checksum(ticks, number)


def _checksum(ticks: int, number: int) -> int:
    value = 0xA5
    for byte in (*ticks.to_bytes(5, "big"), *number.to_bytes(2, "big")):
        value = (value * 31 + byte) & 0xFF
    return value
