"""Runs one schedule: the product's processes under its faults, then without faults until all is drained; checks it."""

from __future__ import annotations

import contextlib
import logging
import shutil
import traceback
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from simulation import final_checks
from simulation.backlog import put_backlog
from simulation.installed import TIME, enter
from simulation.world import Violation, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from simulation.schedule import Schedule, Step

DRAIN_LIMIT_S = 300.0
"""So long after the last fault everything has been delivered: a refused topic may be paused for up to a minute, a
broker that broke connections again and again is left alone for half of one."""
EVENTS_LIMIT = 20_000
"""Events of one schedule, far more than any needs: more are a loop without a pause."""


class SimulationOutcome(NamedTuple):
    """What came of one schedule."""

    violations: list[Violation]
    trace: list[str]
    messages: int
    repeats: int
    connections: int
    events: int
    simulated_s: float
    longest_pass_s: float


def simulate(schedule: Schedule, folder: Path, *, keep_trace: bool = False) -> SimulationOutcome:
    """Run ``schedule`` in ``folder``, which is emptied; call it within `installed`."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    TIME.reset()
    began = TIME.now
    with _world(schedule, folder, keep_trace) as world:
        run = _Run(world, schedule.steps)
        try:
            run.all()
        except Exception as error:
            world.violated("error", repr(error))
            world.log("VIOLATED", traceback.format_exc())
        repeats = sum(count - 1 for one in world.brokers.values() for count in one.received.values())
        return SimulationOutcome(
            world.violations, world.trace or [], len(world.account.committed), repeats,
            sum(one.connections for one in world.brokers.values()), run.events, TIME.now - began, world.longest_pass_s,
        )  # fmt: skip


@contextlib.contextmanager
def _world(schedule: Schedule, folder: Path, keep_trace: bool) -> Iterator[World]:
    world = World(schedule.setup, folder, TIME, keep_trace)
    enter(world)
    logger = logging.getLogger("edge")
    logger.addHandler(world.log_lines)
    if schedule.setup.backlog:
        put_backlog(world)
    try:
        yield world
    finally:
        logger.removeHandler(world.log_lines)
        world.disk.close()
        for one in list(world.identity_files):
            one.close()


class _Run:
    """The steps of one schedule, and the drain after them."""

    def __init__(self, world: World, steps: tuple[Step, ...]) -> None:
        self._world, self._steps = world, list(steps)
        self._over = not steps
        self.events = 0

    def all(self) -> None:
        """Run everything, and check it."""
        world = self._world
        self._plan_next()
        while not self._over and self._one():
            pass
        final_checks.end_faults(world)
        deadline = world.time.now + DRAIN_LIMIT_S
        look_at = 0.0
        while self._one():
            if world.time.now >= look_at:
                if final_checks.is_drained(world):
                    break
                look_at = world.time.now + 0.3
            if world.time.now > deadline:
                world.violated("drain", final_checks.what_is_left(world))
                break
        final_checks.check(world)

    def _one(self) -> bool:
        """Let one event happen; False if there are too many."""
        self.events += 1
        if self.events > EVENTS_LIMIT + 20 * self._world.setup.backlog:
            self._world.violated("drain", f"more than {self.events} events")
            self._over = True
            return False
        return self._world.run_next() is not None

    def _plan_next(self) -> None:
        if not self._steps:
            self._over = True
            return
        step = self._steps.pop(0)
        self._world.plan(self._world.time.now + step.after_s, "schedule", lambda: self._do(step), None)

    def _do(self, step: Step) -> None:
        self._world.log("STEP", f"{step.kind} {step.amount}")
        ScheduleSteps.do(self._world, step)
        self._plan_next()


class ScheduleSteps:
    """What each kind of step does to the world."""

    @staticmethod
    def do(world: World, step: Step) -> None:
        """Do one step."""
        getattr(ScheduleSteps, step.kind)(world, step.amount)

    @staticmethod
    def _later(world: World, amount: int, action: object) -> None:
        world.plan(world.time.now + 0.1 * amount, "schedule end", action, None)  # type: ignore[arg-type]

    @staticmethod
    def put(world: World, amount: int) -> None:
        """So many messages are found."""
        world.frames.find(amount)

    @staticmethod
    def drop(world: World, amount: int) -> None:
        """The connections are lost; a part of what was on its way arrives."""
        for broker in world.brokers.values():
            if broker.client is not None:
                arriving = world.random.randint(0, broker.client.on_the_way)
                broker.client.cut(arriving, answers_lost=amount % 2 == 0, noticed_s=0.001 * amount)

    @staticmethod
    def half_open(world: World, amount: int) -> None:
        """The connections are lost, which the device notices late."""
        for broker in world.brokers.values():
            if broker.client is not None:
                broker.client.cut(0, noticed_s=0.1 * amount)

    @staticmethod
    def outage(world: World, amount: int) -> None:
        """The brokers are away for a while."""
        for broker in world.brokers.values():
            broker.up = False
        ScheduleSteps.drop(world, amount)

        def back() -> None:
            for broker in world.brokers.values():
                broker.up = True

        ScheduleSteps._later(world, amount, back)

    @staticmethod
    def stall(world: World, amount: int) -> None:
        """The brokers answer late."""
        for broker in world.brokers.values():
            broker.stalled_until = world.time.now + 0.1 * amount

    @staticmethod
    def refuse(world: World, amount: int) -> None:
        """The brokers refuse coverage for a while."""
        for broker in world.brokers.values():
            broker.refusing = True

        def allow() -> None:
            for broker in world.brokers.values():
                broker.refusing = False

        ScheduleSteps._later(world, amount, allow)

    @staticmethod
    def full(world: World, amount: int) -> None:
        """The disk is full for a while."""
        world.disk.full = True
        ScheduleSteps._later(world, 2 * amount, lambda: setattr(world.disk, "full", False))

    @staticmethod
    def fail(world: World, amount: int) -> None:
        """The disk fails now and then, for a while."""
        world.disk.failing = True
        ScheduleSteps._later(world, amount, lambda: setattr(world.disk, "failing", False))

    @staticmethod
    def damage(world: World, amount: int) -> None:
        """SQLite says soon, and once, that the file is damaged."""
        world.disk.damage_in = amount

    @staticmethod
    def kill_publisher(world: World, amount: int) -> None:
        """The publisher is killed at the so-manieth crash point from now on."""
        world.crash_in["publisher"] = amount

    @staticmethod
    def kill_frames(world: World, amount: int) -> None:
        """The frame process is killed at the so-manieth crash point from now on."""
        world.crash_in["frames"] = amount

    @staticmethod
    def power_cut(world: World, amount: int) -> None:
        """The power fails at the so-manieth crash point from now on."""
        world.crash_in["power"] = amount

    @staticmethod
    def ask(world: World, amount: int) -> None:
        """A consumer asks for a part of the present epoch again."""
        newest = max((seq for epoch, seq in world.account.committed if epoch == world.account.current_epoch), default=0)
        if newest == 0:
            return
        first = 1 if world.setup.backlog else max(1, newest - 3 * amount)
        args = {"epoch": world.account.current_epoch, "from": first, "to": newest}
        if newest - first >= 4 and world.random.random() < 0.5:
            middle = (first + newest) // 2
            args["ranges"] = [[first, middle - 1], [middle + 1, newest]]
        body = msgspec.json.encode({"id": f"{world.next_tick()}", "args": args})
        world.requests += 1
        for broker in world.brokers.values():
            broker.ask("request/findings/resend", body)

    @staticmethod
    def wait(world: World, amount: int) -> None:
        """Nothing happens."""
