"""Requests ``findings/resend``, carried out in slices between the turns of the publisher's loop.

First it is counted what is kept of the range; then the job is stored in the outbox, and the answer sent: that stands
before all that is sent again, so consumers know where the replay lane begins anew. Last, a slice at a turn, the
messages are marked to be sent. What is stored outlives the process.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
import uuid
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from edge.contracts.frame_command import FrameCommandResult
from edge.daemon.publisher.requests import PendingAnswer, RefusedError
from edge.outbox.schema import is_damage

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.contracts.request import ResendArgs
    from edge.daemon.publisher.outbox_recovery import OutboxRecovery
    from edge.outbox.reader import OutboxReader
    from edge.outbox.resend import ResendCounter

WAITING_LIMIT = 32
"""Resends that are not all marked yet; who asks for more is answered ``too_many``, and asks again later."""
SLICE_S = 0.03
"""So long at most messages are marked in one turn."""


@dataclass
class _Resend:
    """One request that is being counted."""

    answer_id: str
    sink: str
    outbox: OutboxReader
    counter: ResendCounter
    ranges: list[tuple[int, int]]
    """What is wanted, rising."""
    set_aside: bool
    """Whether ``outbox`` was opened for this request alone, and is to be closed."""


class ResendQueue:
    """Counts, stores and marks the resends that were asked for, one after the other."""

    def __init__(self, outbox: Callable[[], OutboxReader | None], recovery: OutboxRecovery) -> None:
        """``outbox``: returns the one that is open now, or None; ``recovery`` has those of epochs that have ended."""
        self._outbox, self._recovery = outbox, recovery
        self._counting: deque[_Resend] = deque()

    def add(self, sink: str, wanted: ResendArgs) -> PendingAnswer:
        """Begin with a request of ``sink``; `work` gives its answer.

        Raises `RefusedError` for an invalid range, an unknown epoch, an outbox that cannot be read now, or too many.
        """
        ranges = _ranges_of(wanted)
        outbox = self._outbox()
        if outbox is None:
            raise RefusedError("unavailable")
        set_aside = False
        try:
            if len(self._counting) + outbox.resend_progress().jobs >= WAITING_LIMIT:
                raise RefusedError("too_many", "others are carried out already: ask again later")
            if outbox.state().epoch != wanted.epoch:
                found = self._recovery.open_epoch(wanted.epoch)
                if found is None:
                    raise RefusedError("unknown_epoch")
                outbox, set_aside = found, True
            counter = outbox.resend_counter(ranges)
        except sqlite3.Error:
            raise RefusedError("unavailable") from None
        one = _Resend(uuid.uuid4().hex, sink, outbox, counter, ranges, set_aside)
        self._counting.append(one)
        return PendingAnswer(one.answer_id, timeout_s=None)

    @property
    def counting(self) -> bool:
        """Whether a request waits for its answer."""
        return bool(self._counting)

    def work(self) -> list[FrameCommandResult]:
        """Count some more of the first request; its answer, once it is counted and stored."""
        if not self._counting:
            return []
        one = self._counting[0]
        try:
            if not one.set_aside and one.outbox is not self._outbox():  # it was closed, and perhaps opened anew
                raise sqlite3.OperationalError("the outbox was closed")
            result = one.counter.count_some()
            if result is None:
                return []
            one.outbox.add_resend(one.ranges, one.sink)
            answer = FrameCommandResult(id=one.answer_id, result=msgspec.structs.asdict(result))
        except sqlite3.Error as error:
            answer = FrameCommandResult(id=one.answer_id, error="unavailable")
            if is_damage(error) and not one.set_aside:
                self._forget_first()
                raise
        self._forget_first()
        return [answer]

    def mark(self, outbox: OutboxReader) -> bool:
        """Mark some messages of the jobs stored in ``outbox``; True: there are more.

        Raises sqlite3.Error if the outbox fails.
        """
        deadline = time.monotonic() + SLICE_S
        while outbox.mark_resend_slice():
            if time.monotonic() >= deadline:
                return True
        return False

    def close(self) -> None:
        """Close the files that were opened for requests that are not counted yet."""
        while self._counting:
            self._forget_first()

    def _forget_first(self) -> None:
        one = self._counting.popleft()
        if one.set_aside:
            self._recovery.look_again(one.outbox.path)
            with contextlib.suppress(sqlite3.Error):
                one.outbox.close()


def _ranges_of(wanted: ResendArgs) -> list[tuple[int, int]]:
    """The ranges that are asked for, rising and apart; raises `RefusedError` where they are not."""
    if wanted.last < wanted.first:
        raise RefusedError("invalid", "`to` is lower than `from`")
    if wanted.ranges is None:
        return [(wanted.first, wanted.last)]
    end = wanted.first - 1
    for first, last in wanted.ranges:
        if not end < first <= last <= wanted.last:
            raise RefusedError("invalid", "`ranges` must rise, without overlap, between `from` and `to`")
        end = last
    return wanted.ranges
