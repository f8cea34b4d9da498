"""Supervises one child process: restarts it when it ends, and when its heartbeat stops (watchdog)."""

from __future__ import annotations

import logging
import signal
import time

from edge.daemon.job import NOT_ALL_READ
from edge.process.child import Child
from edge.process.heartbeat import Heartbeat

log = logging.getLogger(__name__)

FATAL_EXIT_CODES = range(2, 7)
"""Exit codes of an `EdgeError`: raised at the start, and for the user to mend; but see `ChildSupervisor.proven`."""
BACKOFF_S = (0.2, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Pause before each restart in a row."""
STABLE_RUN_S = 60.0
"""A child that has run so long is given the first pause again."""
START_TIMEOUT_S = 90.0
"""Until the first heartbeat: a slow card, a model that is compiled, golden vectors."""


class ChildSupervisor:
    """Supervisor of one child process: heartbeat, watchdog, and restarts with growing pauses (backoff)."""

    def __init__(self, module: str, payload: bytes, fd: int, watchdog_s: float) -> None:
        """Start ``python -m module``; it gets ``payload``, ``fd`` and the heartbeat's fd.

        ``watchdog_s``: a child without a heartbeat for so long is killed, see `Settings.watchdog_s`.
        """
        self.payload, self.watchdog_s = payload, watchdog_s
        self._module, self._fd = module, fd
        self._heartbeat = Heartbeat()
        self._restart_at = self._started = self._last_heartbeat_at = 0.0
        self.failures = 0
        """Times in a row that it ended or hung, without a run of `STABLE_RUN_S` between them."""
        self.alive = False
        """Whether the present child has sent a heartbeat."""
        self.proven = False
        """Whether any child has sent a heartbeat with this payload. An error at the start (a camera that is away, too)
        may pass then, and is waited out."""
        self.child: Child | None = None
        self.start()

    def start(self) -> None:
        """Start the child process now."""
        self._heartbeat.received()  # heartbeats that the last child sent before it ended count no more
        self._started = self._last_heartbeat_at = time.monotonic()
        self.alive = False
        # A child must not die of a SIGTERM that comes before it listens: it lets it through when it does.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        try:
            self.child = Child(self._module, self.payload, (self._fd, self._heartbeat.fd))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def check_and_start(self) -> int | None:
        """Do what `check` does, but start a child that waits for its restart at once."""
        code = self.check() or None
        if code is None and self.child is None:
            self.start()
        return code

    def poll_heartbeat(self) -> bool:
        """Whether the child has sent a heartbeat since the last call; resets its watchdog if so."""
        received = self._heartbeat.received()
        if received:
            self.alive, self.proven, self._last_heartbeat_at = True, True, time.monotonic()
        return received

    def reset_watchdog(self) -> None:
        """Restart the watchdog's time: we were suspended ourselves, as when the machine was paused."""
        self._last_heartbeat_at = time.monotonic()

    def check(self) -> int | None:
        """Check whether the child has ended or hangs, and restart it if due.

        Exit code if it ended for good (0, or an error of the user's to mend), else None.
        """
        now = time.monotonic()
        if self.child is None:
            if now >= self._restart_at:
                self.start()
            return None
        code = self.child.poll()
        how = describe_exit(code or 0)
        if code is None:
            silent_s = now - self._last_heartbeat_at
            if silent_s <= (self.watchdog_s if self.alive else START_TIMEOUT_S):
                return None
            how = f"shows no sign of life for {silent_s:.1f} s and is killed"
        self.child.kill()  # reaps, and closes the lifeline
        self.child = None
        self.alive = False
        if code in (0, NOT_ALL_READ) or (code in FATAL_EXIT_CODES and not self.proven):
            return code
        self.failures = 0 if now - self._started > STABLE_RUN_S else self.failures
        pause = BACKOFF_S[min(self.failures, len(BACKOFF_S) - 1)]
        self.failures += 1
        self._restart_at = now + pause
        log.error("%s %s; it is started again in %.1f s", self._module, how, pause)
        return None

    def terminate(self) -> None:
        """Send SIGTERM to the child, if it runs: it stops; at a second one it hurries."""
        if self.child is not None:
            self.child.terminate()

    def wait(self, timeout_s: float) -> bool:
        """Wait for the child's end; whether it has ended within ``timeout_s``."""
        return self.child is None or self.child.wait(timeout_s) is not None

    def stop(self, timeout_s: float) -> int | None:
        """Send SIGTERM, and kill the child if it still runs after ``timeout_s``; exit code, None if it was killed."""
        if self.child is None:
            return None
        if self.child.poll() is None:
            self.terminate()
        code = self.child.wait(timeout_s)
        if code is None:
            log.error("%s did not stop within %.1f s and is killed", self._module, timeout_s)
        self.child.kill()
        self.child = None
        self.alive = False
        return code

    def close(self) -> None:
        """Close the heartbeat, after `stop`."""
        self._heartbeat.close()


def describe_exit(code: int) -> str:
    """Exit status, negative for a signal, in words for logs."""
    return f"ended with signal {-code}" if code < 0 else f"ended with exit code {code}"
