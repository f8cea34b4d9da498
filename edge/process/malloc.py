"""Limits how much freed memory glibc's malloc keeps. Elsewhere (musl) nothing is done.

Each thread gets an arena of its own by default, and what was freed stays in it: eight capture threads that have each
decoded one large picture would hold eight times what one needs.
"""

from __future__ import annotations

import ctypes

M_ARENA_MAX = -8
"""Parameter number of mallopt(3), from <malloc.h>."""
ARENAS = 2
"""Python's lock lets one thread at a time make objects; the second is for what native code makes meanwhile."""


def limit_malloc_arenas() -> None:
    """Let all threads that are yet to be started share `ARENAS` arenas. Call it before there are threads."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, ARENAS)


def trim_malloc() -> None:
    """Return free memory to the system. Some milliseconds: for when a start is over, not for every frame."""
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(ctypes.c_size_t(0))
