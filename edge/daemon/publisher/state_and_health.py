"""Who we are and how we are: makes `state` and `health`, and knows when to say them.

``state`` is said to a sink on every new connection, and to all when something in it that matters has changed; the
numbers of the outbox change all the time and are told anew in every ``health``.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Literal

import msgspec

from edge import __version__
from edge.contracts import topics
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

STATE_EVERY_S = 0.5
"""Changes that follow each other faster are told together."""
LOOK_EVERY_S = 0.2
SILENT_S = 10.0
"""The frame process reports every second; so long without is a reason to say so."""

Status = Literal["online", "degraded", "offline"]


class StateAndHealth:
    """Of one daemon. Tells each of ``sinks`` what it has not been told yet."""

    def __init__(
        self,
        envelopes: EnvelopeMaker,
        sinks: Sequence[Sink],
        state_dir: Path,
        health_every_s: float,
        root_pid: int,
        capabilities: Sequence[str],
        machine_health: MachineHealth,
    ) -> None:
        """``root_pid``: the supervisor's; health counts the memory of it and all its descendants.

        ``capabilities``: what the publisher itself can do, beside what the frame process reports. ``machine_health``: the
        machine's sensors.
        """
        self._capabilities = capabilities
        self._machine_health = machine_health
        self.telemetry = MissedHealthCounts()
        """What `health` says of the samples that are kept."""
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
        self._told: dict[str, tuple[int, int]] = {}
        """Sink name -> (session, version of the state) that was told last."""
        self._health_at = time.monotonic()
        self._look_at = 0.0

    def take(self, report: FrameReport) -> None:
        """The frame process has reported. The first report ends the start: told at once, however short the run."""
        if self._report is None:
            self._look_at, self._changed_at = 0.0, -math.inf
        self._report, self._reported_at = report, time.monotonic()

    def introduced(self, sink: Sink | SharedSinkPart) -> bool:
        """Whether ``sink``'s present connection has been told our state: findings come after that."""
        return self._told.get(sink.name, (0, 0))[0] == sink.session

    def introduced_to_all(self) -> bool:
        """Whether every sink that has a connection now has been sent our state on it."""
        return all(self.introduced(sink) or not sink.session for sink in self._sinks)

    def state_due(self) -> bool:
        """Whether `tell_state` should be called: a new connection, or time to look for changes."""
        return time.monotonic() >= self._look_at or any(
            sink.session and not self.introduced(sink) for sink in self._sinks
        )

    def health_due(self) -> bool:
        """Whether `tell_health` should be called."""
        return time.monotonic() >= self._health_at

    def tell_state(self, outbox: OutboxState | None, ailments: Sequence[str]) -> None:
        """Say ``state`` to every sink that needs it. ``ailments``: what the publisher itself suffers from."""
        self._look_at = time.monotonic() + LOOK_EVERY_S
        if self._status != "offline":
            reasons = self._reasons(ailments)
            self._status = "degraded" if reasons else "online"
            self._note(outbox, reasons)
        else:
            reasons = ["stopped"]
        waiting = [sink for sink in self._sinks if sink.session and self._told.get(sink.name) != self._to_tell(sink)]
        if waiting:
            body = msgspec.json.encode(self._state(outbox, reasons))
            for sink in waiting:
                told = self._to_tell(sink)
                if sink.send(Outgoing(topics.STATE, body, None, qos=1, retain=True)):
                    self._told[sink.name] = told

    def tell_health(self, outbox: OutboxState | None, depth: OutboxDepth | None) -> tuple[bytes, list[str]]:
        """Say ``health``; what was said, and the names of the durable sinks that are away, or have no room."""
        self._health_at += self._health_every_s
        if self._health_at < time.monotonic():  # the machine slept: no catching up
            self._health_at = time.monotonic() + self._health_every_s
        body = msgspec.json.encode(self.health(outbox, depth))
        away = []
        for sink in self._sinks:
            taken = bool(sink.session)
            if sink.session and self.introduced(sink):
                taken = sink.send(Outgoing(topics.HEALTH, body, None, qos=0))
            if sink.durable and not taken:
                away.append(sink.name)
        return body, away

    def say_goodbye(self, outbox: OutboxState | None) -> None:
        """Say ``offline``: we end because we were asked to."""
        self._status = "offline"
        self._version += 1
        self.tell_state(outbox, ())

    def _reasons(self, ailments: Sequence[str]) -> list[str]:
        if self._report is None:
            reasons = ["starting"]
        elif time.monotonic() - self._reported_at > SILENT_S:
            reasons = [*self._report.reasons, "frames_silent"]
        else:
            reasons = list(self._report.reasons)
        reasons += ailments
        reasons += self._machine_health.reasons()
        reasons += [f"{sink.name}:{word}" for sink in self._sinks for word in sink.problems()]
        return list(dict.fromkeys(reasons))

    def _note(self, outbox: OutboxState | None, reasons: list[str]) -> None:
        """Count a new version of the state if something in it has changed that matters."""
        self._mark_clock()
        report = None if self._report is None else msgspec.structs.replace(self._report, numbers=_NO_NUMBERS)
        epoch = None if outbox is None else (outbox.epoch, tuple(outbox.expired))
        content = (reasons, report, epoch, self._clock_mark)
        now = time.monotonic()
        if content != self._content and now - self._changed_at >= STATE_EVERY_S:
            self._content, self._changed_at = content, now
            self._version += 1

    def _mark_clock(self) -> None:
        if self._clock_mark is None:
            stamp = self._envelopes.fields()
            if stamp["clock"] == "synced":
                self._clock_mark = ClockMark(boot_id=stamp["boot_id"], mono_ns=stamp["mono_ns"], utc=stamp["at"])

    def _to_tell(self, sink: Sink) -> tuple[int, int]:
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
        )

    def health(self, outbox: OutboxState | None, depth: OutboxDepth | None) -> Health:
        """How we are now. None: there is no outbox."""
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
            outbox_age_s=0.0 if depth is None else round(depth.oldest_age_s, 3),
            outbox_bytes=0 if depth is None else depth.used_bytes,
            outbox_epoch="" if outbox is None else outbox.epoch,
            outbox_oldest_kept=None if outbox is None else outbox.oldest_kept,
            outbox_next_seq=1 if outbox is None else outbox.next_seq,
            outbox_expired=[] if outbox is None else outbox.expired,
            telemetry_waiting=self.telemetry.waiting,
            telemetry_expired=self.telemetry.expired,
            telemetry_expired_from=self.telemetry.expired_from,
            telemetry_expired_to=self.telemetry.expired_to,
        )


_NO_NUMBERS = FrameReport(version="").numbers
