"""World of one schedule: its clock, the events that are due, crash points, and what was seen to go wrong."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import random
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from simulation.account import SimulatedAccount
from simulation.crash import CrashError, PowerCutError
from simulation.log_lines import LogLines
from simulation.outbox_files import PENDING, read_outboxes
from simulation.processes import FrameSide, PublisherSide, SocketEnd, make_job
from simulation.simulated_broker import SimulatedBroker
from simulation.simulated_disk import SimulatedDisk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from simulation.schedule import Setup
    from simulation.simulated_disk import SimulatedConnection
    from simulation.simulated_time import SimulatedTime

T = TypeVar("T")

PASS_LIMIT_S = 0.2
"""Charged time of one pass of the publisher, at most."""
NESTED_AHEAD_S = 0.02
"""What is due so soon may go on at a crash point, in between."""
WAKE_S = 0.001
"""So long after a wake-up the publisher makes its turn."""
RESTART_S = 0.3
"""So long after its end the supervisor starts a process again."""


class Event(NamedTuple):
    """Something that happens at a time; dropped if the process that it belongs to is gone."""

    at: float
    number: int
    actor: str
    action: Callable[[], Any]
    process: object


class Violation(NamedTuple):
    """An invariant that did not hold, and in what way."""

    invariant: str
    detail: str


class World:
    """Everything of one schedule; `simulation.simulation` moves it."""

    def __init__(self, setup: Setup, folder: Path, time: SimulatedTime, keep_trace: bool) -> None:
        self.setup, self.folder, self.time = setup, folder, time
        self.random = random.Random(setup.noise)
        self.prefix = "edge/v1/site/cart"
        self.trace: list[str] | None = [] if keep_trace else None
        self.violations: list[Violation] = []
        self.account = SimulatedAccount(self)
        self.log_lines = LogLines(self)
        self.disk = SimulatedDisk(self, folder, slowness=setup.slowness, sync_s=setup.sync_s)
        self.brokers = {f"broker{n}": SimulatedBroker(self, f"broker{n}") for n in range(setup.brokers)}
        self.identity_files: list[Any] = []
        self.idle_s = setup.idle_s
        self.requests = 0
        """Requests that consumers made."""
        self.observing = False
        """The simulation itself looks into the outbox, which has no consequences."""
        self.process: object = None
        """The process that is at work now."""
        self.crash_in: dict[str, int] = {}
        """``publisher``, ``frames`` or ``power`` -> so many crash points until its end."""
        self._events: list[Event] = []
        self._numbers, self._ticks = itertools.count(), itertools.count(1)
        self._active: list[tuple[str, object]] = []
        self._nested_s = 0.0
        self.longest_pass_s = 0.0
        self._starts: list[int] = []
        """Seconds in which a process started: a new one may say again what the old one said."""
        self._start_machine()

    # --- processes -------------------------------------------------------------------------------------------------
    def _start_machine(self) -> None:
        here, there = SocketEnd(self), SocketEnd(self)
        here.other, there.other = there, here
        job = make_job(self.folder, self)
        self.frames, self.publisher = FrameSide(self, job, here), PublisherSide(self, job, there)
        there.on_packet = lambda: self.publisher.plan_turn(WAKE_S)
        self._job, self._ends = job, (here, there)
        late_s = 0.0 if self._starts else self.setup.frames_late_s
        self._starts.append(int(self.time.now))
        self.plan(self.time.now, "start", self.publisher.start, self.publisher)
        self.plan(self.time.now + 0.001 + late_s, "start", self.frames.start, self.frames)

    def kill(self, process: object) -> None:
        """Kill one process now; the supervisor starts it again a little later."""
        self.log("killed", self.name_of(process))
        self._bury(process)
        here, there = self._ends
        self._starts.append(int(self.time.now + RESTART_S))
        if process is self.frames:
            self.frames = FrameSide(self, self._job, here)
            self.plan(self.time.now + RESTART_S, "start", self.frames.start, self.frames)
        else:
            self.publisher = PublisherSide(self, self._job, there)
            self.plan(self.time.now + RESTART_S, "start", self.publisher.start, self.publisher)

    def _bury(self, process: object) -> None:
        """Take away what a process held: open files, connections, messages that were in its memory alone."""
        self.disk.drop(process)
        for one in [one for one in self.identity_files if one.process is process]:
            one.close()
        for broker in self.brokers.values():
            client = broker.client
            if client is not None and client.process is process:
                client.cut(self.random.randint(0, client.on_the_way))
        if process is self.frames:
            self.account.doomed |= self.account.put.keys() - self.account.marks.keys()

    def cut_power(self) -> None:
        """Cut the power now; the machine boots again."""
        self.log("power cut", "")
        for broker in self.brokers.values():
            if broker.client is not None:
                broker.client.cut(self.random.randint(0, broker.client.on_the_way))
        self.disk.cut_power()
        for one in list(self.identity_files):
            one.close()
        self.account.doomed |= self.account.put.keys() - self.account.marks.keys()
        self.crash_in.clear()
        self.time.reboot(self.random.choice((1.0, 20.0, 3600.0)))
        self._start_machine()

    def starts_in(self, second: int) -> int:
        """How many processes were started in that second, or the one before."""
        return sum(second - 1 <= one <= second for one in self._starts)

    @property
    def interferes(self) -> bool:
        """Whether anything may happen at a crash point."""
        return bool(self.crash_in) or self.setup.nest_share > 0

    def is_gone(self, process: object) -> bool:
        """Whether a process was killed: what its code still does on the way out has no effect."""
        return process is not None and process is not self.frames and process is not self.publisher

    def name_of(self, process: object) -> str:
        """Name of a process, for the trace."""
        return "frames" if isinstance(process, FrameSide) else "publisher"

    # --- time and events -------------------------------------------------------------------------------------------
    def plan(self, at: float, actor: str, action: Callable[[], Any], process: object) -> None:
        """Have something happen at a time."""
        heapq.heappush(self._events, Event(at, next(self._numbers), actor, action, process))

    def wake_publisher(self, process: object) -> None:
        """Have the publisher make a turn soon, if it is still that one."""
        if process is self.publisher:
            self.publisher.plan_turn(WAKE_S)

    def next_tick(self) -> int:
        """Order of two things that happen: a count, finer than any clock."""
        return next(self._ticks)

    def run_next(self) -> float | None:
        """Let the next event happen; its time, or None if there is none."""
        if not self._events:
            return None
        event = heapq.heappop(self._events)
        self.time.now = max(self.time.now, event.at)
        try:
            self._run(event)
        except PowerCutError:
            self._active.clear()
            self.cut_power()
        return self.time.now

    def _run(self, event: Event) -> None:
        if self.is_gone(event.process):
            return
        before, self.process = self.process, event.process
        self._active.append((event.actor, event.process))
        try:
            event.action()
        except CrashError as crash:
            self._active.pop()
            if any(process is crash.process for _, process in self._active):
                raise
            self.kill(crash.process)
        else:
            self._active.pop()
        finally:
            self.process = before

    def crash_point(self, process: object, *, may_nest: bool) -> None:
        """A point at which a process may be killed, or another goes on meanwhile."""
        if process is None or self.is_gone(process):
            return
        if self.crash_in:
            self._count_down("power", PowerCutError())
            self._count_down("frames" if process is self.frames else "publisher", CrashError(process))
        if may_nest and self.random.random() < self.setup.nest_share:
            self._run_nested()
            if self.is_gone(process):
                raise CrashError(process)

    def _count_down(self, name: str, end: BaseException) -> None:
        if name in self.crash_in:
            self.crash_in[name] -= 1
            if self.crash_in[name] <= 0:
                del self.crash_in[name]
                raise end

    def _run_nested(self) -> None:
        """Let another thread or process go on while the present one is at a crash point."""
        busy = {actor for actor, _ in self._active}
        due = [e for e in self._events if e.at <= self.time.now + NESTED_AHEAD_S and e.actor not in busy]
        if not due or len(self._active) > 3:
            return
        event = min(due)
        self._events.remove(event)
        heapq.heapify(self._events)
        began = self.time.now
        self.time.now = max(self.time.now, event.at)
        with contextlib.ExitStack() as stack:
            stack.callback(self._add_nested, began)
            self._run(event)

    def _add_nested(self, began: float) -> None:
        self._nested_s += self.time.now - began

    def measured_pass(self, action: Callable[[], T]) -> T:
        """Do one pass of the publisher; it may take so long, without what others do meanwhile."""
        began, self._nested_s = self.time.now, 0.0
        result = action()
        took_s = self.time.now - began - self._nested_s
        self.longest_pass_s = max(self.longest_pass_s, took_s)
        if took_s > PASS_LIMIT_S:
            self.violated("pass", f"one pass took {took_s:.3f} s")
        return result

    # --- what is seen ----------------------------------------------------------------------------------------------
    def committed(self, db: SimulatedConnection, added: list[tuple[str, Any]]) -> None:
        """Take note of a commit."""
        if added:
            self.account.committed_rows(db, added)

    def connected(self, host: str) -> None:
        """Take note of a connection that a broker accepts."""
        self.log("connected", host)
        self.note_pending()

    def note_pending(self) -> None:
        """Take note that all that is pending may be sent once more."""
        self.account.pending_at_starts += sum(len(rows) for _, rows in read_outboxes(self.folder, PENDING))

    def violated(self, invariant: str, detail: str) -> None:
        """Note that an invariant did not hold."""
        self.log("VIOLATED", f"{invariant}: {detail}")
        self.violations.append(Violation(invariant, detail))

    def log(self, what: str, detail: str) -> None:
        """Write a line of the trace, if one is kept."""
        if self.trace is not None:
            self.trace.append(f"{self.time.now:10.4f} {what:12} {detail}")
