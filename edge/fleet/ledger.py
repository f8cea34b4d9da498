"""Proves that all of it has arrived, or says what has not: feed it every message, ask it what is missing.

Each durable message has (device, epoch, seq), and seq counts without gaps; ``state`` and ``health`` say how far it has
counted. So a hole is known as such without any clock: nothing here is ordered by time. A device keeps what it has sent
for a while, so that most holes can be asked for again (``request/findings/resend``).

    ledger = Ledger()
    ledger.feed(topic, payload)            # each message on edge/v1/#; the verdict says what to do with it
    for (site, device), one in ledger.devices().items():
        one.missing(), one.to_ask()        # {epoch: [(first, last), …]}

It grows with the number of holes, never with that of messages.
"""

from __future__ import annotations

from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from edge.contracts import topics
from edge.fleet.ranges import Range, RangeSet

if TYPE_CHECKING:
    from collections.abc import Mapping

LIVE, REPLAY = False, True
"""The two lanes, as ``replayed`` has them."""
RESEND = "request/findings/resend"
REPLAY_MARKS = (RESEND, "response/findings/resend")
"""A device that is asked to goes back; it answers, then it sends. Feed these too: order in the replay lane begins anew.
(It does so as well after ``edge-cli outbox resend`` on the device, or a refusal: the next ``state`` then clears it.)"""

Seq = Annotated[int, msgspec.Meta(ge=1, le=1 << 62)]


class Arrival(str, Enum):
    """What a message was."""

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
    """What has arrived of one device. Every answer is by epoch; epochs that have ended stay in it."""

    def __init__(self, whole: bool) -> None:
        """``whole``: whether the listener claims to have heard the device from its first message on."""
        self.epoch = ""
        """The one that the device counts in now, by its last ``state`` or ``health``. Empty: it has not said."""
        self.run_id = ""
        self.duplicates = 0
        self.violations = 0
        """Messages that came after a later one of their lane and stream."""
        self._whole = whole
        self._epochs: dict[str, _Epoch] = {}

    def epochs(self) -> list[str]:
        """All that were heard of, in the order in which they were."""
        return list(self._epochs)

    def received(self, epoch: str) -> int:
        """How many messages of ``epoch`` are here, each counted once."""
        return self._epochs[epoch].received.count() if epoch in self._epochs else 0

    def received_ranges(self, epoch: str) -> list[Range]:
        """Which messages of ``epoch`` are here."""
        return list(self._epochs[epoch].received) if epoch in self._epochs else []

    def next_seq(self, epoch: str) -> int:
        """All of ``epoch`` below this were made, as far as is known; 1 where nothing is."""
        return self._epochs[epoch].end if epoch in self._epochs else 1

    def missing(self) -> dict[str, list[Range]]:
        """Made, not given up by the device, and not here: lost on the way, or still to come."""
        return _told({name: one.missing() for name, one in self._epochs.items()})

    def expired(self) -> dict[str, list[Range]]:
        """Given up by the device, by its own word, before they arrived here."""
        return _told({name: one.expired.minus(one.received) for name, one in self._epochs.items()})

    def repaired(self) -> dict[str, list[Range]]:
        """Were missing once and came when sent again."""
        return _told({name: one.repaired for name, one in self._epochs.items()})

    def to_ask(self) -> dict[str, list[Range]]:
        """Of what is missing, that which the device still keeps.

        Only of the epoch that the device counts in now: the outbox of an earlier one has been set aside.
        """
        one = self._epochs.get(self.epoch)
        if one is None or one.oldest_kept is None:
            return {}
        return _told({self.epoch: one.missing().within(one.oldest_kept, one.end)})

    def _of(self, epoch: str) -> _Epoch:
        if epoch not in self._epochs:
            # A new epoch of a device that we know begins before our ears.
            self._epochs[epoch] = _Epoch(first=1 if self._whole or self._epochs else None)
        return self._epochs[epoch]

    def _take(self, message: _Durable) -> Arrival:
        one = self._of(message.epoch)
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

    def _note(self, outbox: _Outbox, fresh: bool) -> None:
        """The device tells how far it has counted. ``fresh``: now, and not when the broker last heard of it."""
        one = self._of(outbox.epoch)
        self.epoch = outbox.epoch
        if one.first is None and fresh:
            one.first = outbox.next_seq
        if outbox.next_seq >= one.end or fresh:
            one.oldest_kept = outbox.oldest_kept
        one.end = max(one.end, outbox.next_seq)
        for first, last in outbox.expired:
            if first <= last:
                one.expired.add(first, last)

    def _replay_begins(self) -> None:
        """The replay lane may go back: at a new connection, which ``state`` begins, and when it is asked to."""
        for one in self._epochs.values():
            one.newest = {lane: seq for lane, seq in one.newest.items() if lane[1] is LIVE}


