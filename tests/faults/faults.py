"""Faults of processes, broker, network and clock: each object injects one into a `FaultHarness` and ends it."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from faults.fault_harness import EVERYBODY
from faults.loaded_daemon import FRAME, PUBLISHER, RUNTIME, LoadedDaemon
from hostile_bytes import HOSTILE, NOT_UTF8

if TYPE_CHECKING:
    from faults.fault_harness import FaultHarness

CLOCKS_S = (0, 3600, -3600, 36_000, -36_000)
"""So far ahead. What was acknowledged a day ago, by the clock, is deleted: a bigger jump ends what can be asked for."""
GOES_ON_S = 30.0
"""Most that a stuck driver may cost, on a machine as busy as can be: far less than waiting for it."""
NOBODY_WRITES = "topic read #\ntopic write edge/v1/+/+/state\n"


class Fault(Protocol):
    """A fault that can be injected. ``kind``: ``kill`` (of our process), ``outage`` (broker, network) or ``other``."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    def inject(self, harness: FaultHarness) -> None:
        """Inject the fault once, and end it."""


@dataclass(frozen=True)
class KillDaemon:
    """``kill -9`` of the supervisor, which takes all with it; the outbox is read before the next start."""

    name: str = "kill daemon"
    kind: str = "kill"

    def inject(self, harness: FaultHarness) -> None:
        harness.daemon.kill()
        harness.produced.read_outboxes(harness.daemon.state_dir)
        harness.daemon.start()
        if harness.random.random() < 0.5:  # now and then the next fault comes while it starts
            harness.daemon.wait_for_work()


@dataclass(frozen=True)
class KillChild:
    """``kill -9`` of one process; the supervisor's business. If it is not there, the supervisor is killed."""

    module: str
    kind: str = "kill"

    @property
    def name(self) -> str:
        return f"kill {self.module.removeprefix('edge.')}"

    def inject(self, harness: FaultHarness) -> None:
        if not harness.daemon.kill_process(self.module):
            KillDaemon().inject(harness)


@dataclass(frozen=True)
class KillSeveral:
    """``kill -9`` of most of our processes, one shortly after the other; then perhaps of the daemon that mends it."""

    name: str = "kill several"
    kind: str = "kill"

    def inject(self, harness: FaultHarness) -> None:
        for module in harness.random.sample((FRAME, PUBLISHER, RUNTIME), harness.random.choice((2, 3))):
            harness.daemon.kill_process(module)
            time.sleep(harness.random.uniform(0.0, 0.3))
        if harness.random.random() < 0.5:
            KillDaemon().inject(harness)


@dataclass(frozen=True)
class KillBroker:
    """``kill -9`` of the broker, back after ``away_s``. What it had acknowledged and not passed on may be gone."""

    away_s: float = 0.5
    name: str = "kill broker"
    kind: str = "outage"

    def inject(self, harness: FaultHarness) -> None:
        harness.broker.kill()
        time.sleep(self.away_s)
        harness.broker.start()
        harness.consumer.wait_ready()


@dataclass(frozen=True)
class BrokerAway:
    """Stop of the broker in good order, and start after ``away_s``."""

    away_s: float = 2.0
    name: str = "broker away"
    kind: str = "outage"

    def inject(self, harness: FaultHarness) -> None:
        harness.broker.stop()
        time.sleep(self.away_s)
        harness.broker.start()
        harness.consumer.wait_ready()


@dataclass(frozen=True)
class BrokerFrozen:
    """SIGSTOP of the broker: connections stay open, nothing answers."""

    for_s: float = 2.0
    name: str = "broker frozen"
    kind: str = "outage"

    def inject(self, harness: FaultHarness) -> None:
        os.kill(harness.broker.pid, signal.SIGSTOP)
        try:
            time.sleep(self.for_s)
        finally:
            os.kill(harness.broker.pid, signal.SIGCONT)


@dataclass(frozen=True)
class LinkCut:
    """Network cut: the connection is reset after ``after_bytes`` more: mostly in the midst of a message."""

    after_bytes: int = 700
    name: str = "link cut"
    kind: str = "outage"

    def inject(self, harness: FaultHarness) -> None:
        harness.proxy.cut_after(self.after_bytes)
        time.sleep(0.4)
        harness.proxy.cut()  # if so much was never sent


