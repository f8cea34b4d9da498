"""Account of one device's durable messages: received, missing, repaired, duplicate and expired, by epoch.

See `edge.fleet.ledger`, which feeds it, and `edge.fleet.epoch_account` for which claims of a device are believed.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from edge.contracts import topics
from edge.fleet.content_hashes import ContentHashes
from edge.fleet.epoch_account import REPLAY, EpochAccount

if TYPE_CHECKING:
    from edge.fleet.ledger_messages import DurableFields, OutboxFields
    from edge.fleet.ranges import Range, RangeSet

EPOCHS_LIMIT = 1000
"""Most epochs of one device; it begins one when its outbox is damaged or copied."""


class Arrival(str, Enum):
    """Verdict on one received message: new, repaired, duplicate, noted, stale or not ours."""

    NEW = "new"
    """Durable, and here for the first time."""
    REPAIRED = "repaired"
    """Durable, here for the first time, and sent again: it was missing until now."""
    DUPLICATE = "duplicate"
    """Durable, and here before: count it once."""
    CONFLICTING = "conflicting"
    """Durable, and another message was here before under its number: two devices count as one, or one is forged."""
    IMPLAUSIBLE = "implausible"
    """Durable, and its number is none that the device can have reached. Keep it, and look: it is not accounted for."""
    NOTED = "noted"
    """A ``state``, a ``health``, or a request to send again and its answer: what is known has changed."""
    STALE = "stale"
    """The last will of an earlier run: the device is not offline. Or a ``health`` of earlier, sent again."""
    UNREADABLE = "unreadable"
    """On a topic that the ledger reads, and not to be read: not UTF-8, not JSON, not of this contract."""
    FOREIGN = "foreign"
    """It says that it is of another device or stream than its topic."""
    NOT_OURS = "not_ours"
    """No message of a device, or none that the ledger needs."""


class DeviceLedger:
    """Account of the messages of one device. Every answer is by epoch; epochs that have ended stay in it."""

    def __init__(self, whole: bool) -> None:
        """``whole``: whether the consumer claims to have received everything from the device's first message on."""
        self.epoch = ""
        """Epoch that the device counts in now, by its last ``state`` or ``health``. Empty: not known yet."""
        self.run_id = ""
        self.durable_topics: tuple[str, ...] = topics.DURABLE_TOPICS
        """First levels of the topics of its durable messages, by its last ``state`` that could be believed."""
        self.duplicates = 0
        self.conflicting = 0
        """Messages under the number of another one. The first that arrived counts."""
        self.uncompared = 0
        """Those of the duplicates whose first copy is too long ago to be compared: see `ContentHashes`."""
        self.implausible = 0
        """Messages and claims that were not believed: see `EpochAccount`."""
        self.violations = 0
        """Messages that came after a later one of their lane and stream."""
        self._whole = whole
        self._epochs: dict[str, EpochAccount] = {}
        self._hashes = ContentHashes()

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
        """Missing ranges that the device can be asked to send again: those that it still keeps, as far as known.

        The present epoch first. The outbox of an ended one was set aside; a device sends from it while it keeps it,
        does not say how much that is, and refuses (``unknown_epoch``) once it is gone.
        """
        wanted = {}
        if not self.epoch:
            return {}
        for epoch in sorted(self._epochs, key=lambda name: name != self.epoch):
            one = self._epochs[epoch]
            first = one.oldest_requestable if epoch == self.epoch else 1
            wanted[epoch] = one.missing().within(first, one.end)
        return _nonempty(wanted)

    def add_durable(self, message: DurableFields, content: bytes) -> Arrival:
        """Add a durable message of any kind. ``content``: what must be equal in every repeat of it."""
        one = self._account(message.epoch)
        if one is not None and message.seq in one.received:
            return self._add_repeat(message, content)
        if one is None or not one.accepts(message):
            self.implausible += 1
            return Arrival.IMPLAUSIBLE
        if message.seq < one.newest.get((message.stream, message.replayed), 0):
            self.violations += 1
        was_missing = one.add(message)
        self._hashes.put(message.epoch, message.seq, content)
        if message.replayed is REPLAY and was_missing:
            one.repaired.add(message.seq)
            return Arrival.REPAIRED
        return Arrival.NEW

    def update_outbox(self, outbox: OutboxFields, fresh: bool) -> None:
        """Apply the outbox numbers that a `state` or `health` message reports.

        ``fresh``: the device says so now; False: a retained message, maybe old.
        """
        one = self._account(outbox.epoch)
        if one is None:
            self.implausible += 1
            return
        self.epoch = outbox.epoch
        self.implausible += one.claim(outbox, fresh)

    def restart_replay_order(self) -> None:
        """Restart the order check of all replay lanes, after a new connection (``state``) or a resend request."""
        for one in self._epochs.values():
            one.restart_replay()

    def _add_repeat(self, message: DurableFields, content: bytes) -> Arrival:
        equal = self._hashes.matches(message.epoch, message.seq, content)
        if equal is False:
            self.conflicting += 1
            return Arrival.CONFLICTING
        self.duplicates += 1
        self.uncompared += equal is None
        return Arrival.DUPLICATE

    def _account(self, epoch: str) -> EpochAccount | None:
        """The account of ``epoch``; None if there are too many already."""
        one = self._epochs.get(epoch)
        if one is None and len(self._epochs) < EPOCHS_LIMIT:
            # A new epoch of a device that we know begins while we listen: all of it counts.
            one = self._epochs[epoch] = EpochAccount(first=1 if self._whole or self._epochs else None)
        return one


def _nonempty(by_epoch: dict[str, RangeSet]) -> dict[str, list[Range]]:
    return {epoch: list(ranges) for epoch, ranges in by_epoch.items() if len(ranges)}
