"""Types that the outbox returns: stored messages, depth, resend marks and results, ranges of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

NO_END = 1 << 62
"""Above every seq."""
GONE_LIMIT = 100
"""Ranges that are named to who asks for messages again."""


class StoredMessage(NamedTuple):
    """One message as it is stored in the outbox."""

    seq: int
    suffix: str
    body: bytes


class OutboxDepth(NamedTuple):
    """How full the outbox is: pending messages, age, bytes."""

    pending: int
    oldest_age_s: float
    """Of the oldest pending message, see `edge.outbox.clock`; never below zero."""
    used_bytes: int


class ResendMark(NamedTuple):
    """Tells deliveries that something is to be sent again."""

    number: int
    """Goes up with every slice of every resend, see `edge.outbox.resend`."""
    first: int
    """Lowest seq of that slice."""
    last: int
    """Highest seq of that slice."""
    sink: str | None = None
    """Whom it is sent to again; None: all, or it is not known."""
    ranges: tuple[tuple[int, int], ...] = ()
    """Ranges between ``first`` and ``last`` that alone are meant; empty: all between, or it is not known."""


class ResendJob(msgspec.Struct, frozen=True):
    """Job of a resend, as it is stored: the messages that are still to be marked as not delivered."""

    first: int
    last: int
    sink: str | None
    """None: not delivered to any."""
    ranges: list[tuple[int, int]] = []
    """Ranges between ``first`` and ``last``, rising and apart, that alone are meant; none: all between."""


class ResendTarget(msgspec.Struct, frozen=True, array_like=True):
    """What the last slice marked, and for whom, as it is stored beside its mark."""

    number: int
    """Of the mark: an earlier version writes that alone."""
    sink: str | None
    ranges: list[tuple[int, int]]


class ResendProgress(NamedTuple):
    """How far the resends of an outbox are."""

    mark: ResendMark | None
    """Of the last slice; None: there was none."""
    jobs: int
    """Number of resends that are not all marked."""
    frontier: int
    """Lowest seq that is still to be marked: older messages from there on wait, or they would be out of order."""


class ResendResult(msgspec.Struct, frozen=True):
    """Result of a resend: what is queued, what is gone."""

    queued: int
    """Messages that will be sent again."""
    gone: list[tuple[int, int]]
    """Ranges of those asked for that are not kept any more; the first `GONE_LIMIT`."""
    gone_count: int
    """How many messages that is, in all ranges."""


class SeqRanges:
    """Numbers in rising order, held as ranges."""

    def __init__(self) -> None:
        self._ranges: list[tuple[int, int]] = []

    def add(self, number: int) -> None:
        """Add ``number``, which is above all that were added before."""
        if self._ranges and self._ranges[-1][1] == number - 1:
            self._ranges[-1] = (self._ranges[-1][0], number)
        else:
            self._ranges.append((number, number))

    def ranges(self) -> list[tuple[int, int]]:
        """Ranges (first, last) of the numbers that were added, rising."""
        return list(self._ranges)

    def gaps(self, first: int, last: int) -> tuple[list[tuple[int, int]], int]:
        """Ranges in ``first`` to ``last`` that were not added, at most `GONE_LIMIT`, and the number of all of them."""
        found, count, start = [], 0, first
        for begin, end in [*self._ranges, (last + 1, last + 1)]:
            if start < begin:
                found.append((start, begin - 1))
                count += begin - start
            start = end + 1
        return found[:GONE_LIMIT], count


def consecutive_ranges(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Ranges (first, last) that hold ``numbers`` and nothing else, ascending."""
    found = SeqRanges()
    for number in sorted(set(numbers)):
        found.add(number)
    return found.ranges()
