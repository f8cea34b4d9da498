"""The last message of each kind that a device sent, as far as the fleet overview shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from edge.contracts import topics
from edge.contracts.decoding import UnreadableError, decode_json
from edge.fleet.device_ledger import Arrival
from edge.fleet.ledger_messages import MESSAGE_LIMIT

if TYPE_CHECKING:
    from edge.fleet.signs_of_life import SignsOfLife

READABLE = {Arrival.NEW, Arrival.REPAIRED, Arrival.DUPLICATE, Arrival.NOTED}
"""Verdicts on messages of which the overview reads its own part."""
FOUND = (f"{topics.FINDINGS}/", f"{topics.LABELS}/")
"""Topics of what models find."""
REQUESTS = "requests"
"""Capability of a device that takes requests."""

# The fields that are read of the messages. All may be absent: a will has next to none, other versions have others.

Text = Annotated[str, msgspec.Meta(max_length=200)]


class LastFinding(msgspec.Struct, frozen=True, kw_only=True):
    """The newest finding that arrived from a device."""

    stream: str
    lifecycle: str
    malignancy: float | None
    suspicious: bool | None
    call_uncertain: bool = False
    """Whether ``suspicious`` is an uncertain call; false of devices that do not say so."""
    label: str = ""
    """Label of a classifier; empty: the finding is a lesion's."""
    score: float | None = None
    """Score of the label."""
    age_s: float
    """Seconds since it arrived here, by our own clock: those of devices may be wrong."""


class ModelOrRuntimeName(msgspec.Struct, frozen=True):
    """Name of a model or a runtime in a ``state`` message."""

    name: Text = ""
    version: Text = ""
    delegate: Text | None = None


class StateSummary(msgspec.Struct, frozen=True):
    """Fields of a ``state`` message that the overview shows."""

    status: Literal["online", "degraded", "offline", "unknown"] = "unknown"
    reasons: Annotated[list[Text], msgspec.Meta(max_length=100)] = []
    model: ModelOrRuntimeName | None = None
    runtime: ModelOrRuntimeName | None = None
    run_id: Any = None
    mono_ns: Any = None
    """Missing in a last will: the broker publishes it, not the device."""
    health_every_s: Any = None
    capabilities: Any = None


class HealthNumbers(msgspec.Struct, frozen=True):
    """Fields of a ``health`` message that the overview shows."""

    fps: float | None = None
    total_p99_ms: float | None = None
    temperature_c: float | None = None
    outbox_depth: int | None = None


class _HealthStamp(msgspec.Struct, frozen=True):
    run_id: str = ""
    mono_ns: int | None = None


class _Finding(msgspec.Struct, frozen=True):
    schema: Text = ""
    stream: Text = ""
    lifecycle: Text = ""
    malignancy: float | None = None
    suspicious: bool | None = None
    call_uncertain: bool | None = None
    label: Text = ""
    score: float | None = None
    replayed: bool = False


@dataclass(slots=True)
class LastMessages:
    """The last message of each kind that one device sent, and when it was heard."""

    signs: SignsOfLife
    state: StateSummary = field(default_factory=StateSummary)
    has_state: bool = False
    """Whether a ``state`` arrived, readable or not."""
    deleted: bool = False
    """Whether its retained state was deleted at the broker, and it has not been heard since."""
    model: str | None = None
    runtime: str | None = None
    takes_requests: bool | None = None
    health: HealthNumbers | None = None
    finding: _Finding | None = None
    finding_at: float = 0.0
    unreadable: int = 0
    """Messages of which the ledger could read its part, and we could not read ours."""

    def feed(self, suffix: str, payload: bytes, verdict: Arrival, retained: bool, now: float) -> None:
        """Process one message on a topic of the device, and the ledger's verdict on it; raises nothing."""
        if suffix == topics.STATE and not payload:
            self.deleted, self.has_state, self.state = not retained, False, StateSummary()
            return
        own = verdict is not Arrival.FOREIGN and not suffix.startswith(f"{topics.REQUEST}/") and not retained
        if own and suffix != topics.STATE:
            self._hear(now)
        try:
            if suffix == topics.STATE:
                self._feed_state(payload, verdict, own, now)
            elif suffix == topics.HEALTH and verdict is Arrival.NOTED:
                self._feed_health(payload, own, now)
            elif suffix.startswith(FOUND) and verdict in (Arrival.NEW, Arrival.REPAIRED):
                self._update_finding(decode_json(payload, _Finding, limit=MESSAGE_LIMIT), now)
        except UnreadableError:
            if verdict in READABLE:  # the ledger could read what it needs; the rest is of another version, and unknown
                self.unreadable += 1

    def last_finding(self, now: float) -> LastFinding | None:
        """The newest finding, with its age; None: there was none."""
        if self.finding is None:
            return None
        return LastFinding(
            stream=self.finding.stream,
            lifecycle=self.finding.lifecycle,
            malignancy=self.finding.malignancy,
            suspicious=self.finding.suspicious,
            call_uncertain=bool(self.finding.call_uncertain),
            label=self.finding.label,
            score=self.finding.score,
            age_s=round(max(0.0, now - self.finding_at), 1),
        )

    def _hear(self, now: float) -> None:
        self.signs.hear(now)
        self.deleted = False

    def _feed_state(self, payload: bytes, verdict: Arrival, own: bool, now: float) -> None:
        if verdict is Arrival.FOREIGN:
            return
        self.has_state = True
        if verdict is not Arrival.NOTED:  # unreadable, or the will of an earlier run
            if own and verdict is Arrival.UNREADABLE:
                self._hear(now)
            return
        self.deleted = False
        before = self.state
        state = decode_json(payload, StateSummary, limit=MESSAGE_LIMIT)
        # A bridge sends what it retained again when its connection returns: that is no sign of the device.
        again = (state.run_id, state.mono_ns) == (before.run_id, before.mono_ns)
        if own and state.mono_ns is not None and not again:
            self._hear(now)
        self.state = state
        if state.mono_ns is None:
            return  # a will does not say the rest; what was last known still holds
        self.signs.set_interval(state.health_every_s)
        if isinstance(state.capabilities, list) and state.capabilities:
            self.takes_requests = REQUESTS in state.capabilities
        if state.model is not None:
            self.model = f"{state.model.name} {state.model.version}".strip()
        if state.runtime is not None:
            delegate = f"+{state.runtime.delegate}" if state.runtime.delegate else ""
            self.runtime = state.runtime.name + delegate

    def _feed_health(self, payload: bytes, own: bool, now: float) -> None:
        if not own:
            return  # a health that the broker kept tells nothing of now
        try:
            stamp = decode_json(payload, _HealthStamp, limit=MESSAGE_LIMIT)
        except UnreadableError:
            stamp = _HealthStamp()
        self.signs.hear_health(now, stamp.run_id, stamp.mono_ns)
        self.health = HealthNumbers()  # it told its health, even if not in our words: nobody waits for another
        self.health = decode_json(payload, HealthNumbers, limit=MESSAGE_LIMIT)

    def _update_finding(self, finding: _Finding, now: float) -> None:
        if not finding.schema.startswith(("finding/", "labels/")):  # a durable message of another kind
            return
        if self.finding is None or not finding.replayed:
            self.finding, self.finding_at = finding, now
