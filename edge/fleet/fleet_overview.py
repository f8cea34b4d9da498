"""Overview of a fleet, one row per device: its state, its numbers, and which messages are missing."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from edge.contracts import topics
from edge.contracts.decoding import UnreadableError, decode_json
from edge.fleet.ledger import NO_DEVICE, Arrival, DeviceLedger, Ledger, RejectedCounts
from edge.fleet.ledger_messages import MESSAGE_LIMIT
from edge.fleet.ranges import Range

if TYPE_CHECKING:
    from collections.abc import Callable

_OF_INTEREST = {Arrival.NEW, Arrival.REPAIRED, Arrival.DUPLICATE, Arrival.NOTED}
"""Verdicts on messages that are shown, or at least show that the device is there."""
RangesByEpoch = dict[str, list[Range]]
"""Ranges of sequence numbers, by epoch."""
RowState = Literal["silent", "cut off", "offline", "degraded", "unknown", "online"]
"""State of a device as the watcher knows it.

``silent``: no sign of life for too long, whatever it said last. ``cut off``: the bridge of its site is down.
``unknown``: it has said nothing of its state, or nothing since the watch began. The others: what it says itself.
"""
SEVERITY: tuple[RowState, ...] = ("silent", "cut off", "offline", "degraded", "unknown", "online")
"""All row states, the worst first."""


class LastFinding(msgspec.Struct, frozen=True, kw_only=True):
    """The newest finding that arrived from a device."""

    stream: str
    lifecycle: str
    malignancy: float | None
    suspicious: bool | None
    age_s: float
    """Seconds since it arrived here, by our own clock: those of devices may be wrong."""


class DeviceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One device's row in the overview. None: the device has not told this value."""

    site: str
    device: str
    state: RowState
    said: Literal["online", "degraded", "offline", "unknown"]
    """State that it last told itself, maybe long ago."""
    reasons: list[str]
    """Reasons that it told with it."""
    heard: float | None
    """Seconds since its last message of any kind, by our own clock; None: none yet. Retained messages do not count."""
    notes: list[str]
    """Remarks of the watcher: for example that the device does not take requests."""
    model: str | None
    runtime: str | None
    fps: float | None
    p99_ms: float | None
    temperature_c: float | None
    outbox: int | None
    """Messages that wait on the device for a receiver."""
    last_finding: LastFinding | None
    received: int
    missing: RangesByEpoch
    repaired: RangesByEpoch
    expired: RangesByEpoch
    duplicates: int
    uncompared: int
    """Those of the duplicates whose first copy is too long ago to be compared."""
    violations: int
    conflicting: int
    """Messages under the number of another one: two devices count as one, or one is forged."""
    implausible: int
    """Messages and claims with numbers that the device cannot have reached."""
    unreadable: int
    """Messages on its topics that could not be read, or only in part."""
    foreign: int
    """Messages on its topics that say that they are of another device or stream."""


