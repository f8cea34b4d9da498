"""Overview of a fleet, one row per device: its state, its numbers, and which messages are missing."""

from __future__ import annotations

import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import msgspec

from edge.contracts.names import is_name
from edge.fleet.last_messages import HealthNumbers, LastFinding, LastMessages
from edge.fleet.ledger import DEVICES_LIMIT, NO_DEVICE, Arrival, DeviceLedger, Ledger, RejectedCounts
from edge.fleet.ranges import Range
from edge.fleet.signs_of_life import SignsOfLife

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

BRIDGE = "bridge"
"""Last level of the topic on which a site's bridge says whether it is connected."""
REQUESTS_OFF = "requests off: what is missing cannot be asked for"
DeviceKey = tuple[str, str]
"""(site, device)."""
RangesByEpoch = dict[str, list[Range]]
"""Ranges of sequence numbers, by epoch."""
RowState = Literal["cut off", "silent", "offline", "unknown", "degraded", "online"]
"""State of a device as the watcher knows it.

``silent``: no sign of life for too long, whatever it said last. ``cut off``: the bridge of its site is down.
``unknown``: it has said nothing of its state, or nothing since the watch began. The others: what it says itself.
"""
SEVERITY: tuple[RowState, ...] = ("cut off", "silent", "offline", "unknown", "degraded", "online")
"""All row states, the worst first; devices stopped on purpose: `row_rank.rank`."""


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
    takes_requests: bool | None
    """Whether it says that requests are switched on; None: it does not say."""
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
        self.request_notes: dict[DeviceKey, str] = {}
        """What whoever requests missing messages has to say of a device; shown in its row."""
        self._clock = clock
        self._last_messages: dict[DeviceKey, LastMessages] = {}
        self._bridges: dict[str, bool] = {}
        """Site -> whether its bridge says that it is connected."""

    def feed(
        self, topic: str, payload: bytes, *, retained: bool = False, at: float | None = None, listening: bool = True
    ) -> Arrival:
        """Process one message; raises nothing, whatever is fed.

        ``at``: when it arrived; None: now. ``listening``: whether findings that are made from now on arrive here too;
        False: what the device has counted until now says nothing of what is missing.
        """
        now = self._clock() if at is None else at
        verdict = self.ledger.feed(topic, payload, retained=retained or not listening)
        site, device, suffix = self.ledger.split_topic(topic)
        if device == BRIDGE and not suffix:
            return self._feed_bridge(site, payload)
        key = (site, device)
        if key == NO_DEVICE or not (key in self.ledger.devices() or key in self.ledger.rejected()):
            return verdict
        if key not in self._last_messages:
            self._last_messages[key] = LastMessages(SignsOfLife(now))
        self._last_messages[key].feed(suffix, payload, verdict, retained, now)
        return verdict

    def rows(self) -> list[DeviceRow]:
        """Rows of all devices, sorted by site and name; also of those of which nothing could be read."""
        now = self._clock()
        keys = self.ledger.devices().keys() | self.ledger.rejected().keys()
        rows = [self._row(key, now) for key in sorted(keys - {NO_DEVICE})]
        return [row for row in rows if row is not None]

    def unassigned(self) -> int:
        """Number of unreadable messages whose topic names no device."""
        return self.ledger.rejected()[NO_DEVICE].unreadable

    def all_healths_known(self) -> bool:
        """Whether of every readable device is known how it is: by its ``health``, or as offline, silent or cut off."""
        now = self._clock()
        return all(
            last.signs.health_at is not None or self._state(key[0], last, now) in ("offline", "silent", "cut off")
            for key, last in self._last_messages.items()
            if key in self.ledger.devices() and not last.deleted
        )

    def bridges(self) -> Mapping[str, bool]:
        """Sites whose bridge says whether it is connected; a live view."""
        return MappingProxyType(self._bridges)

    def with_state(self) -> set[DeviceKey]:
        """Devices whose ``state`` has arrived, and was not deleted since."""
        return {key for key, last in self._last_messages.items() if last.has_state}

    def without_state(self, for_s: float) -> list[DeviceKey]:
        """Devices heard of for ``for_s`` seconds whose ``state`` has not arrived."""
        limit = self._clock() - for_s
        return [
            key for key, last in self._last_messages.items() if not last.has_state and last.signs.known_since < limit
        ]

    def state_of(self, key: DeviceKey) -> RowState:
        """State of one device, as in its row."""
        last = self._last_messages.get(key)
        return "unknown" if last is None else self._state(key[0], last, self._clock())

    def takes_requests(self, key: DeviceKey) -> bool | None:
        """Whether a device says that it takes requests; None: it does not say."""
        last = self._last_messages.get(key)
        return None if last is None else last.takes_requests

    def _feed_bridge(self, site: str, payload: bytes) -> Arrival:
        """Process what a site's bridge says of its connection: ``1``, ``0``, or nothing, when it was deleted."""
        if not is_name(site) or (site not in self._bridges and len(self._bridges) >= DEVICES_LIMIT):
            return Arrival.NOT_OURS
        if payload in (b"0", b"1"):
            self._bridges[site] = payload == b"1"
        elif not payload:
            self._bridges.pop(site, None)
        else:
            return Arrival.NOT_OURS
        return Arrival.NOTED

    def _state(self, site: str, last: LastMessages, now: float) -> RowState:
        if self._bridges.get(site) is False:
            return "cut off"
        said = last.state.status
        if said == "offline":
            return said
        if last.signs.silent(now):
            return "silent"
        # What the broker kept says how the device was when somebody last heard it, not that it is there.
        return said if last.signs.heard_at is not None else "unknown"

    def _row(self, key: DeviceKey, now: float) -> DeviceRow | None:
        """The row of a device; None for one that was deleted at the broker, and misses nothing."""
        last = self._last_messages.get(key) or LastMessages(SignsOfLife(now))
        ledger = self.ledger.devices().get(key) or DeviceLedger(whole=False)
        rejected = self.ledger.rejected().get(key) or RejectedCounts()
        state = self._state(key[0], last, now)
        missing = ledger.missing()
        if last.deleted and not missing:
            return None
        # Old numbers would read as if the device were there and they held now.
        fresh = state not in ("offline", "silent", "cut off") and last.signs.health_is_fresh(now)
        health = last.health if fresh and last.health is not None else HealthNumbers()
        heard_at = last.signs.heard_at
        return DeviceRow(
            site=key[0],
            device=key[1],
            state=state,
            said=last.state.status,
            reasons=last.state.reasons,
            heard=None if heard_at is None else round(max(0.0, now - heard_at), 1),
            notes=self._notes(key, last, missing),
            takes_requests=last.takes_requests,
            model=last.model,
            runtime=last.runtime,
            fps=health.fps,
            p99_ms=health.total_p99_ms,
            temperature_c=health.temperature_c,
            outbox=health.outbox_depth,
            last_finding=last.last_finding(now),
            received=sum(ledger.received(epoch) for epoch in ledger.epochs()),
            missing=missing,
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

    def _notes(self, key: DeviceKey, last: LastMessages, missing: RangesByEpoch) -> list[str]:
        notes = []
        if last.signs.heard_at is None:
            notes.append("not heard yet")
        if last.deleted:
            notes.append("its state was deleted at the broker")
        if missing and last.takes_requests is False:
            notes.append(REQUESTS_OFF)
        elif key in self.request_notes:
            notes.append(self.request_notes[key])
        return notes


def count_messages(ranges: RangesByEpoch) -> int:
    """Number of messages in all ranges of all epochs."""
    return sum(last - first + 1 for some in ranges.values() for first, last in some)
