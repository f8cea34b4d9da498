"""The daemon under load, as a process tree in which any process can be killed."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from faults.clock import SettableClock

FRAME, PUBLISHER, RUNTIME = "edge.daemon.frame.process", "edge.daemon.publisher.process", "edge.runtimes.isolated_child"
DECODER = "edge.images.decoder_child"
CONFIG = """\
[[sinks]]
uri = "mqtt://127.0.0.1:{port}"
require_subscriber = {waits}
[publish]
results_per_s = 1000.0
[requests]
enabled = true
commands = ["findings/resend"]
per_minute = 6000
"""
"""``results`` of every frame: see `faults.accounting.lost_in_commit_window`."""
FALLBACK = """\
[runtime]
timeout_s = 0.3
fallback = ["scripted://?distinct=1"]
probe_s = 1.0
"""
WITH_MODEL = """\
model = "{model}"
[tracking]
update_every_s = 0.1
"""
"""A real model instead of the scripted one: what it finds is told again and again."""
LOAD = "phantom://?seed=1&width=160&height=120&fps=20"
"""Every frame begins one finding and ends an older one: 40 durable messages a second, as long as it runs."""
MODEL_LOAD = "phantom://?seed=1&lesions=1&fps=20&pace=realtime"
"""For a real model, which does not find what is too small or too coarse."""


class LoadedDaemon:
    """One device: a state directory, and mostly a daemon that runs on it."""

    def __init__(
        self,
        folder: Path,
        broker_port: int,
        *,
        require_subscriber: bool = False,
        clock: SettableClock | None = None,
        log: Path | None = None,
        driver: Path | None = None,
        model: Path | None = None,
        more_sources: Sequence[str] = (),
    ) -> None:
        """``clock``: one that can be set, for this device alone; None: the machine's. ``log``: None: in ``folder``.

        ``driver``: file that the runtime reads before each answer; its fall-back does not. ``model``: bundle to compute
        with, by LiteRT; None: a script. ``more_sources``: beside the load.
        """
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "edge.toml"
        waits = str(require_subscriber).lower()
        text = CONFIG.format(port=broker_port, waits=waits) + (FALLBACK if driver else "")
        config.write_text((WITH_MODEL.format(model=model) if model else "") + text)
        runtime = "litert://" if model else "scripted://?distinct=1" + (f"&read={driver}" if driver else "")
        self.state_dir = folder / "state"
        self.log = log or folder / "log"
        self._command = [sys.executable, "-m", "edge.cli.main", "run", "--site", "yard", "--device", "cart"]
        self._command += ["--source", MODEL_LOAD if model else LOAD, "--runtime", runtime]
        self._command += [part for source in more_sources for part in ("--source", source)]
        self._command += ["--config", str(config), "--state-dir", str(self.state_dir)]
        self._command += ["--drain-timeout", "3"]
        self.kills: Counter[str] = Counter()
        """By process, how often it was killed."""
        self._environment = {**os.environ, **(clock.environment if clock else {})}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the daemon; its log is appended to."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, cwd=self.log.parent, env=self._environment
            )

    @property
    def running(self) -> bool:
        """Whether the daemon's supervisor runs."""
        return self._process is not None and self._process.poll() is None

    def child(self, module: str) -> psutil.Process | None:
        """The process that runs ``module`` now; None: there is none."""
        for one in self._below():
            with contextlib.suppress(psutil.Error):
                if module in one.cmdline():
                    return one
        return None

    def kill_process(self, module: str) -> bool:
        """``kill -9`` of one process; False if it was not there."""
        victim = self.child(module)
        if victim is None:
            return False
        with contextlib.suppress(psutil.NoSuchProcess):
            victim.kill()
            self.kills[module] += 1
        return True

    def kill(self) -> None:
        """``kill -9`` of the supervisor; the others go by themselves, and are waited for."""
        if self._process is None:
            return
        below = self._below()
        self.kills["daemon"] += self.running
        self._process.kill()
        self._process.wait()
        self._process = None
        left = _wait_gone(below, timeout_s=120)  # one that has only been started ends when it is through its imports
        assert not left, f"left behind by a killed daemon: {left}"

    def wait(self, timeout_s: float) -> int:
        """Wait until the daemon ends by itself; the exit code."""
        assert self._process is not None
        code = self._process.wait(timeout_s)
        self._process = None
        return code

    def stop(self) -> int:
        """Send SIGTERM to the daemon and wait for its end; the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(60)
        self._process = None
        return code

    def outbox(self) -> Path:
        """Path of the outbox in use: the newest; others were set aside."""
        files = self.state_dir.glob("outbox*.sqlite3")
        return max(files, key=_number, default=self.state_dir / "outbox.sqlite3")

    def pending(self) -> int | None:
        """Number of messages that no broker has acknowledged; None if the outbox is not there (yet)."""
        return self._ask_outbox("SELECT count(*) FROM messages WHERE state = 'pending'")

    def epoch(self) -> str:
        """Epoch of the outbox in use; empty if it is not there (yet)."""
        return str(self._ask_outbox("SELECT value FROM meta WHERE key = 'epoch'") or "")

    def wait_for_work(self, timeout_s: float = 180.0) -> None:
        """Wait until the daemon stores new messages in the outbox."""
        before, deadline = self._progress(), time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            path, next_seq = self._progress()
            if next_seq > (before[1] if path == before[0] else 1):
                return
            time.sleep(0.05)
        raise AssertionError(f"the daemon stores nothing:\n{self.log.read_text()[-3000:]}")

    def _progress(self) -> tuple[Path, int]:
        return self.outbox(), self._ask_outbox("SELECT value FROM meta WHERE key = 'next_seq'") or 1

    def _ask_outbox(self, question: str) -> Any:
        """The one value that answers ``question``; None if there is none."""
        with (
            contextlib.suppress(sqlite3.Error),
            contextlib.closing(sqlite3.connect(f"file:{self.outbox()}?mode=ro", uri=True, timeout=10)) as db,
        ):
            return db.execute(question).fetchone()[0]
        return None

    def _below(self) -> list[psutil.Process]:
        if self._process is None:
            return []
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(self._process.pid).children(recursive=True)
        return []


def _wait_gone(processes: list[psutil.Process], timeout_s: float) -> list[psutil.Process]:
    """Processes that still run after ``timeout_s``. A dead one that its new parent has not reaped yet is gone."""
    deadline = time.monotonic() + timeout_s
    while left := [one for one in processes if _lives(one)]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)
    return left


def _lives(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _number(path: Path) -> int:
    """``outbox.sqlite3`` is the first, ``outbox-2.sqlite3`` the second."""
    return int(path.stem.partition("-")[2] or 1)
