"""Faults of the state directory and the outbox file: each object injects one fault into a `FaultHarness`."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from faults.loaded_daemon import FRAME

if TYPE_CHECKING:
    from pathlib import Path

    from faults.fault_harness import FaultHarness

How = Literal["truncated", "bits flipped", "older copy"]
EPOCH_S = 120.0
"""So long a daemon may take to announce the epoch that it began."""


@dataclass(frozen=True)
class DiskFull:
    """Disk full: not a byte is left for the outbox for a while. Needs a harness with a tmpfs."""

    for_s: float = 1.5
    name: str = "disk full"
    kind: str = "other"

    def inject(self, harness: FaultHarness) -> None:
        assert harness.tmpfs
        filler = harness.disk / "filler"
        try:
            fill(filler)
            time.sleep(self.for_s)
        finally:
            filler.unlink()


@dataclass(frozen=True)
class DiskFullWithBacklog:
    """Disk full while a backlog is delivered, and the connection is lost now and then. Needs a harness with a tmpfs.

    What has arrived cannot be noted on the disk: it must not be sent again for that. The log must stay short, too.
    """

    for_s: float = 3.0
    backlog_s: float = 3.0
    reconnects: int = 2
    lines_per_s: float = 8.0
    """Lines of all causes and processes."""
    name: str = "disk full with a backlog"
    kind: str = "other"

    def inject(self, harness: FaultHarness) -> None:
        assert harness.tmpfs
        filler, received = harness.disk / "filler", harness.consumer.received
        harness.proxy.stall()
        try:
            time.sleep(self.backlog_s)
            fill(filler)
            pending = harness.daemon.pending() or 0
        finally:
            harness.proxy.resume()
        lines, began = _lines(harness), time.monotonic()
        repeats = sum(received.duplicates.values())
        try:
            for _ in range(self.reconnects):
                time.sleep(self.for_s / (self.reconnects + 1))
                harness.proxy.cut()
            time.sleep(self.for_s / (self.reconnects + 1))
        finally:
            repeats = sum(received.duplicates.values()) - repeats
            filler.unlink()
        per_s = (_lines(harness) - lines) / (time.monotonic() - began)
        harness.told.append(f"{pending} pending, {self.reconnects} cuts: {repeats} repeats, {per_s:.1f} lines/s")
        if repeats > pending * (self.reconnects + 1):
            harness.violations.append(f"{repeats} repeats of {pending} pending in {self.reconnects} connections")
        if per_s > self.lines_per_s:
            harness.violations.append(f"{per_s:.1f} log lines a second on a full disk")
        harness.daemon.wait_for_work()


@dataclass(frozen=True)
class StartOnFullDisk:
    """Disk full when the daemon starts: it runs, keeps what it finds in memory, and goes on when there is room."""

    for_s: float = 3.0
    name: str = "start on a full disk"
    kind: str = "other"

    def inject(self, harness: FaultHarness) -> None:
        assert harness.tmpfs
        filler, daemon = harness.disk / "filler", harness.daemon
        daemon.kill()
        harness.produced.read_outboxes(daemon.state_dir)
        try:
            fill(filler)
            daemon.start()
            deadline = time.monotonic() + 60
            while daemon.child(FRAME) is None and time.monotonic() < deadline:
                time.sleep(0.05)
            time.sleep(self.for_s)
            if not daemon.running:
                harness.violations.append("on a full disk the daemon does not start")
        finally:
            filler.unlink()
        daemon.wait_for_work()


@dataclass(frozen=True)
class ReadOnly:
    """Read-only disk, as after a power cut: nothing can be written for a while. Needs a harness with a tmpfs.

    Linux makes no file system read-only that is written to, so the daemon is killed first. It says that it cannot start
    and ends, again and again, as under a service manager, until it can.
    """

    for_s: float = 1.5
    name: str = "disk read-only"
    kind: str = "other"

    def inject(self, harness: FaultHarness) -> None:
        assert harness.tmpfs
        harness.daemon.kill()
        harness.produced.read_outboxes(harness.daemon.state_dir)
        remount(harness.disk, "ro")
        deadline = time.monotonic() + self.for_s
        try:
            while time.monotonic() < deadline:
                harness.daemon.start()
                code = harness.daemon.wait(60)
                if code != 5:
                    harness.violations.append(f"on a read-only disk the daemon ended with {code}")
        finally:
            remount(harness.disk, "rw")
        harness.daemon.start()
        harness.daemon.wait_for_work()


@dataclass(frozen=True)
class Damage:
    """Damaged outbox: truncated, changed, or an older copy when the daemon starts again, mostly with pending messages.

    A file that was truncated or is an older copy must not be continued: a new epoch is announced. Flipped bits may
    hit one message, which is given up by its checksum, or nothing.
    """

    how: How
    backlog_s: float = 0.4
    kind: str = "other"

    @property
    def name(self) -> str:
        return f"outbox {self.how}"

    def inject(self, harness: FaultHarness) -> None:
        daemon = harness.daemon
        daemon.wait_for_work()
        older = harness.folder / "older"
        if self.how == "older copy":
            copy(daemon.outbox(), older)
        harness.proxy.stall()
        try:
            time.sleep(self.backlog_s)
            daemon.kill()
            harness.proxy.cut()
        finally:
            harness.proxy.resume()
        harness.produced.read_outboxes(daemon.state_dir)
        epoch, path = daemon.epoch(), daemon.outbox()
        harness.produced.mark_damaged(path, epoch)
        copy(path, path)  # all of it is in the file then, and not in its journal
        if self.how == "older copy":
            for ending in ("-wal", "-shm"):
                path.with_name(path.name + ending).unlink(missing_ok=True)
            shutil.move(older, path)
        elif self.how == "truncated":
            os.truncate(path, int(path.stat().st_size * harness.random.uniform(0.1, 0.9)))
        else:
            flip(path, [harness.random.random() for _ in range(32)])
        daemon.start()
        daemon.wait_for_work()
        if self.how == "bits flipped":
            return
        if daemon.epoch() == epoch:
            harness.violations.append(f"{path.name} was {self.how}, and is gone on with")
        elif not harness.consumer.wait_for(lambda: harness.consumer.epoch() == daemon.epoch(), EPOCH_S):
            harness.violations.append(f"{path.name} was {self.how}, and no new epoch was announced")


def fill(filler: Path) -> None:
    """Fill the disk to the last byte with the file ``filler``."""
    with filler.open("wb", buffering=0) as file:
        for block in (bytes(1 << 20), bytes(1 << 12)):  # the rest in small pieces
            with contextlib.suppress(OSError):
                while file.write(block) == len(block):
                    pass


def _lines(harness: FaultHarness) -> int:
    """Lines that the daemon has logged."""
    return harness.daemon.log.read_bytes().count(b"\n")


def copy(path: Path, to: Path) -> None:
    """Copy an outbox as a backup does; onto itself: only bring the journal into the file."""
    with contextlib.closing(sqlite3.connect(path, timeout=10)) as db:
        if path == to:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return
        to.unlink(missing_ok=True)
        with contextlib.closing(sqlite3.connect(to)) as target:
            db.backup(target)


def flip(path: Path, places: list[float]) -> None:
    """Flip one bit at each of ``places``, which are shares (0 to 1) of the file's length."""
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        for place in places:
            at, bit = divmod(int(place * size * 8), 8)
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ (1 << bit)]))


def remount(folder: Path, how: Literal["ro", "rw"]) -> None:
    """Remount the file system of ``folder`` as read-only, or as writable again."""
    deadline = time.monotonic() + 5
    while subprocess.run(["mount", "-o", f"remount,{how}", folder], check=False, capture_output=True).returncode != 0:
        assert time.monotonic() < deadline, f"cannot be made {how}"
        time.sleep(0.05)
