"""Keeps one child process running: starts it again when it falls over, and when it stands but does not move."""

from __future__ import annotations

import logging
import signal
import time

from edge.process.child import Child
from edge.process.heartbeat import Heartbeat

log = logging.getLogger(__name__)

FATAL = range(2, 7)
"""Exit codes of an `EdgeError`: raised at the start, and for the user to mend; but see `ChildSupervisor.proven`."""
BACKOFF_S = (0.2, 1.0, 2.0, 5.0, 10.0, 30.0)
STEADY_S = 60.0
"""A child that has run so long is given the first pause again."""
START_S = 90.0
"""Until the first sign of life: a slow card, a model that is compiled, golden vectors."""


class ChildSupervisor:
    """One child, started again with growing pauses."""

    def __init__(self, module: str, payload: bytes, fd: int, watchdog_s: float) -> None:
        """Start ``python -m module``; it gets ``payload``, ``fd`` and the heart's fd. See `Settings.watchdog_s`."""
        self.payload, self.watchdog_s = payload, watchdog_s
        self._module, self._fd = module, fd
        self._heart = Heartbeat()
        self._again_at = self._started = self._beat_at = 0.0
        self.failures = 0
        """Times in a row that it fell over or stood still, none of its lives being a steady one."""
        self.alive = False
        """Whether the present child has shown life."""
        self.proven = False
        """Whether any child has shown life with this payload. An error at the start (a camera that is away, too) may
        pass then, and is waited out."""
        self.child: Child | None = None
        self.start()

    def start(self) -> None:
        """Start it now."""
        self._heart.heard()  # what the last one said before it went counts no more
        self._started = self._beat_at = time.monotonic()
        self.alive = False
        # A child must not die of a SIGTERM that comes before it listens: it lets it through when it does.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        try:
            self.child = Child(self._module, self.payload, (self._fd, self._heart.fd))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def ensure(self) -> int | None:
        """As `check`, but one that pauses is started at once."""
        code = self.check() or None
        if code is None and self.child is None:
            self.start()
        return code

    def moves(self) -> bool:
        """Whether it has shown life since the last call."""
        heard = self._heart.heard()
        if heard:
            self.alive, self.proven, self._beat_at = True, True, time.monotonic()
        return heard

    def forgive(self) -> None:
        """We have slept ourselves, as when the machine was paused: silence counts from now on."""
        self._beat_at = time.monotonic()

    def check(self) -> int | None:
        """Exit code if it ended for good (0, or an error of the user's to mend), else None; restarts it if due."""
        now = time.monotonic()
        if self.child is None:
            if now >= self._again_at:
                self.start()
            return None
        code = self.child.poll()
        how = describe(code or 0)
        if code is None:
            silent_s = now - self._beat_at
            if silent_s <= (self.watchdog_s if self.alive else START_S):
                return None
            how = f"shows no sign of life for {silent_s:.1f} s and is killed"
        self.child.kill()  # reaps, and closes the lifeline
        self.child = None
        self.alive = False
        if code == 0 or (code in FATAL and not self.proven):
            return code
        self.failures = 0 if now - self._started > STEADY_S else self.failures
        pause = BACKOFF_S[min(self.failures, len(BACKOFF_S) - 1)]
        self.failures += 1
        self._again_at = now + pause
        log.error("%s %s; it is started again in %.1f s", self._module, how, pause)
        return None

    def ask(self) -> None:
        """Ask it to stop; asked again, it hurries."""
        if self.child is not None:
            self.child.terminate()

    def wait(self, timeout_s: float) -> bool:
        """Whether it is gone within ``timeout_s``."""
        return self.child is None or self.child.wait(timeout_s) is not None

    def stop(self, timeout_s: float) -> int | None:
        """Ask it to stop, kill it when it has not within ``timeout_s``; its exit code, None if it had to be killed."""
        if self.child is None:
            return None
        if self.child.poll() is None:
            self.ask()
        code = self.child.wait(timeout_s)
        if code is None:
            log.error("%s did not stop within %.1f s and is killed", self._module, timeout_s)
        self.child.kill()
        self.child = None
        self.alive = False
        return code

    def close(self) -> None:
        """Let go, after `stop`."""
        self._heart.close()


def describe(code: int) -> str:
    """An exit status, negative for a signal, in words."""
    return f"ended with signal {-code}" if code < 0 else f"ended with exit code {code}"
