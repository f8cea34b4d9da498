"""The parent's side of a live source's child process: starts it, asks it to open its stream, takes messages and frames.

Used by the one thread that reads; `kill` may be called by any.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
import weakref
from typing import TYPE_CHECKING

import msgspec

from edge.contracts.decoding import UnreadableError
from edge.contracts.errors import SourceError
from edge.process.child import Child
from edge.process.reaper import MOST_LEFT_BEHIND, reaper
from edge.sources.live.messages import MAX_PACKET, OPEN, ChildMessage, RingMade, decode_child_message
from edge.sources.live.ring import RingReader

if TYPE_CHECKING:
    from edge.sources.live.messages import LiveJob
    from edge.sources.live.ring import TakenFrame

CHILD = "edge.sources.live.child"


class ChildGoneError(Exception):
    """The child has died or was killed."""


class LiveChild:
    """A running child process of a live source, and the ring that it writes to."""

    def __init__(self, job: LiveJob, name: str, stop_s: float = 0.0) -> None:
        """Start the child. ``name``: what it is counted as if it cannot be killed; ``stop_s``: see `LiveSource.stop_s`.

        Raises `SourceError` if earlier ones of this name could not be killed.
        """
        if len(reaper.left_behind(name)) >= MOST_LEFT_BEHIND:
            raise SourceError(
                f"{MOST_LEFT_BEHIND} of its processes cannot be killed; no other is started",
                hint="its driver or device does not answer: restart the machine",
                reason="source_lost",
            )
        self._ready = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)  # recv_fds takes no notice of MSG_DONTWAIT
        self._control = ours
        self._stop_s = stop_s
        self._ring: RingReader | None = None
        self._taken = 0
        """Number of the next frame: all below were taken or overwritten."""
        self._left_out = 0
        self.overwritten = 0
        """Frames that were overwritten before they were taken, or left out by the reader."""
        try:
            with theirs:
                self._child = Child(
                    CHILD, msgspec.json.encode(job), (theirs.fileno(), self._ready), name=name, own_stdout=False
                )
        except BaseException:
            _close(ours, self._ready)
            raise
        weakref.finalize(self, _end, self._child, ours, self._ready)
        self._poll = select.poll()
        self._poll.register(self._control, select.POLLIN)
        self._poll.register(self._ready, select.POLLIN)

    @property
    def pid(self) -> int:
        """Process id of the child."""
        return self._child.pid

    def exit_status(self) -> int | None:
        """Exit status of the child, negative for a signal; None while it runs."""
        return self._child.wait(0.2)

    def has_ended(self) -> bool:
        """Whether the child is not there any more."""
        return self._child.poll() is not None

    def ask_to_open(self) -> None:
        """Ask the child to open the stream; it answers with `StreamOpened` or `StreamLost`."""
        try:
            self._control.send(OPEN)
        except OSError:
            raise ChildGoneError from None

    def next_message(self, timeout_s: float) -> ChildMessage | None:
        """Next message of the child, but for rings, which are taken over; None if none came in time."""
        deadline = time.monotonic() + timeout_s
        while True:
            message = self._received()
            if message is not None:
                return message
            left = deadline - time.monotonic()
            if left <= 0 or not self._wait(left):
                return None

    def next_item(self, timeout_s: float) -> ChildMessage | TakenFrame | None:
        """Newest frame or next message, frames first; None if neither came in time."""
        deadline = time.monotonic() + timeout_s
        while True:
            item = self.newest_frame() or self._received() or self.newest_frame()
            if item is not None:
                return item
            left = deadline - time.monotonic()
            if left <= 0 or not self._wait(left):
                return None

    def newest_frame(self) -> TakenFrame | None:
        """Take the newest frame; None if there is no new one."""
        found = None if self._ring is None else self._ring.newest(self._taken)
        if found is not None:
            self.overwritten += found.number - self._taken + found.frame.left_out - self._left_out
            self._left_out = found.frame.left_out
            self._taken = found.number + 1
        return found

    def kill(self) -> None:
        """Kill the child, or leave it behind where that is not possible. May be called twice.

        A thread that waits here gets `ChildGoneError`. Descriptors stay open until no thread has this object any more.
        """
        if self._stop_s:
            self._child.terminate()
            self._child.wait(self._stop_s)
        self._child.kill()
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)

    def _wait(self, timeout_s: float) -> bool:
        """Wait for a message, or a frame; False: nothing came in time."""
        ready = self._poll.poll(timeout_s * 1000)
        if self._ready in {fd for fd, _ in ready}:
            os.eventfd_read(self._ready)
        return bool(ready)

    def _received(self) -> ChildMessage | None:
        """The message that is there, but for rings; None: none is."""
        while True:
            try:
                packet, fds, _, _ = socket.recv_fds(self._control, MAX_PACKET, 1)
            except BlockingIOError:
                return None
            except OSError:
                raise ChildGoneError from None
            try:
                if not packet:
                    raise ChildGoneError
                message = decode_child_message(packet)
                if not isinstance(message, RingMade):
                    return message
                if not fds:
                    raise ChildGoneError
                self._ring = RingReader(fds[0])
            except UnreadableError:
                raise ChildGoneError from None
            finally:
                for fd in fds:
                    os.close(fd)


def _end(child: Child, control: socket.socket, ready: int) -> None:
    """End what is left of a child that nobody has any more."""
    child.kill()
    _close(control, ready)


def _close(control: socket.socket, ready: int) -> None:
    control.close()
    os.close(ready)
