"""Prefetch: decodes the next frames of a clip in a few threads while one is being processed; results come in order.

OpenCV lets go of Python's lock while it decodes, so that a second core is of use; on one there are no threads.
"""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from concurrent.futures import Future
    from typing import NoReturn

T = TypeVar("T")
R = TypeVar("R")

MAX_THREADS = 3
"""Most threads. With more, frames come faster than anything here computes them."""
BATCHES_PER_THREAD = 2
"""Batches that are decoded or being decoded, for each thread."""
MAX_BATCH = 4
"""Most frames that a thread is given at once. Small ones handed over alone would cost a tenth of their decoding."""
MAX_BATCH_BYTES = 2 << 20
"""Most bytes of the decoded frames of a batch that holds more than one."""
MAX_BYTES = 64 << 20
"""Most bytes of all decoded frames that are kept."""
MIN_PIXELS = 128 << 10
"""Fewest pixels of a frame. What it costs to hand one to a thread and back, a smaller one does not bring in."""


def thread_count(frames: int, pixels: int, frame_bytes: int) -> int:
    """Number of decoding threads that are worth having; fewer than 2: none.

    Args:
        frames: number of frames of the clip.
        pixels: number of pixels of a frame.
        frame_bytes: size of a decoded frame.
    """
    cores = len(os.sched_getaffinity(0))  # those of this process, which may be fewer than the machine's
    fit = MAX_BYTES // (BATCHES_PER_THREAD * max(1, frame_bytes))
    return 1 if pixels < MIN_PIXELS else min(cores, frames, fit, MAX_THREADS)


def batch_size(frames: int, threads: int, frame_bytes: int) -> int:
    """Number of frames to give a thread at once, so that short clips still keep all threads busy."""
    fit = MAX_BATCH_BYTES // max(1, frame_bytes)
    return max(1, min(MAX_BATCH, fit, frames // (BATCHES_PER_THREAD * max(1, threads))))


def prefetch(work: Callable[[T], R], things: Iterable[T], threads: int, batch: int = 1) -> Generator[Callable[[], R]]:
    """Run ``work`` on each of ``things`` ahead of time in threads; yield the results in order.

    Args:
        work: called in several threads at once if there are ``threads``. What it raises stays with its thing.
        things: gone through by the caller's thread, no further ahead than there are batches kept.
        threads: fewer than 2: everything is done by the caller's, when it asks.
        batch: things that a thread is given at once.

    Yields:
        For each thing a call that gives its result, or raises what ``work`` raised.

    Closing it gives up what was not begun, waits for what was, and ends the threads.
    """
    if threads < 2:
        for thing in things:
            yield partial(work, thing)
        return
    pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
    begun: deque[Future[list[Callable[[], R]]]] = deque()
    coming = iter(things)
    try:
        while some := list(islice(coming, batch)):
            begun.append(pool.submit(_run_batch, work, some))
            if len(begun) == BATCHES_PER_THREAD * threads:
                yield from begun.popleft().result()
        while begun:
            yield from begun.popleft().result()
    finally:
        for waiting in begun:
            waiting.cancel()
        pool.shutdown()


def _run_batch(work: Callable[[T], R], some: list[T]) -> list[Callable[[], R]]:
    return [_run_one(work, thing) for thing in some]


def _run_one(work: Callable[[T], R], thing: T) -> Callable[[], R]:
    """Run ``work`` now; the call that is returned gives its result, or raises what it raised."""
    try:
        result = work(thing)
    except BaseException as error:  # whatever it is, it belongs to this thing and to no other of the batch
        return partial(_raise, error)
    return lambda: result


def _raise(error: BaseException) -> NoReturn:
    raise error
