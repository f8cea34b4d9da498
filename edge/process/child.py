"""Starts child processes that end with their parent: frame process, publisher and isolated runtimes.

The parent keeps the write end of a pipe, the *lifeline*, and never writes to it. The child blocks on the read end in
a thread: end of file means that the parent is gone, however it went, and the child goes at once too. (Linux'
PR_SET_PDEATHSIG would fire when the parent's *thread* ends, not the process.) The kernel also sends SIGKILL at that
moment, for a child whose threads all wait for one that hangs in native code with Python's lock.

Who kills a child does not wait for its end longer than a moment: see `edge.process.reaper`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from edge.process.reaper import reaper
from edge.process.stderr_capture import STDERR, stderr_lock

if TYPE_CHECKING:
    from collections.abc import Sequence

ORPHANED = 70
"""Exit status of a child whose parent went away."""
KILL_WAIT_S = 0.2
"""Longest wait for a killed child: most are gone after some milliseconds."""


class Child:
    """A running child process (``python -m module``) that ends when this process does."""

    def __init__(
        self, module: str, payload: bytes, fds: Sequence[int] = (), *, name: str = "", own_stdout: bool = True
    ) -> None:
        """Start the child process, and write its payload.

        Args:
            module: what to run; its ``__main__`` part calls `inherit`.
            payload: read by the child before anything else.
            fds: file descriptors that the child gets, under the same numbers.
            name: what it is counted as if it cannot be killed, see `LeftBehind.name`; empty: the module.
            own_stdout: False: what it prints goes to stderr, and no reader of our stdout waits for its end.
        """
        self.name = name or module
        self._kill_lock = threading.Lock()
        lifeline, self._lifeline = os.pipe2(os.O_CLOEXEC)
        # -P: the working directory is no place to import from.
        safe = ["-P"] if sys.version_info >= (3, 11) else []
        try:
            with stderr_lock.exclusive():  # with our stderr, not with another thread's redirection of it
                self._process = subprocess.Popen(
                    [sys.executable, *safe, "-m", module, *(str(fd) for fd in (lifeline, *fds))],
                    stdin=subprocess.PIPE,
                    stdout=None if own_stdout else STDERR,
                    pass_fds=(lifeline, *fds),
                    start_new_session=True,  # Ctrl-C reaches the supervisor alone, which stops its children in order
                )
        except BaseException:
            os.close(self._lifeline)
            raise
        finally:
            os.close(lifeline)
        reaper.note_started(self._process.pid, self.name)
        assert self._process.stdin is not None  # noqa: S101  (it was asked for above)
        try:
            with self._process.stdin as stdin:
                stdin.write(payload)
        except BrokenPipeError:
            pass  # it died at once; poll() says so

    @property
    def pid(self) -> int:
        """Process id of the child."""
        return self._process.pid

    def poll(self) -> int | None:
        """Exit status of the child, negative for a signal; None while it runs."""
        return self._process.poll()

    def terminate(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ask the child to stop, by SIGTERM or another signal that it listens to."""
        if self.poll() is None:
            self._process.send_signal(number)

    def wait(self, timeout_s: float) -> int | None:
        """Wait for the child's end: exit status, or None if it still runs after ``timeout_s``."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def kill(self, wait_s: float = KILL_WAIT_S) -> bool:
        """Kill the child now (SIGKILL); False if it has not ended after ``wait_s``: it is left behind.

        May be called again, and from any thread.
        """
        with self._kill_lock:
            if self._lifeline >= 0:  # the first call
                if self.poll() is None:
                    self._process.kill()
                os.close(self._lifeline)
                self._lifeline = -1
                reaper.note_killed(self._process, self.name, ended=self.wait(wait_s) is not None)
            return self.poll() is not None


@dataclass(frozen=True, slots=True)
class Inheritance:
    """What a child process was handed by its parent: payload and file descriptors."""

    payload: bytes
    fds: tuple[int, ...]


def inherit() -> Inheritance:
    """Take over payload and file descriptors from the parent, and end when it ends. Called first in a child."""
    lifeline, *fds = (int(arg) for arg in sys.argv[1:])
    payload = sys.stdin.buffer.read()

    def follow_parent() -> NoReturn:
        os.read(lifeline, 1)
        os._exit(ORPHANED)

    with contextlib.suppress(OSError):  # the thread alone does for most
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    threading.Thread(target=follow_parent, name="lifeline", daemon=True).start()
    return Inheritance(payload, tuple(fds))
