"""The two processes of a simulated device, and the socket pair between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from simulation.stepped_parts import SteppedPublisher

from edge.app.frame_link import OutboxFrameLink
from edge.config.settings import (
    OutboxSettings,
    PublishSettings,
    RequestSettings,
    Settings,
    SinkSettings,
    StreamSettings,
)
from edge.contracts.coverage import Coverage
from edge.contracts.finding import ModelRef, RuntimeRef
from edge.contracts.frame_report import FrameReport
from edge.contracts.results import Reason, Status
from edge.contracts.state import StreamState
from edge.daemon.job import DaemonJob

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from simulation.world import World

STREAM = "cart-1"
REPORT = FrameReport(
    version="1.2.3", model=ModelRef(name="m", version="1", sha256="00"),
    runtime=RuntimeRef(name="scripted", delegate=None), streams=[StreamState(name=STREAM, source="phantom://")],
)  # fmt: skip
TEMPLATE = Coverage(
    device="cart", boot_id="boot", run_id="run", mono_ns=0, at="2026-01-01T00:00:00.000000Z", clock="synced",
    stream=STREAM, exam_id="exam", status=Status.NO_RESULT, reason=Reason.STARTING, since_mono_ns=1, since_frame=None,
    previous=None,
)  # fmt: skip


def make_job(state_dir: Path, world: World) -> DaemonJob:
    """The job of a daemon with as many brokers as the schedule has."""
    setup = world.setup
    settings = Settings(
        site="site", device="cart", state_dir=str(state_dir),
        streams=[StreamSettings(name=STREAM, source="phantom://")],
        sinks=[SinkSettings(uri=f"mqtt://{host}", protocol="5", inflight=setup.inflight) for host in world.brokers],
        publish=PublishSettings(health_every_s=setup.health_every_s),
        requests=RequestSettings(enabled=True, per_minute=6000),
        outbox=OutboxSettings(max_mb=setup.max_mb),
    )  # fmt: skip
    return DaemonJob(settings=settings, run_id="run")


class SocketEnd:
    """One end of the simulated socket pair between frame process and publisher."""

    LIMIT = 50
    """Packets that fit."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.packets: list[bytes] = []
        self.other: SocketEnd = self
        self.on_packet: Callable[[], None] = lambda: None

    def setblocking(self, flag: bool) -> None:
        """Implement the socket's: it never blocks."""

    def send(self, packet: bytes) -> int:
        """Implement the socket's; raises BlockingIOError if it is full."""
        self._world.crash_point(self._world.process, may_nest=False)
        if len(self.other.packets) >= self.LIMIT:
            raise BlockingIOError
        self.other.packets.append(packet)
        self.other.on_packet()
        return len(packet)

    def recv(self, size: int) -> bytes:
        """Implement the socket's; raises BlockingIOError if there is nothing."""
        if not self.packets:
            raise BlockingIOError
        return self.packets.pop(0)


class FrameSide:
    """The frame process, as far as the outbox knows it: finds what the schedule says."""

    def __init__(self, world: World, job: DaemonJob, end: SocketEnd) -> None:
        self.world = world
        self._job, self._end = job, end
        self.link: OutboxFrameLink | None = None

    def start(self) -> None:
        """Start, as a process does."""
        self.link = OutboxFrameLink(self._job.state_dir, self._end)  # type: ignore[arg-type]
        self.report()

    def find(self, number: int) -> None:
        """Hand over ``number`` messages."""
        if self.link is None:
            return
        for _ in range(number):
            mark = len(self.world.account.put) + 1
            self.world.account.put[mark] = self.world.next_tick()
            if not self.link.durable(f"coverage/{STREAM}", msgspec.structs.replace(TEMPLATE, mono_ns=mark)):
                self.world.account.doomed.add(mark)

    def report(self) -> None:
        """Report to the publisher every second."""
        if self.link is not None:
            self.link.report(REPORT)
            self.world.plan(self.world.time.now + 3.0, "report", self.report, self)


class PublisherSide:
    """The publisher process."""

    def __init__(self, world: World, job: DaemonJob, end: SocketEnd) -> None:
        self.world = world
        self._job, self._end = job, end
        self.publisher: SteppedPublisher | None = None
        self.turn_due: float | None = None
        self._planned = 0

    def start(self) -> None:
        """Start, as a process does."""
        self.publisher = SteppedPublisher(self._job, self._end, 1)  # type: ignore[arg-type]
        self.publisher._began_at = self.world.time.now
        self.publisher.open()
        self.turn_due = None
        self.plan_turn(0.0)

    def epoch(self) -> str | None:
        """Epoch of the outbox that the publisher has in use; None: it has not opened any yet."""
        return None if self.publisher is None else self.publisher.outbox._epoch

    def plan_turn(self, after_s: float) -> None:
        """Make the next turn so many seconds from now, unless one comes sooner."""
        at = self.world.time.now + after_s
        if self.turn_due is None or at < self.turn_due:
            self.turn_due = at
            self._planned += 1
            number = self._planned
            self.world.plan(at, "publisher", lambda: self._turn(number), self)

    def _turn(self, number: int) -> None:
        if number != self._planned:
            return
        self.turn_due = None
        if self.publisher is None:  # it starts later
            return
        for broker in self.world.brokers.values():
            if broker.client is not None and broker.client.connected and broker.client.noticed_at_tick is None:
                broker.client.noticed_at_tick = self.world.next_tick()
        epoch = self.epoch()
        more = self.world.measured_pass(self.publisher.turn)
        if self.epoch() != epoch is not None:
            self.world.note_pending()  # what was set aside may be sent once more
        self.plan_turn(0.0 if more else self.world.idle_s)
