"""The parent: starts the frame process and the publisher, starts again what fell over, and stops them in order.

It does no work of its own and imports nothing heavy, so that it is there when something else is not.
"""

from __future__ import annotations

import logging
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING

import msgspec

from edge.contracts.errors import SinkError
from edge.process.child import Child

if TYPE_CHECKING:
    from types import FrameType

    from edge.daemon.job import DaemonJob

log = logging.getLogger(__name__)

FRAME, PUBLISHER = "edge.daemon.frame", "edge.daemon.publisher"
FATAL = range(2, 7)
"""Exit codes of an `EdgeError`: raised at the start only, and starting again would not mend it."""
BACKOFF_S = (0.2, 1.0, 2.0, 5.0, 10.0, 30.0)
STEADY_S = 60.0
"""A child that has run so long is given the first pause again."""
STOP_FRAME_S = 2.0
STOP_SLACK_S = 2.0
"""Beyond its own time limits, how long a child may take to go before it is killed."""
TURN_S = 0.1


class Keeper:
    """One child, started again with growing pauses when it falls over."""

    def __init__(self, module: str, payload: bytes, fd: int) -> None:
        self._module, self._payload, self._fd = module, payload, fd
        self._failures = 0
        self._again_at = 0.0
        self._started = 0.0
        self.child: Child | None = None
        self.start()

    def start(self) -> None:
        """Start it now."""
        self._started = time.monotonic()
        # The publisher must not die of a SIGTERM that comes before it listens: it lets it through when it does.
        early = {signal.SIGTERM} if self._module == PUBLISHER else set()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, early)
        try:
            self.child = Child(self._module, self._payload, (self._fd,))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def ensure(self) -> int | None:
        """As `check`, but one that pauses is started at once."""
        code = self.check() or None
        if code is None and self.child is None:
            self.start()
        return code

    def check(self) -> int | None:
        """Exit code if it ended for good (0, or an error of the user's to mend), else None; restarts it if due."""
        now = time.monotonic()
        if self.child is None:
            if now >= self._again_at:
                self.start()
            return None
        code = self.child.poll()
        if code is None:
            return None
        self.child.kill()  # reaps, and closes the lifeline
        self.child = None
        if code == 0 or code in FATAL:
            return code
        self._failures = 0 if now - self._started > STEADY_S else self._failures
        pause = BACKOFF_S[min(self._failures, len(BACKOFF_S) - 1)]
        self._failures += 1
        self._again_at = now + pause
        log.error("%s ended with %s; it is started again in %.1f s", self._module, _how(code), pause)
        return None

    def stop(self, timeout_s: float) -> int | None:
        """Ask it to stop, kill it when it has not within ``timeout_s``; its exit code, None if it was not running."""
        if self.child is None:
            return None
        self.child.terminate()
        code = self.child.wait(timeout_s)
        if code is None:
            log.error("%s did not stop within %.1f s and is killed", self._module, timeout_s)
        self.child.kill()
        self.child = None
        return code


def supervise(job: DaemonJob) -> int:
    """Run until stopped by SIGTERM or SIGINT, or until all sources have ended; return the exit code.

    Raises `SinkError` if the sources have ended and the publisher did not live to deliver what they gave.
    """
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    handlers = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    to_publisher, from_frame = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    payload = msgspec.json.encode(job)
    publisher = Keeper(PUBLISHER, payload, from_frame.fileno())
    frame = Keeper(FRAME, payload, to_publisher.fileno())
    code: int | None = None
    delivered: int | None = None
    try:
        while code is None and not stop.wait(TURN_S):
            code = publisher.check() or None  # its clean end is never by itself
            code = frame.check() if code is None else code
    finally:
        log.info("stopping")
        frame.stop(STOP_FRAME_S)  # first: what it still has goes to the outbox
        if code == 0 and not stop.is_set():
            code = publisher.ensure() or 0  # who else would deliver what the sources gave last
        delivered = publisher.stop(job.settings.drain_timeout_s + STOP_SLACK_S)
        to_publisher.close()
        from_frame.close()
        for number, handler in handlers.items():
            signal.signal(number, handler)
    # Asked to stop, it is no failure that a receiver is away. But who waits for a file to be through wants to know.
    if code or stop.is_set() or delivered == 0:
        return code or 0
    if delivered is not None and delivered in FATAL:
        return delivered  # and the publisher has said why
    how = "did not end in time" if delivered is None else f"ended with {_how(delivered)}"
    raise SinkError(
        f"not everything was delivered: the publisher {how}",
        hint=f"what is left is kept in {job.state_dir} and is sent at the next start",
    )


def _how(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
