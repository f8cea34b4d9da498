"""Fault injection harness: a real broker behind a proxy, a daemon under load, an outside consumer, an account."""

from __future__ import annotations

import random
import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from brokers import Mosquitto
from faults.accounting import Account, Key, Produced, compare, lost_in_commit_window, readable
from faults.clock import SettableClock
from faults.consumer import Consumer
from faults.hostile_files import first_file
from faults.loaded_daemon import LoadedDaemon
from faults.proxy import Proxy
from faults.stuck_driver import StuckDriver

from edge.models.bundle import SHIPPED_BUNDLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from faults.faults import Fault

EVERYBODY = "topic readwrite #\n"
BROKER_LINES = "max_queued_messages 0\nmax_queued_bytes 0\nmax_inflight_messages 20\n"
DRAIN_S = 180.0
REPAIR_S = 180.0
REPAIR_ROUNDS = 3


@dataclass(frozen=True)
class Outcome:
    """Result of one run of the harness. Its field names are the keys of the JSON of benchmarks/torture.py."""

    account: Account
    """After repair; its ``missing`` still has all that was lost with files."""
    missing_first_pass: int
    """Before the consumer asked for anything."""
    missing: list[Key]
    """After it did: those that are not excused by `lost_with_their_file` or `set_aside`."""
    repairable: int
    """Missing at first, and still on the device."""
    lost_with_their_file: int
    """Missing, and a fault destroyed them."""
    set_aside: int
    """Missing, and readable in a file that a fault damaged and the daemon has set aside."""
    asked: int
    """Messages that the consumer asked for again."""
    ledger_disagrees: list[str]
    """What the project's ledger says otherwise than the account."""
    frames_lost: int
    """See `faults.accounting.lost_in_commit_window`."""
    struck: dict[str, int]
    """How often each fault was injected."""
    kills: dict[str, int]
    """How often each of our processes was killed."""
    undelivered: int
    """Messages that the daemon did not get rid of in `DRAIN_S` after the last fault."""
    fell_over: int
    """How often a daemon ended though nobody had killed or stopped it."""
    looks: int
    """How often the outbox files were read."""
    epochs: int
    """Number of epochs that the consumer has received messages of."""

    @property
    def sound(self) -> bool:
        """Whether every promise was kept: nothing missing, foreign, out of order or undelivered."""
        broken = self.account.violations or self.account.foreign or self.missing or self.ledger_disagrees
        return not (broken or self.undelivered or self.fell_over)


