"""Supervises one child process: restarts it when it ends, and when its heartbeat stops (watchdog)."""

from __future__ import annotations

import logging
import signal
import time
from typing import TYPE_CHECKING

from edge.daemon.job import NOT_ALL_JUDGED
from edge.process.child import Child
from edge.process.heartbeat import WATCHDOG_SIGNAL, Heartbeat
from edge.process.reaper import MOST_LEFT_BEHIND, reaper

if TYPE_CHECKING:
    from collections.abc import Sequence

log = logging.getLogger(__name__)

FATAL_EXIT_CODES = range(2, 7)
"""Exit codes of an `EdgeError`: raised at the start, and for the user to mend; but see `ChildSupervisor.proven`."""
BACKOFF_S = (0.2, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Pause before each restart in a row."""
ALWAYS_AGAIN_S = 1.0
"""Longest pause before a child that is started again whatever its end was."""
STABLE_RUN_S = 60.0
"""A child that has run so long is given the first pause again."""
START_TIMEOUT_S = 90.0
"""Until the first heartbeat: a slow card, a model that is compiled, golden vectors."""
TERMINATE_S = 1.0
"""A child without a heartbeat is asked first, and has so long to bring what it has to the disk and let go of locks."""
KILL_WAIT_S = 0.05
"""Longest wait for a killed child; one that takes longer is left to the reaper."""
DYING_S = 1.0
"""A successor is not started while a killed child is still there, but waits no longer than this."""


class ChildSupervisor:
    """Supervisor of one child process: heartbeat, watchdog, and restarts with growing pauses (backoff).

    No call waits for a child that cannot be killed: it is left behind, and a successor started, up to a number.
    """

    def __init__(
        self,
        module: str,
        payload: bytes,
        fd: int,
        watchdog_s: float,
        *,
        more_fds: Sequence[int] = (),
        always_again: bool = False,
    ) -> None:
        """Start ``python -m module``; it gets ``payload``, ``fd``, the heartbeat's fd and ``more_fds``.

        ``watchdog_s``: a child without a heartbeat for so long is killed, see `Settings.watchdog_s`. ``always_again``:
        whatever its end was, it is started again.
        """
        self._always_again = always_again
        self.payload, self.watchdog_s = payload, watchdog_s
        self._module, self._fd = module, fd
        self.more_fds = more_fds
        self._heartbeat = Heartbeat()
        self._restart_at = self._started = self._last_heartbeat_at = self._killed_at = 0.0
        self._asked_at: float | None = None
        """When the child was asked to stop because its heartbeat did."""
        self._dying: Child | None = None
        """The last child, killed and still there."""
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
        """Start the child process now; later, if too many of its kind could not be killed."""
        if len(reaper.left_behind(self._module)) >= MOST_LEFT_BEHIND:
            self._restart_at = time.monotonic() + BACKOFF_S[-1]
            log.error(
                "%d processes of %s cannot be killed: no other is started before one has ended; restart the machine",
                MOST_LEFT_BEHIND,
                self._module,
            )
            return
        self._asked_at = self._dying = None
        self._heartbeat.received()  # heartbeats that the last child sent before it ended count no more
        self._started = self._last_heartbeat_at = time.monotonic()
        self.alive = False
        # A child must not die of a signal that comes before it listens: it lets it through when it does.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, WATCHDOG_SIGNAL})
        try:
            self.child = Child(self._module, self.payload, (self._fd, self._heartbeat.fd, *self.more_fds))
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
            if now >= self._restart_at and not self._is_dying(now):
                self.start()
            return None
        code = self.child.poll()
        how = describe_exit(code or 0)
        if code is None or self._asked_at is not None:
            silent_s = now - self._last_heartbeat_at
            if code is None and not self._must_be_killed(now, silent_s):
                return None
            code, how = None, f"shows no sign of life for {silent_s:.1f} s and is killed"
        self._kill()
        for_good = code in (0, NOT_ALL_JUDGED) or (code in FATAL_EXIT_CODES and not self.proven)
        if for_good and not self._always_again:
            return code
        self.failures = 0 if now - self._started > STABLE_RUN_S else self.failures
        pause = BACKOFF_S[min(self.failures, len(BACKOFF_S) - 1)]
        if self._always_again:
            pause = min(pause, ALWAYS_AGAIN_S)
        self.failures += 1
        self._restart_at = now + pause
        log.error("%s %s; it is started again in %.1f s", self._module, how, pause)
        return None

    def _must_be_killed(self, now: float, silent_s: float) -> bool:
        """Whether the child is silent and was asked long enough ago; asks it when its time is over."""
        if self._asked_at is None:
            if silent_s <= (self.watchdog_s if self.alive else START_TIMEOUT_S):
                return False
            self._asked_at = now
            if self.child is not None:
                self.child.terminate(WATCHDOG_SIGNAL)
        return now - self._asked_at >= TERMINATE_S

    def _is_dying(self, now: float) -> bool:
        """Whether the last child was killed a moment ago and is still there."""
        return self._dying is not None and self._dying.poll() is None and now - self._killed_at < DYING_S

    def _kill(self) -> None:
        """Kill the child if it runs, reap it if it can be, and close the lifeline."""
        assert self.child is not None  # noqa: S101  (the callers have looked)
        if not self.child.kill(KILL_WAIT_S):
            self._dying, self._killed_at = self.child, time.monotonic()
        self.child = None
        self.alive = False

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
        if code is None and timeout_s > 0:
            log.error("%s did not stop within %.1f s and is killed", self._module, timeout_s)
        self._kill()
        return code

    def close(self) -> None:
        """Close the heartbeat, after `stop`."""
        self._heartbeat.close()


def describe_exit(code: int) -> str:
    """Exit status, negative for a signal, in words for logs."""
    return f"ended with signal {-code}" if code < 0 else f"ended with exit code {code}"
