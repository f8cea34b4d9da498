"""The daemon under load, as a process tree that can be struck anywhere."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from pathlib import Path

FRAME, PUBLISHER, RUNTIME = "edge.daemon.frame", "edge.daemon.publisher", "edge.runtimes.child"
LOAD = "phantom://?seed=1&width=160&height=120&fps=20"
"""Every frame begins one finding and ends an older one: 40 durable messages a second, as long as it runs."""


class Cart:
    """One device: a state-dir, and mostly a daemon on it."""

    def __init__(self, folder: Path, broker_port: int, *, require_subscriber: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "edge.toml"
        waits = str(require_subscriber).lower()
        config.write_text(f'[[sinks]]\nuri = "mqtt://127.0.0.1:{broker_port}"\nrequire_subscriber = {waits}\n')
        self.state_dir = folder / "state"
        self.log = folder / "log"
        self._command = [sys.executable, "-m", "edge.cli.main", "run", "--site", "yard", "--device", "cart"]
        self._command += ["--source", LOAD, "--runtime", "scripted://?distinct=1"]
        self._command += ["--config", str(config), "--state-dir", str(self.state_dir)]
        self._command += ["--drain-timeout", "3"]
        self._process: subprocess.Popen[bytes] | None = None
        self._tree: list[psutil.Process] = []

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, cwd=self.log.parent)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def child(self, module: str) -> psutil.Process | None:
        """The process that runs ``module`` now."""
        for one in self._below():
            with contextlib.suppress(psutil.Error):
                if module in one.cmdline():
                    return one
        return None

    def strike(self, module: str) -> bool:
        """``kill -9`` of one process; False if it was not there."""
        victim = self.child(module)
        if victim is None:
            return False
        with contextlib.suppress(psutil.NoSuchProcess):
            victim.kill()
        return True

    def kill(self) -> None:
        """``kill -9`` of the supervisor; the others go by themselves, and are waited for."""
        if self._process is None:
            return
        below = self._below()
        self._process.kill()
        self._process.wait()
        self._process = None
        _, alive = psutil.wait_procs(below, timeout=10)
        assert not alive, f"left behind by a killed daemon: {alive}"

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(30)
        self._process = None
        return code

    def pending(self) -> int | None:
        """Messages that no broker has acknowledged; None if the outbox is not there (yet)."""
        files = sorted(self.state_dir.glob("outbox*.sqlite3"), key=os.path.getmtime)
        try:
            waiting = 0
            for path in files:
                with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as db:
                    waiting += db.execute("SELECT count(*) FROM messages WHERE state = 'pending'").fetchone()[0]
        except sqlite3.Error:
            return None
        return waiting if files else None

    def wait_for_work(self, timeout_s: float = 40.0) -> None:
        """Until the outbox takes messages."""
        before, deadline = self._next_seq(), time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            now = self._next_seq()
            if now is not None and now > (before or 0):
                return
            time.sleep(0.05)
        raise AssertionError(f"the daemon stores nothing:\n{self.log.read_text()[-3000:]}")

    def _next_seq(self) -> int | None:
        path = self.state_dir / "outbox.sqlite3"
        with (
            contextlib.suppress(sqlite3.Error),
            contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as db,
        ):
            return int(db.execute("SELECT value FROM meta WHERE key = 'next_seq'").fetchone()[0])
        return None

    def _below(self) -> list[psutil.Process]:
        if self._process is None:
            return []
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(self._process.pid).children(recursive=True)
        return []
