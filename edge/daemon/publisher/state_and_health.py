"""Makes `state` and `health`, decides when they are due, and sends them to the sinks.

``state`` is sent to a sink on every new connection, and to all when something in it that matters has changed; the
numbers of the outbox change all the time and are sent anew in every ``health``.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from edge import __version__
from edge.contracts import precision, topics
from edge.contracts.frame_report import FrameReport
from edge.contracts.health import Health
from edge.contracts.ports import Outgoing
from edge.contracts.state import ClockMark, OutboxState, State
from edge.daemon.publisher import process_metrics
from edge.outbox.missed_health import MissedHealthCounts
from edge.process.usage import uptime_s

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge.app.envelope import EnvelopeMaker
    from edge.contracts.ports import Sink
    from edge.daemon.publisher.machine_health import MachineHealth
    from edge.daemon.publisher.shared_sink import SharedSinkPart
    from edge.outbox.rows import OutboxDepth
    from edge.process.shared_notes import SharedNotes

STATE_EVERY_S = 0.5
"""Changes that follow each other faster are sent together."""
CHECK_EVERY_S = 0.2
STATE_WAIT_S = 2.0
"""So long a `health` that is due waits for our `state` to be sent first; then it is kept for who was not told."""
LACKING_EVERY_S = 1.0
"""A `health` that a sink lacks is sent so often at most, however its connection comes and goes."""
REPORT_TIMEOUT_S = 10.0
"""The frame process reports every second; so long without is a reason to say so."""

Status = Literal["online", "degraded", "offline"]


class StateAndHealth:
    """Publishes `state` and `health` of one daemon: to each of ``sinks`` what it has not been sent yet."""

    def __init__(
        self,
        envelopes: EnvelopeMaker,
        sinks: Sequence[Sink],
        state_dir: Path,
        health_every_s: float,
        root_pid: int,
        capabilities: Sequence[str],
        machine_health: MachineHealth,
        viewer_notes: SharedNotes | None = None,
        has_feedback: bool = False,
    ) -> None:
        """``root_pid``: the supervisor's; health counts the memory of it and all its descendants.

        ``capabilities``: what the publisher itself can do, beside what the frame process reports.
        ``machine_health``: the machine's sensors. ``viewer_notes``: where the viewer reads why we are not well.
        ``has_feedback``: whether there may be `feedback` in the outbox.
        """
        self._viewer_notes, self._has_feedback = viewer_notes, has_feedback
        self._capabilities = capabilities
        self._machine_health = machine_health
        self.missed_health = MissedHealthCounts()
        """What `health` says of the samples that are kept for sinks that missed them."""
        self.stored_topics: frozenset[str] = frozenset()
        """First levels of the topics of what lies in the outboxes, also of an earlier model."""
        self._envelopes = envelopes
        self._sinks = sinks
        self._state_dir = state_dir
        self._health_every_s = health_every_s
        self._root_pid = root_pid
        self._report: FrameReport | None = None
        self._reported_at = 0.0
        self._clock_mark: ClockMark | None = None
        self._status: Status = "online"
        self._content: tuple[object, ...] = ()
        self._version = 0
        self._changed_at = 0.0
        self._sent: dict[str, tuple[int, int]] = {}
        """Sink name -> (session, version of the state) that was sent last."""
        self._health_at = time.monotonic()
        self._lacking: set[str] = set()
        """Names of sinks that are not durable and did not get the last `health`: nothing is kept for them."""
        self._lacking_at = 0.0
        self._check_at = 0.0

    def set_report(self, report: FrameReport) -> None:
        """Take the latest report of the frame process.

        The first report ends the start: `state` is sent at once, however short the run.
        """
        if self._report is None:
            self._check_at, self._changed_at = 0.0, -math.inf
        self._report, self._reported_at = report, time.monotonic()

    def state_sent(self, sink: Sink | SharedSinkPart) -> bool:
        """Whether our state was sent on ``sink``'s present connection: findings come after that."""
        return self._sent.get(sink.name, (0, 0))[0] == sink.session

    def state_sent_to_all(self) -> bool:
        """Whether our state was sent on every connection that there is now."""
        return all(self.state_sent(sink) or not sink.session for sink in self._sinks)

    def state_due(self) -> bool:
        """Whether `publish_state` should be called: a new connection, or time to look for changes."""
        return time.monotonic() >= self._check_at or any(
            sink.session and not self.state_sent(sink) for sink in self._sinks
        )

    def health_due(self) -> bool:
        """Whether `publish_health` should be called: the next sample is due.

        On a new connection it waits a little for our `state`, which comes first.
        """
        late_s = time.monotonic() - self._health_at
        return late_s >= 0 and (late_s >= STATE_WAIT_S or self.state_sent_to_all())

    def health_lacking(self) -> bool:
        """Whether `publish_health_to_lacking` should be called: one that had no connection has one now."""
        return bool(self._lacking) and time.monotonic() >= self._lacking_at and bool(self._told_lacking())

    def publish_state(self, outbox: OutboxState | None, problems: Sequence[str]) -> None:
        """Send ``state`` to every sink that needs it. ``problems``: reason words of the publisher itself."""
        self._check_at = time.monotonic() + CHECK_EVERY_S
        if self._status != "offline":
            reasons = self._reasons(problems)
            self._tell_viewer(reasons)
            self._status = "degraded" if reasons else "online"
            self._update_version(outbox, reasons)
        else:
            reasons = ["stopped", *problems]
        waiting = [sink for sink in self._sinks if sink.session and self._sent.get(sink.name) != self._to_send(sink)]
        if waiting:
            body = msgspec.json.encode(self._state(outbox, reasons))
            for sink in waiting:
                version = self._to_send(sink)
                if sink.send(Outgoing(topics.STATE, body, None, qos=1, retain=True)):
                    self._sent[sink.name] = version

    def publish_health(self, outbox: OutboxState | None, depth: OutboxDepth | None) -> tuple[bytes, list[str]]:
        """Send ``health``; its body, and the names of the durable sinks that it was not sent to.

        They are away, have no room, or were not sent our `state` yet, which comes first.
        """
        self._health_at += self._health_every_s
        if self._health_at < time.monotonic():  # the machine slept: no catching up
            self._health_at = time.monotonic() + self._health_every_s
        body = msgspec.json.encode(self.health(outbox, depth))
        message = Outgoing(topics.HEALTH, body, None, qos=0)
        away = [sink for sink in self._sinks if not (self._told(sink) and sink.send(message))]
        self._lacking = {sink.name for sink in away if not sink.durable}
        return body, [sink.name for sink in away if sink.durable]

    def publish_health_to_lacking(self, outbox: OutboxState | None, depth: OutboxDepth | None) -> None:
        """Send a `health` of now to connected sinks that lack the last one, which is not kept for them."""
        self._lacking_at = time.monotonic() + LACKING_EVERY_S
        body = msgspec.json.encode(self.health(outbox, depth))
        for sink in self._told_lacking():
            if sink.send(Outgoing(topics.HEALTH, body, None, qos=0)):
                self._lacking.discard(sink.name)

    def _told_lacking(self) -> list[Sink]:
        return [sink for sink in self._sinks if sink.name in self._lacking and self._told(sink)]

    def _told(self, sink: Sink) -> bool:
        return bool(sink.session) and self.state_sent(sink)

    def publish_offline(self, outbox: OutboxState | None, why: Sequence[str] = ()) -> None:
        """Send ``state`` with status ``offline``: we were asked to end. ``why``: reason words beside ``stopped``."""
        self._status = "offline"
        self._version += 1
        self.publish_state(outbox, why)

    def _reasons(self, problems: Sequence[str]) -> list[str]:
        if self._report is None:
            reasons = ["starting"]
        elif time.monotonic() - self._reported_at > REPORT_TIMEOUT_S:
            reasons = [*self._report.reasons, "frames_silent"]
        else:
            reasons = list(self._report.reasons)
        reasons += problems
        reasons += self._machine_health.reasons()
        reasons += [f"{sink.name}:{word}" for sink in self._sinks for word in sink.problems()]
        return list(dict.fromkeys(reasons))

    def _update_version(self, outbox: OutboxState | None, reasons: list[str]) -> None:
        """Count a new version of the state if something in it has changed that matters."""
        self._mark_clock()
        report = None if self._report is None else msgspec.structs.replace(self._report, numbers=_NO_NUMBERS)
        epoch = None if outbox is None else (outbox.epoch, tuple(outbox.expired))
        content = (reasons, report, epoch, self._clock_mark, self.stored_topics)
        now = time.monotonic()
        if content != self._content and now - self._changed_at >= STATE_EVERY_S:
            self._content, self._changed_at = content, now
            self._version += 1

    def _mark_clock(self) -> None:
        if self._clock_mark is None:
            stamp = self._envelopes.fields()
            if stamp["clock"] == "synced":
                self._clock_mark = ClockMark(boot_id=stamp["boot_id"], mono_ns=stamp["mono_ns"], utc=stamp["at"])

    def _to_send(self, sink: Sink) -> tuple[int, int]:
        return (sink.session, self._version)

    def _state(self, outbox: OutboxState | None, reasons: list[str]) -> State:
        report = self._report or FrameReport(version=__version__)
        return State(
            **self._envelopes.fields(),
            status=self._status,
            reasons=reasons,
            version=report.version,
            model=report.model,
            runtime=report.runtime,
            streams=report.streams,
            capabilities=[*report.capabilities, *self._capabilities],
            outbox=outbox,
            clock_mark=self._clock_mark,
            health_every_s=self._health_every_s,
            **other_kind(report),
            **other_topics(report, self.stored_topics, has_feedback=self._has_feedback),
        )

    def _tell_viewer(self, reasons: list[str]) -> None:
        if self._viewer_notes is not None:
            note = {"at_ns": time.monotonic_ns(), "reasons": [reason[:100] for reason in reasons[:30]]}
            self._viewer_notes.write(msgspec.json.encode(note))

    def health(self, outbox: OutboxState | None, depth: OutboxDepth | None) -> Health:
        """The `Health` message of this moment. ``outbox`` and ``depth`` None: there is no outbox."""
        numbers = self._report.numbers if self._report is not None else _NO_NUMBERS
        readings = self._machine_health.readings
        return Health(
            **self._envelopes.fields(),
            **msgspec.structs.asdict(numbers),
            uptime_s=uptime_s(self._root_pid),
            temperature_c=readings.temperature_c,
            throttled=self._machine_health.flags(),
            clock_mhz=readings.clock_mhz,
            power_w=readings.power_w,
            memory_mb=process_metrics.memory_mb(self._root_pid),
            disk_free_mb=process_metrics.disk_free_mb(self._state_dir),
            outbox_depth=0 if depth is None else depth.pending,
            outbox_age_s=0.0 if depth is None else precision.seconds(depth.oldest_age_s),
            outbox_bytes=0 if depth is None else depth.used_bytes,
            outbox_epoch="" if outbox is None else outbox.epoch,
            outbox_oldest_kept=None if outbox is None else outbox.oldest_kept,
            outbox_next_seq=1 if outbox is None else outbox.next_seq,
            outbox_expired=[] if outbox is None else outbox.expired,
            telemetry_waiting=self.missed_health.waiting,
            telemetry_expired=self.missed_health.expired,
            telemetry_expired_from=self.missed_health.expired_from,
            telemetry_expired_to=self.missed_health.expired_to,
        )


def other_kind(report: FrameReport) -> dict[str, Any]:
    """What `State` says of a model that is no lesion model; nothing for one that is."""
    return {} if report.judges == "lesion" else {"judges": report.judges, "gate": report.gate}


def other_topics(report: FrameReport, stored: frozenset[str], *, has_feedback: bool = False) -> dict[str, Any]:
    """Topics that `State` names where there are others than a lesion model's: the model's own, or in the outbox.

    A model may have taken another's place: what that one found may still have to be counted, or asked for. With a page,
    people's feedback is one of them.
    """
    named = set(topics.DURABLE_TOPICS if report.judges == "lesion" else topics.ALL_DURABLE_TOPICS)
    named |= {each for each in stored if topics.is_durable(each)}
    named |= {topics.FEEDBACK} if has_feedback else set()
    if named == set(topics.DURABLE_TOPICS):
        return {}
    order = [each for each in topics.ALL_DURABLE_TOPICS if each in named]
    others = sorted(named.difference(order))
    return {"durable_topics": (*order, *others)[: topics.DURABLE_TOPICS_LIMIT]}


_NO_NUMBERS = FrameReport(version="").numbers
