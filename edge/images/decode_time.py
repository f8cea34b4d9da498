"""Time limit for decoding one picture, by how fast this machine is: a slow board needs more than a workstation.

The speed is that of inflating a fixed piece of noise, in processor time, measured once in a process. It tells roughly
how much longer any decoder takes: what is to be told apart is seconds from for ever.
"""

from __future__ import annotations

import functools
import hashlib
import time
import zlib

DECODE_TIMEOUT_S = 1.5
"""Seconds of processor time for one picture on a fast machine: with a new child after it, less than two."""
FAST_S = 0.001
"""Seconds of processor time in which a fast machine inflates the piece; a busy x86-64 of 2026 needs 0.0006."""
MOST_SLOWNESS = 10.0
"""Slower than this no machine is taken to be; a Raspberry Pi Zero 2 W is near it."""

_ROUNDS = 5
_SIX_BITS = bytes(value & 63 for value in range(256))


def default_timeout_s() -> float:
    """Seconds of processor time for one picture, where the configuration does not say."""
    return DECODE_TIMEOUT_S * slowness()


@functools.cache
def slowness() -> float:
    """How many times longer this machine takes than a fast one: 1 to `MOST_SLOWNESS`."""
    piece = zlib.compress(hashlib.shake_128(b"noise").digest(1 << 17).translate(_SIX_BITS), 1)
    return min(max(min(_seconds(piece) for _ in range(_ROUNDS)) / FAST_S, 1.0), MOST_SLOWNESS)


def _seconds(piece: bytes) -> float:
    began = time.thread_time()
    zlib.decompress(piece)
    return time.thread_time() - began