class FaultHarness:
    """Broker, proxy, daemon and consumer that faults are injected into. Use it in ``with``."""

    def __init__(
        self,
        folder: Path,
        *,
        seed: int,
        persistence: bool = True,
        tmpfs_mb: int = 0,
        require_subscriber: bool = False,
        with_clock: bool = False,
        with_driver: bool = False,
        with_model: bool = False,
        with_files: bool = False,
        broker_lines: str = BROKER_LINES,
    ) -> None:
        """``tmpfs_mb``: size of a file system of its own for the state-dir, so that it can be full; 0: none.

        ``with_clock``: the daemon's wall clock can be set. ``with_driver``: its runtime asks a driver that can get
        stuck, and has a fall-back. ``with_model``: it computes with a real model, from a file of its own.
        ``with_files``: it also reads a folder of files. ``broker_lines``: of its configuration.
        """
        self.random = random.Random(seed)
        self.produced = Produced()
        self.violations: list[str] = []
        self.told: list[str] = []
        """What faults have measured, in words."""
        self.fell_over = 0
        self.injected: Counter[str] = Counter()
        self.folder = folder
        self.disk = folder / "disk"
        self.disk.mkdir(parents=True)
        self.tmpfs = tmpfs_mb > 0
        if self.tmpfs:
            options = ["-t", "tmpfs", "-o", f"size={tmpfs_mb}m", "yard", str(self.disk)]
            subprocess.run(["mount", *options], check=True, capture_output=True)
        self.broker = Mosquitto(folder / "broker", persistence=persistence, acl=EVERYBODY, lines=broker_lines)
        self.acl = folder / "broker" / "acl"
        self.broker.start()
        self.consumer = Consumer(self.broker.port)
        self.proxy = Proxy(self.broker.port)
        self.clock = SettableClock(folder) if with_clock else None
        self.driver = StuckDriver(folder) if with_driver else None
        if self.driver:
            self.driver.release()
        self.model = folder / "model.tflite" if with_model else None
        if self.model:
            self.model.write_bytes(SHIPPED_BUNDLE.read_bytes())
        self.files = folder / "files" if with_files else None
        if self.files:
            first_file(self.files)
        self.daemon = LoadedDaemon(
            self.disk / "cart",
            self.proxy.port,
            require_subscriber=require_subscriber,
            clock=self.clock,
            log=folder / "log",
            driver=self.driver.path if self.driver else None,
            model=self.model,
            more_sources=[f"dicom://{self.files}"] if self.files else [],
        )
        self.twins: list[LoadedDaemon] = []
        self.daemon.start()
        self.daemon.wait_for_work()

    def __enter__(self) -> FaultHarness:
        return self

    def __exit__(self, *_: object) -> None:
        if self.driver:
            self.driver.close()  # first: who is stuck in it can end now
        for daemon in self._daemons:
            daemon.kill()
        self.proxy.close()
        self.consumer.close()
        self.broker.kill()
        if self.clock:
            self.clock.close()
        if self.tmpfs:
            subprocess.run(["umount", "--lazy", str(self.disk)], check=False)

    def inject(self, fault: Fault) -> None:
        """Inject one fault, then read the outbox and restart the daemon if it has ended."""
        fault.inject(self)
        self.injected[fault.name] += 1
        self.produced.read_outboxes(self.daemon.state_dir)
        if not self.daemon.running:
            self.fell_over += 1
            self.daemon.start()

    def inject_all(
        self, faults: Sequence[Fault], pause_s: tuple[float, float], *, wait_for_work: bool = False
    ) -> Iterator[Fault]:
        """Inject ``faults`` one after another, at odd moments; yields each when it is over.

        ``wait_for_work``: only when the daemon stores messages again after the one before.
        """
        for fault in faults:
            if wait_for_work:
                self.daemon.wait_for_work()
            time.sleep(self.random.uniform(*pause_s))
            self.inject(fault)
            yield fault

    def finish(self) -> Outcome:
        """After the last fault: let everything arrive, count, ask for what is missing, count again.

        The daemons have ended then.
        """
        left = self._drain_all()
        first = compare(self.produced, self.consumer.received)
        kept = self._kept()
        repairable = sum(key in kept for key in first.missing)
        left += self._repair(first)
        account = compare(self.produced, self.consumer.received)
        account.violations.extend(self.violations)
        kept, struck = self._kept(), self.produced.damaged_epochs
        excused = [key for key in account.missing if key[2] < struck.get(key[1], 0)]
        return Outcome(
            account=account,
            missing_first_pass=len(first.missing),
            missing=sorted(set(account.missing) - set(excused)),
            repairable=repairable,
            lost_with_their_file=sum(key not in kept for key in excused),
            set_aside=sum(key in kept for key in excused),
            asked=self.consumer.asked,
            ledger_disagrees=self._disagreements(account),
            frames_lost=lost_in_commit_window(self.produced, self.consumer.received),
            struck=dict(self.injected),
            kills=dict(sum((daemon.kills for daemon in self._daemons), Counter())),
            undelivered=left,
            fell_over=self.fell_over,
            looks=self.produced.looks,
            epochs=len({epoch for _, epoch, _ in self.consumer.received.bodies}),
        )

    def _repair(self, first: Account) -> int:
        """Have what is missing sent again; what the daemons did not get rid of.

        In rounds: a broker with room for little drops of what is made and sent meanwhile, too. What was destroyed on
        the disk is asked for once.
        """
        left, missing = 0, first.missing
        for _ in range(REPAIR_ROUNDS):
            if not missing:
                break
            left += self._drain_all(repair=True)
            struck = self.produced.damaged_epochs
            missing = [
                key for key in compare(self.produced, self.consumer.received).missing if key[2] >= struck.get(key[1], 0)
            ]
        return left

    @property
    def _daemons(self) -> list[LoadedDaemon]:
        return [self.daemon, *self.twins]

    def _drain_all(self, repair: bool = False) -> int:
        """End each daemon when it has delivered all, and been asked again if so; what it did not get rid of."""
        left = 0
        for daemon in self._daemons:
            if repair:
                daemon.start()
                daemon.wait_for_work()
                self.consumer.repair(daemon.epoch(), REPAIR_S)
            left += self._drain(daemon)
            self.produced.read_outboxes(daemon.state_dir)
        received = self.consumer.received
        self.consumer.wait_until_quiet(lambda: self.produced.bodies.keys() <= received.bodies.keys())
        return left

    def _disagreements(self, account: Account) -> list[str]:
        ledger = self.consumer.ledger.devices().values()
        told = {
            "repeats": sum(one.duplicates + one.conflicting for one in ledger),
            "conflicting": sum(one.conflicting for one in ledger),
            "implausible": sum(one.implausible for one in ledger),
            "order": sum(one.violations for one in ledger),
        }
        counted = {
            "repeats": account.duplicates,
            "conflicting": sum("reused on the wire" in each for each in account.violations),
            "implausible": 0,
            "order": sum("order" in each for each in account.violations),
        }
        words = [f"{what}: {told[what]}, and not {counted[what]}" for what in told if told[what] != counted[what]]
        # Rows that were destroyed may never have been told of; those that were given up are told as expired.
        struck, missing = self.produced.damaged_epochs, set(account.missing)
        words += [
            f"missing, and not missed: {key}" for key in missing - self.consumer.missing() if key[1] not in struck
        ]
        words += [f"missed, and not missing: {key}" for key in self.consumer.missing() - missing]
        return words

    def _drain(self, daemon: LoadedDaemon) -> int:
        deadline = time.monotonic() + DRAIN_S
        while True:
            if not daemon.running:
                daemon.start()
                daemon.wait_for_work()
            self.consumer.wait_for(lambda: (daemon.pending() or 0) < 20, max(1.0, deadline - time.monotonic()))
            daemon.stop()
            left = daemon.pending() or 0
            if left == 0 or time.monotonic() > deadline:
                return left

    def _kept(self) -> set[Key]:
        """Messages that can still be read on the disk."""
        return {
            key
            for daemon in self._daemons
            for key, print_ in readable(daemon.state_dir).items()
            if self.produced.bodies.get(key) == print_
        }
