"""Power cut harness: a daemon under load on a disk that loses what was not synced, and an account of its messages.

Everything ends at one instant: the disk stops in the midst of a series of changes, all processes are killed while it
stands, and what was not synced is gone. Then the disk is read, and the daemon starts on what is left.
"""

from __future__ import annotations

import contextlib
import random
import signal
import sqlite3
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil
from brokers import Mosquitto
from faults.accounting import Account, Produced, compare
from faults.consumer import Consumer
from faults.forgetful_disk import Disk
from faults.forgetful_store import MODES
from faults.loaded_daemon import LoadedDaemon

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BROKER_LINES = "max_queued_messages 0\nmax_queued_bytes 0\nmax_inflight_messages 20\n"
MOMENTS = ("starting", "working", "working", "stopping")
"""In the last, SQLite's journal is written into the outbox and deleted."""
MOST_CHANGES = 200
"""The power goes up to so many changes after the moment: between any two of them."""
IN_FLIGHT_S = 0.15
"""What was sent before a cut has arrived by then."""


class PowerCutDaemon(LoadedDaemon):
    """A daemon on a simulated disk: its state directory is not there yet. Nobody but the daemon touches that disk."""

    def __init__(self, folder: Path, broker_port: int, mount_point: Path) -> None:
        super().__init__(folder, broker_port)
        before, self.state_dir = str(self.state_dir), mount_point / "state"
        self._command = [str(self.state_dir) if word == before else word for word in self._command]

    def send_sigterm(self) -> None:
        """Send SIGTERM to the daemon, and do not wait."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)

    def kill_all(self, then: Callable[[], None]) -> None:
        """``kill -9`` of all processes, whatever they wait for; ``then`` releases what they wait for."""
        assert self._process is not None
        everybody = [psutil.Process(self._process.pid), *self._below()] if self.running else []
        for one in everybody:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.send_signal(signal.SIGKILL)
        then()
        self._process.wait()
        self._process = None
        deadline = time.monotonic() + 10
        while alive := [one for one in everybody if not _dead(one)]:
            assert time.monotonic() < deadline, f"left behind by a cut: {alive}"
            time.sleep(0.01)


def _dead(one: psutil.Process) -> bool:
    """Orphans may stay as zombies until their new parent looks; they do nothing any more."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return one.status() == psutil.STATUS_ZOMBIE
    return True


@dataclass(frozen=True)
class Cut:
    """One power cut, and what was at risk."""

    mode: str
    moment: str
    after_stop: bool
    at_risk: int
    """Changes that were not synced."""
    heard: int
    """Messages that were received so far."""
    unfounded: int
    """Messages received, and not on the disk: sent before they were durable."""


@dataclass(frozen=True)
class PowerCutOutcome:
    """Result of all power cuts of one harness."""

    account: Account
    cuts: list[Cut]
    fell_over: int
    epochs: int


class PowerCutHarness:
    """Daemon, simulated disk, broker and consumer for power cuts. Use it in ``with``."""

    def __init__(self, folder: Path, *, seed: int, lies: int = 0) -> None:
        self.random = random.Random(seed)
        self.produced = Produced()
        self.cuts: list[Cut] = []
        self.fell_over = 0
        self._exported = folder / "looked"
        self.disk = Disk(folder / "disk", lies)
        self.broker = Mosquitto(folder / "broker", acl="topic readwrite #\n", lines=BROKER_LINES)
        self.broker.start()
        self.consumer = Consumer(self.broker.port)
        self.daemon = PowerCutDaemon(folder / "cart", self.broker.port, self.disk.mount_point)

    def __enter__(self) -> PowerCutHarness:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError, AssertionError):
            if self.daemon.running:
                self.daemon.kill_all(self.disk.release)
        self.disk.unmount()
        self.consumer.close()
        self.broker.kill()

    def run_and_cut(self, mode: str | None = None, moment: str | None = None, after_stop: bool | None = None) -> Cut:
        """Let the daemon run on the disk, and cut the power at an odd moment. What is None is left to chance.

        ``after_stop``: it has ended in good order before, and was started anew: SQLite's journal is another file then.
        """
        mode = mode or self.random.choice(MODES)
        moment = moment or self.random.choice(MOMENTS)
        after_stop = self.random.random() < 0.1 if after_stop is None else after_stop
        self.disk.start()
        self.daemon.start()
        if after_stop:
            self._wait_for_work()
            self.daemon.stop()
            self.daemon.start()
        if moment == "starting":
            time.sleep(self.random.uniform(0.3, 1.5))
        else:
            self._wait_for_work()
            time.sleep(self.random.uniform(0.0, 1.2))
        self.fell_over += not self.daemon.running
        if moment == "stopping":
            self.daemon.send_sigterm()
        self.disk.arm(int(self.random.choice((0.0, MOST_CHANGES ** self.random.random()))))
        at_risk = self.disk.freeze(patience_s=1.0)
        self.daemon.kill_all(self.disk.release)
        self._cut_power(mode)
        cut = Cut(mode, moment, after_stop, at_risk, len(self.consumer.received.bodies), len(self._unfounded()))
        self.cuts.append(cut)
        return cut

    def finish(self, rounds: int = 5) -> PowerCutOutcome:
        """After the last cut: let everything arrive, and compare what was committed and received."""
        for _ in range(rounds):
            self.disk.start()
            self.daemon.start()
            self._wait_for_work()
            self.consumer.wait_for(self._complete, 20.0)
            self.daemon.stop()
            self._cut_power("vanish")  # also after a stop in good order
            self.consumer.wait_until_quiet(self._complete)
            if self._complete():
                break
        epochs = {epoch for _, epoch, _ in self.produced.bodies}
        return PowerCutOutcome(compare(self.produced, self.consumer.received), self.cuts, self.fell_over, len(epochs))

    def _cut_power(self, mode: str) -> None:
        self.disk.cut(mode, self.random.randrange(1 << 31))
        self.disk.export_files(self._exported)
        time.sleep(IN_FLIGHT_S)
        state_dir = self._exported / "state"
        try:
            self.produced.read_outboxes(state_dir)
        except sqlite3.Error as error:
            self.produced.violations.append(f"what a cut left cannot be read: {error}")
        files = sorted(path.name for path in state_dir.glob("outbox*.sqlite3"))
        if len(files) > 1:
            self.produced.violations.append(f"a new epoch was begun: {files}")

    def _unfounded(self) -> set[tuple[str, str, int]]:
        return set(self.consumer.received.bodies) - self.produced.bodies.keys()

    def _complete(self) -> bool:
        return self.produced.bodies.keys() <= set(self.consumer.received.bodies)

    def _wait_for_work(self) -> None:
        before = len(self.consumer.received.bodies)
        if not self.consumer.wait_for(lambda: len(self.consumer.received.bodies) > before, 40.0):
            raise AssertionError(f"the daemon says nothing:\n{self.daemon.log.read_text()[-3000:]}")