@dataclass(frozen=True)
class LinkStalled:
    """Network stall: nothing gets through for ``for_s``; then it goes on, or is cut with all that waited in it.

    ``answers_only``: messages do get through, their acknowledgements do not. Cut then, all under way is sent twice.
    """

    for_s: float = 2.0
    then_cut: bool = False
    answers_only: bool = False
    kind: str = "outage"

    @property
    def name(self) -> str:
        return ("answers stalled" if self.answers_only else "link stalled") + (", then cut" if self.then_cut else "")

    def inject(self, harness: FaultHarness) -> None:
        harness.proxy.stall(self.answers_only)
        try:
            time.sleep(self.for_s)
            if self.then_cut:
                harness.proxy.cut()
        finally:
            harness.proxy.resume()


@dataclass(frozen=True)
class AclRefuses:
    """The broker takes our messages no more (PUBACK 0x87), and then again."""

    for_s: float = 1.5
    name: str = "acl refuses"
    kind: str = "outage"

    def inject(self, harness: FaultHarness) -> None:
        harness.acl.write_text(NOBODY_WRITES)
        os.kill(harness.broker.pid, signal.SIGHUP)
        try:
            time.sleep(self.for_s)
        finally:
            harness.acl.write_text(EVERYBODY)
            os.kill(harness.broker.pid, signal.SIGHUP)


@dataclass(frozen=True)
class Poisoned:
    """Retained messages that nobody can read, on the device's own topics: its readers meet them at each turn."""

    name: str = "poisoned"
    kind: str = "other"

    def inject(self, harness: FaultHarness) -> None:
        for number, body in enumerate(HOSTILE.values()):
            suffix = ("state", "health", "findings/a", "coverage/b")[number % 4]
            harness.consumer.publish_poison(f"edge/v1/yard/cart/{suffix}", body, retain=True)
        harness.consumer.publish_poison("edge/v1/yard/cart/request/findings/resend", NOT_UTF8, retain=False)
        harness.consumer.publish_poison("edge/v1/yard/cart/state", NOT_UTF8, retain=True)
        harness.daemon.wait_for_work()


@dataclass(frozen=True)
class ConsumerAway:
    """Consumer away for longer than the broker has room: it drops the rest. Needs a harness with a short queue."""

    for_s: float = 3.0
    name: str = "consumer away"
    kind: str = "outage"

    def inject(self, harness: FaultHarness) -> None:
        harness.consumer.disconnect()
        time.sleep(self.for_s)
        harness.consumer.connect()


@dataclass(frozen=True)
class ClockSet:
    """The wall clock jumps, forward or back. Needs a harness with a clock."""

    name: str = "clock set"
    kind: str = "other"

    def inject(self, harness: FaultHarness) -> None:
        assert harness.clock is not None
        harness.clock.set(harness.random.choice(CLOCKS_S))
        harness.daemon.wait_for_work()


@dataclass(frozen=True)
class DriverStuck:
    """The runtime's driver does not answer: its process cannot be killed, and the fall-back has to go on at once.

    Now and then the frame process is killed meanwhile: the next one must not wait for the driver either. Needs a
    harness with a driver.
    """

    for_s: float = 1.0
    name: str = "driver stuck"
    kind: str = "other"

    def inject(self, harness: FaultHarness) -> None:
        assert harness.driver is not None
        harness.daemon.wait_for_work()
        harness.driver.stick()
        try:
            if harness.random.random() < 0.5:
                time.sleep(harness.random.uniform(0.0, 1.0))
                harness.daemon.kill_process(FRAME)
            time.sleep(self.for_s)
            try:
                harness.daemon.wait_for_work(timeout_s=GOES_ON_S)
            except AssertionError:
                harness.violations.append(f"nothing is judged for {GOES_ON_S:.0f} s after the driver got stuck")
        finally:
            harness.driver.release()


@dataclass(frozen=True)
class Twin:
    """A second device of the same site and name, with a state directory of its own."""

    for_s: float = 3.0
    name: str = "twin"
    kind: str = "other"

    def inject(self, harness: FaultHarness) -> None:
        if not harness.twins:
            harness.twins.append(LoadedDaemon(harness.folder / "twin", harness.broker.port))
        twin = harness.twins[0]
        twin.start()
        twin.wait_for_work()
        time.sleep(self.for_s)
        twin.kill()
        harness.produced.read_outboxes(twin.state_dir)