class FleetOverview:
    """A delivery ledger, and the last state, health and finding of every device."""

    def __init__(
        self, root: str = "edge/v1", *, whole: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``whole``: see `Ledger`. ``clock``: seconds that only grow."""
        self.ledger = Ledger(root, whole=whole)
        self._clock = clock
        self._last_messages: dict[tuple[str, str], _LastMessages] = {}

    def feed(self, topic: str, payload: bytes, *, retained: bool = False) -> Arrival:
        """Process one message. Raises nothing, whatever is fed."""
        verdict = self.ledger.feed(topic, payload, retained=retained)
        if verdict not in _OF_INTEREST:
            return verdict
        site, device, suffix = self.ledger.split_topic(topic)
        last = self._last_messages.setdefault((site, device), _LastMessages())
        try:
            if suffix == topics.STATE:
                last.update_state(decode_json(payload, _State, limit=MESSAGE_LIMIT))
            elif suffix == topics.HEALTH:
                last.health = _Health()  # it told its health, even if not in our words: nobody waits for another
                last.health = decode_json(payload, _Health, limit=MESSAGE_LIMIT)
            elif suffix.startswith("findings/") and verdict in (Arrival.NEW, Arrival.REPAIRED):
                last.update_finding(decode_json(payload, _Finding, limit=MESSAGE_LIMIT), self._clock())
        except UnreadableError:
            last.unreadable += 1  # the ledger could read what it needs; the rest is of another version, and is unknown
        return verdict

    def rows(self) -> list[DeviceRow]:
        """Rows of all devices, sorted by site and name; also of those of which nothing could be read."""
        now = self._clock()
        keys = self.ledger.devices().keys() | self.ledger.rejected().keys()
        return [self._row(key, now) for key in sorted(keys - {NO_DEVICE})]

    def unassigned(self) -> int:
        """Number of unreadable messages whose topic names no device."""
        return self.ledger.rejected()[NO_DEVICE].unreadable

    def all_healths_known(self) -> bool:
        """Whether every device that is not offline has sent its ``health`` too."""
        return all(last.health is not None or last.state.status == "offline" for last in self._last_messages.values())

    def _row(self, key: tuple[str, str], now: float) -> DeviceRow:
        last = self._last_messages.get(key) or _LastMessages()
        ledger = self.ledger.devices().get(key) or DeviceLedger(whole=False)
        rejected = self.ledger.rejected().get(key) or RejectedCounts()
        # Numbers of a device that has gone would read as if it were there.
        health = last.health if last.health is not None and last.state.status != "offline" else _Health()
        return DeviceRow(
            site=key[0],
            device=key[1],
            state=last.state.status,
            said=last.state.status,
            heard=None,
            notes=[],
            reasons=last.state.reasons,
            model=last.model,
            runtime=last.runtime,
            fps=health.fps,
            p99_ms=health.total_p99_ms,
            temperature_c=health.temperature_c,
            outbox=health.outbox_depth,
            last_finding=last.last_finding(now),
            received=sum(ledger.received(epoch) for epoch in ledger.epochs()),
            missing=ledger.missing(),
            repaired=ledger.repaired(),
            expired=ledger.expired(),
            duplicates=ledger.duplicates,
            uncompared=ledger.uncompared,
            violations=ledger.violations,
            conflicting=ledger.conflicting,
            implausible=ledger.implausible,
            unreadable=rejected.unreadable + last.unreadable,
            foreign=rejected.foreign,
        )


def count_messages(ranges: RangesByEpoch) -> int:
    """Number of messages in all ranges of all epochs."""
    return sum(last - first + 1 for some in ranges.values() for first, last in some)


# The fields that are read of the messages. All may be absent: a will has next to none, other versions have others.

Text = Annotated[str, msgspec.Meta(max_length=200)]


class _ModelOrRuntime(msgspec.Struct, frozen=True):
    name: Text = ""
    version: Text = ""
    delegate: Text | None = None


class _State(msgspec.Struct, frozen=True):
    status: Literal["online", "degraded", "offline", "unknown"] = "unknown"
    reasons: Annotated[list[Text], msgspec.Meta(max_length=100)] = []
    model: _ModelOrRuntime | None = None
    runtime: _ModelOrRuntime | None = None


class _Health(msgspec.Struct, frozen=True):
    fps: float | None = None
    total_p99_ms: float | None = None
    temperature_c: float | None = None
    outbox_depth: int | None = None


class _Finding(msgspec.Struct, frozen=True):
    stream: Text = ""
    lifecycle: Text = ""
    malignancy: float | None = None
    suspicious: bool | None = None
    replayed: bool = False


@dataclass(slots=True)
class _LastMessages:
    """The last message of each kind that a device sent."""

    state: _State = field(default_factory=_State)
    model: str | None = None
    runtime: str | None = None
    health: _Health | None = None
    finding: _Finding | None = None
    finding_at: float = 0.0
    unreadable: int = 0
    """Messages of which the ledger could read its part, and we could not read ours."""

    def update_state(self, state: _State) -> None:
        self.state = state
        if state.model is not None:  # a will does not say; the last known one still holds
            self.model = f"{state.model.name} {state.model.version}".strip()
        if state.runtime is not None:
            delegate = f"+{state.runtime.delegate}" if state.runtime.delegate else ""
            self.runtime = state.runtime.name + delegate

    def update_finding(self, finding: _Finding, now: float) -> None:
        if self.finding is None or not finding.replayed:
            self.finding, self.finding_at = finding, now

    def last_finding(self, now: float) -> LastFinding | None:
        if self.finding is None:
            return None
        return LastFinding(
            stream=self.finding.stream,
            lifecycle=self.finding.lifecycle,
            malignancy=self.finding.malignancy,
            suspicious=self.finding.suspicious,
            age_s=round(now - self.finding_at, 1),
        )