class Ledger:
    """Of all devices below ``root``."""

    def __init__(self, root: str = "edge/v1", *, whole: bool = True) -> None:
        """``whole``: what was made before we listened is missing too. False: count from where we began to listen."""
        self._prefix = f"{root}/"
        self._whole = whole
        self._devices: dict[tuple[str, str], DeviceLedger] = {}

    def devices(self) -> Mapping[tuple[str, str], DeviceLedger]:
        """By (site, device); a view that follows."""
        return MappingProxyType(self._devices)

    def feed(self, topic: str, payload: bytes, *, retained: bool = False) -> Arrival:
        """Take in one message. ``retained``: the broker kept it, it may be old. Raises nothing, whatever is fed."""
        site, device, suffix = self.split(topic)
        kind, _, stream = suffix.partition("/")
        try:
            if kind in ("findings", "coverage") and stream:
                message = _durable.decode(payload)
                if message.device != device or message.stream != stream or _SCHEMAS[message.schema] != kind:
                    return Arrival.NOT_OURS
                return self._of(site, device)._take(message)
            if suffix == topics.STATE:
                return self._take_state(site, device, _state.decode(payload), retained)
            if suffix == topics.HEALTH:
                return self._take_health(site, device, _health.decode(payload), retained)
        except msgspec.MsgspecError:
            return Arrival.NOT_OURS
        if suffix in REPLAY_MARKS and (site, device) in self._devices:
            self._devices[site, device]._replay_begins()
            return Arrival.NOTED
        return Arrival.NOT_OURS

    def split(self, topic: str) -> tuple[str, str, str]:
        """(site, device, suffix) of ``topic``; empty where it is not below the root."""
        if not topic.startswith(self._prefix):
            return "", "", ""
        site, _, rest = topic[len(self._prefix) :].partition("/")
        device, _, suffix = rest.partition("/")
        return (site, device, suffix) if site and device else ("", "", "")

    def _of(self, site: str, device: str) -> DeviceLedger:
        key = (site, device)
        if key not in self._devices:
            self._devices[key] = DeviceLedger(self._whole)
        return self._devices[key]

    def _take_state(self, site: str, device: str, state: _State, retained: bool) -> Arrival:
        if state.device != device:
            return Arrival.NOT_OURS
        one = self._of(site, device)
        is_will = state.mono_ns is None
        if is_will and one.run_id not in ("", state.run_id):
            return Arrival.STALE
        one.run_id = state.run_id
        if not is_will:
            one._replay_begins()
        if state.outbox is not None:
            one._note(state.outbox, fresh=not retained)
        return Arrival.NOTED

    def _take_health(self, site: str, device: str, health: _Health, retained: bool) -> Arrival:
        if health.device != device:
            return Arrival.NOT_OURS
        if health.replayed:
            return Arrival.STALE
        one = self._of(site, device)
        if health.outbox_epoch:
            told = _Outbox(
                epoch=health.outbox_epoch,
                oldest_kept=health.outbox_oldest_kept,
                next_seq=health.outbox_next_seq,
                expired=health.outbox_expired,
            )
            one._note(told, fresh=not retained)
        return Arrival.NOTED


class _Epoch:
    """What is known of one epoch."""

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


def _told(by_epoch: dict[str, RangeSet]) -> dict[str, list[Range]]:
    return {epoch: list(ranges) for epoch, ranges in by_epoch.items() if len(ranges)}


# Only the fields that the ledger lives by: it must understand devices that are newer than itself.


class _Durable(msgspec.Struct, frozen=True):
    device: str
    stream: str
    epoch: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    seq: Seq
    schema: Literal["finding/1", "coverage/1"]
    replayed: bool = False


class _Outbox(msgspec.Struct, frozen=True):
    epoch: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    next_seq: Seq
    oldest_kept: int | None = None
    expired: list[tuple[Seq, Seq]] = []


class _State(msgspec.Struct, frozen=True):
    device: str
    run_id: str
    schema: Literal["state/1"]
    mono_ns: int | None = None
    """Missing in a will: the broker speaks it."""
    outbox: _Outbox | None = None


class _Health(msgspec.Struct, frozen=True):
    device: str
    schema: Literal["health/1"]
    outbox_epoch: str = ""
    outbox_oldest_kept: int | None = None
    outbox_next_seq: Seq = 1
    outbox_expired: list[tuple[Seq, Seq]] = []
    replayed: bool = False


_SCHEMAS = {"finding/1": "findings", "coverage/1": "coverage"}
_durable = msgspec.json.Decoder(_Durable)
_state = msgspec.json.Decoder(_State)
_health = msgspec.json.Decoder(_Health)
