"""Decodes the next frames of a clip in a few threads while the one before is being looked at; results come in order.

OpenCV lets go of Python's lock while it decodes, so that a second core is of use; on one there are no threads.
"""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from concurrent.futures import Future

T = TypeVar("T")
R = TypeVar("R")

MAX_THREADS = 3
"""With more, frames come faster than anything here computes them."""
WAITING = 2
"""Results that are kept or in the making, for each thread."""
MAX_BYTES = 64 << 20
"""Of all these results."""
MIN_PIXELS = 128 << 10
"""Of a frame. What it costs to hand one to a thread and back, a smaller one does not bring in."""


def threads_for(frames: int, pixels: int, frame_bytes: int) -> int:
    """How many threads are worth having; fewer than 2: none.

    Args:
        frames: of the clip.
        pixels: of a frame.
        frame_bytes: a decoded frame's.
    """
    cores = len(os.sched_getaffinity(0))  # those of this process, which may be fewer than the machine's
    fit = MAX_BYTES // (WAITING * max(1, frame_bytes))
    return 1 if pixels < MIN_PIXELS else min(cores, frames, fit, MAX_THREADS)


def ahead(work: Callable[[T], R], things: Iterable[T], threads: int) -> Generator[Callable[[], R]]:
    """``work`` on each of ``things``, in their order.

    Args:
        work: called in several threads at once if there are ``threads``. What it raises stays with its thing.
        things: gone through by the caller's thread, no further ahead than there are results kept.
        threads: fewer than 2: everything is done by the caller's, when it asks.

    Yields:
        For each thing a call that gives its result, or raises what ``work`` raised.

    Closing it gives up what was not begun, waits for what was, and ends the threads.
    """
    if threads < 2:
        for thing in things:
            yield partial(work, thing)
        return
    pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
    begun: deque[Future[R]] = deque()
    try:
        for thing in things:
            begun.append(pool.submit(work, thing))
            if len(begun) == WAITING * threads:
                yield begun.popleft().result
        while begun:
            yield begun.popleft().result
    finally:
        for waiting in begun:  # not those that the caller has: they keep their word
            waiting.cancel()
        pool.shutdown()
