"""Account of one device's durable messages: received, missing, repaired, duplicate and expired, by epoch.

See `edge.fleet.ledger`, which feeds it.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from edge.fleet.ranges import Range, RangeSet

if TYPE_CHECKING:
    from edge.fleet.ledger_messages import DurableFields, OutboxFields

LIVE, REPLAY = False, True
"""The two lanes of a stream, as the field ``replayed`` has them."""


class Arrival(str, Enum):
    """Verdict on one received message: new, repaired, duplicate, noted, stale or not ours."""

    NEW = "new"
    """Durable, and here for the first time."""
    REPAIRED = "repaired"
    """Durable, here for the first time, and sent again: it was missing until now."""
    DUPLICATE = "duplicate"
    """Durable, and here before: count it once."""
    NOTED = "noted"
    """A ``state``, a ``health``, or a request to send again and its answer: what is known has changed."""
    STALE = "stale"
    """The last will of an earlier run: the device is not offline. Or a ``health`` of earlier, sent again."""
    NOT_OURS = "not_ours"
    """No message of a device, or none that the ledger needs."""


class DeviceLedger:
    """Account of the messages of one device. Every answer is by epoch; epochs that have ended stay in it."""

    def __init__(self, whole: bool) -> None:
        """``whole``: whether the consumer claims to have received everything from the device's first message on."""
        self.epoch = ""
        """Epoch that the device counts in now, by its last ``state`` or ``health``. Empty: not known yet."""
        self.run_id = ""
        self.duplicates = 0
        self.violations = 0
        """Messages that came after a later one of their lane and stream."""
        self._whole = whole
        self._epochs: dict[str, _EpochAccount] = {}

    def epochs(self) -> list[str]:
        """All known epochs, in the order in which they were first seen."""
        return list(self._epochs)

    def received(self, epoch: str) -> int:
        """How many messages of ``epoch`` have arrived, each counted once."""
        return self._epochs[epoch].received.count() if epoch in self._epochs else 0

    def received_ranges(self, epoch: str) -> list[Range]:
        """Ranges of sequence numbers of ``epoch`` that have arrived."""
        return list(self._epochs[epoch].received) if epoch in self._epochs else []

    def next_seq(self, epoch: str) -> int:
        """The next sequence number of ``epoch``: all below it were made, as far as is known; 1 where nothing is."""
        return self._epochs[epoch].end if epoch in self._epochs else 1

    def missing(self) -> dict[str, list[Range]]:
        """Missing ranges by epoch: made, not expired, and not here. They were lost on the way, or are still to come."""
        return _nonempty({name: one.missing() for name, one in self._epochs.items()})

    def expired(self) -> dict[str, list[Range]]:
        """Expired ranges by epoch: the device announced that it gave these up, and they had not arrived before."""
        return _nonempty({name: one.expired.minus(one.received) for name, one in self._epochs.items()})

    def repaired(self) -> dict[str, list[Range]]:
        """Repaired ranges by epoch: were missing once, and arrived when they were sent again."""
        return _nonempty({name: one.repaired for name, one in self._epochs.items()})

    def requestable(self) -> dict[str, list[Range]]:
        """Missing ranges that the device still keeps, so that it can be asked to send them again.

        Only of the epoch that the device counts in now: the outbox of an earlier one has been set aside.
        """
        one = self._epochs.get(self.epoch)
        if one is None or one.oldest_kept is None:
            return {}
        return _nonempty({self.epoch: one.missing().within(one.oldest_kept, one.end)})

    def add_durable(self, message: DurableFields) -> Arrival:
        """Add a finding or a coverage message; the verdict is NEW, REPAIRED or DUPLICATE."""
        one = self._account(message.epoch)
        was_missing = one.first is not None and one.first <= message.seq < one.end
        if one.received.add(message.seq) == 0:
            self.duplicates += 1
            return Arrival.DUPLICATE
        lane = (message.stream, message.replayed)
        if message.seq < one.newest.get(lane, 0):
            self.violations += 1
        one.newest[lane] = max(message.seq, one.newest.get(lane, 0))
        if message.replayed is LIVE and one.first is None:
            one.first = message.seq
        one.end = max(one.end, message.seq + 1)
        if message.replayed is REPLAY and was_missing:
            one.repaired.add(message.seq)
            return Arrival.REPAIRED
        return Arrival.NEW

    def update_outbox(self, outbox: OutboxFields, fresh: bool) -> None:
        """Note how far the device has counted. ``fresh``: it says so now; False: a retained message, maybe old."""
        one = self._account(outbox.epoch)
        self.epoch = outbox.epoch
        if one.first is None and fresh:
            one.first = outbox.next_seq
        if outbox.next_seq >= one.end or fresh:
            one.oldest_kept = outbox.oldest_kept
        one.end = max(one.end, outbox.next_seq)
        for first, last in outbox.expired:
            if first <= last:
                one.expired.add(first, last)

    def restart_replay_order(self) -> None:
        """Let the replay lane go back: at a new connection, which ``state`` begins, and when a resend is asked for."""
        for one in self._epochs.values():
            one.newest = {lane: seq for lane, seq in one.newest.items() if lane[1] is LIVE}

    def _account(self, epoch: str) -> _EpochAccount:
        if epoch not in self._epochs:
            # A new epoch of a device that we know begins while we listen: all of it counts.
            self._epochs[epoch] = _EpochAccount(first=1 if self._whole or self._epochs else None)
        return self._epochs[epoch]


class _EpochAccount:
    """What is known of the messages of one epoch."""

    __slots__ = ("end", "expired", "first", "newest", "oldest_kept", "received", "repaired")

    def __init__(self, first: int | None) -> None:
        self.first = first
        """From this seq on, what is not here is missing. None: we began to listen later, and do not know where."""
        self.end = 1
        self.oldest_kept: int | None = None
        self.received = RangeSet()
        self.expired = RangeSet()
        self.repaired = RangeSet()
        self.newest: dict[tuple[str, bool], int] = {}
        """(stream, lane) -> highest seq that came in it."""

    def missing(self) -> RangeSet:
        if self.first is None or self.first >= self.end:
            return RangeSet()
        return self.received.gaps(self.first, self.end - 1).minus(self.expired)


def _nonempty(by_epoch: dict[str, RangeSet]) -> dict[str, list[Range]]:
    return {epoch: list(ranges) for epoch, ranges in by_epoch.items() if len(ranges)}
