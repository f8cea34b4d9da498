"""Reaper: collects killed child processes in a thread of its own, so that nobody waits for one that cannot be killed.

A process in uninterruptible sleep (state D in /proc: a driver that does not answer) dies of SIGKILL only when its
system call returns, which may be never. It runs no more code of ours, but keeps its memory, descriptors and file locks.
It is left behind: counted, told, and reaped when it does go.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from typing import TYPE_CHECKING

import msgspec

from edge.process.usage import PROC, process_tree

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Sequence
    from pathlib import Path

log = logging.getLogger(__name__)

MOST_LEFT_BEHIND = 3
"""While so many processes of one name are left behind, no other of that name is started."""
SLOW_S = 1.0
"""A killed process that is there for longer is not slow (much memory to free) but stuck."""
POLL_S = 0.1
"""Pause between two looks at what was killed."""


class LeftBehind(msgspec.Struct, frozen=True):
    """A process that was killed and has not ended."""

    pid: int
    started: int
    """Start time in clock ticks since boot: tells it from a later process with the same id."""
    name: str
    """What it ran: a module, or the URI of a runtime."""


class Reaper:
    """Keeps the children that were killed and have not ended yet, and reaps each when it does. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._own: dict[LeftBehind, tuple[subprocess.Popen[bytes], float]] = {}
        """Children of this process, and when they were killed."""
        self._foreign: tuple[LeftBehind, ...] = ()
        """Left behind by another process of this run; init reaps them."""
        self._alive: dict[int, LeftBehind] = {}
        """Children that nobody has killed yet, by process id."""
        self._has_thread = False
        self.on_change: Callable[[], None] | None = None
        """Called, from any thread, when a child was started, killed or left behind."""

    def note_started(self, pid: int, name: str) -> None:
        """Note a new child: if this process is killed, and the child cannot be, its successor has to know."""
        with self._lock:
            self._alive[pid] = LeftBehind(pid, start_ticks(pid) or 0, name)
        self._tell()

    def note_killed(self, process: subprocess.Popen[bytes], name: str, *, ended: bool) -> None:
        """Note that a child was sent SIGKILL; unless it has ``ended``, take it over. Returns at once."""
        with self._lock:
            one = self._alive.pop(process.pid, LeftBehind(process.pid, 0, name))
            start = not ended and not self._has_thread
            if not ended:
                self._own[one] = (process, time.monotonic())
                self._has_thread = True
        if start:
            threading.Thread(target=self._run, name="reaper", daemon=True).start()
        self._tell()

    def children(self) -> list[LeftBehind]:
        """Children of this process: those that nobody has killed, and those left behind, by it or before it."""
        with self._lock:
            alive = list(self._alive.values())
        return [*self.left_behind(), *alive]

    def remember(self, processes: Sequence[LeftBehind]) -> None:
        """Count ``processes``, which another process has left behind, as long as they are there."""
        with self._lock:
            known = {*self._foreign, *self._own}
            self._foreign += tuple(one for one in processes if one not in known)

    def left_behind(self, name: str | None = None, *, for_s: float = 0.0) -> list[LeftBehind]:
        """Processes that are still there: all, or those called ``name``; for at least ``for_s`` seconds."""
        now = time.monotonic()
        with self._lock:
            self._foreign = tuple(one for one in self._foreign if is_there(one))
            own = [
                one for one, (process, since) in self._own.items() if process.poll() is None and now - since >= for_s
            ]
            found = [*self._foreign, *own]
        return [one for one in found if name in (None, one.name)]

    def _tell(self) -> None:
        if self.on_change is not None:
            self.on_change()

    def _run(self) -> None:
        told: set[LeftBehind] = set()
        while True:
            with self._lock:
                mine = list(self._own.items())
                if not mine:
                    self._has_thread = False
                    return
            for one, (process, since) in mine:
                if process.poll() is not None:
                    with self._lock:
                        del self._own[one]
                    if one in told:
                        log.warning("%s (process %d), which could not be killed, has ended", one.name, one.pid)
                elif one not in told and time.monotonic() - since > SLOW_S:
                    told.add(one)
                    log.error("%s %s", one.name, describe_stuck(one.pid))
                    self._kill_descendants(one)
            time.sleep(POLL_S)

    def _kill_descendants(self, stuck: LeftBehind) -> None:
        """Kill the children of a stuck process: the pipes that would tell them of its end stay open."""
        for pid in process_tree(stuck.pid)[1:]:
            child = LeftBehind(pid, start_ticks(pid) or 0, stuck.name)
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
            self.remember([child])


reaper = Reaper()
"""The reaper of this process."""


def start_ticks(pid: int, proc: Path = PROC) -> int | None:
    """Start time of a process in clock ticks since boot; None if it has ended, an unreaped zombie included."""
    try:
        fields = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    # The first thread of a process may have ended while another one is stuck: that is no zombie yet.
    return None if fields[0] in "ZX" and int(fields[17]) <= 1 else int(fields[19])


def is_there(one: LeftBehind, proc: Path = PROC) -> bool:
    """Whether the process has not ended, and is not another one with the same id."""
    return start_ticks(one.pid, proc) == one.started


def describe_stuck(pid: int) -> str:
    """Says for the log that a process could not be killed, in which state it is and where in the kernel it waits."""
    state, where = "?", ""
    with contextlib.suppress(OSError):
        for task in sorted((PROC / str(pid) / "task").iterdir()):
            found = (task / "stat").read_text().rpartition(")")[2].split()[0]
            if found not in "ZX":
                state, where = found, (task / "wchan").read_text().strip()
    place = f" in {where}" if where.strip("0") else ""
    return (
        f"(process {pid}) cannot be killed: state {state}{place}. It is left behind; a restart of the machine ends it"
    )
