"""Child process of a live source: opens and decodes one stream, and writes each frame into the ring.

Run as ``python -m edge.sources.live.child`` by the parent only.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import socket
import sys
import time
import traceback
from typing import TYPE_CHECKING

import msgspec

from edge.contracts.decoding import decode_json
from edge.contracts.errors import EdgeError, SourceError, SourceSetupError
from edge.contracts.results import Reason
from edge.images.limits import check_picture_size
from edge.process.child import inherit
from edge.process.malloc import limit_malloc_arenas
from edge.process.resource_limits import end_first_when_memory_runs_out, limit_memory, silence_output
from edge.sources.live.messages import (
    OPEN,
    ChildMessage,
    FramesDamaged,
    LiveJob,
    RingMade,
    StreamEnded,
    StreamLost,
    StreamOpened,
)
from edge.sources.live.network_errors import AccessRefusedError
from edge.sources.live.reader import FrameDamagedError, StreamEndedError
from edge.sources.live.ring import RingWriter, make_ring_memory

if TYPE_CHECKING:
    from edge.sources.live.reader import LiveFrame, LiveReader


def main() -> int:
    """Read the stream that the parent names until the parent is gone."""
    limit_malloc_arenas()
    inheritance = inherit()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_first_when_memory_runs_out()
    silence_output()
    job = decode_json(inheritance.payload, LiveJob)
    control = socket.socket(fileno=inheritance.fds[0])
    service = LiveService(control, inheritance.fds[1])
    try:
        module, name = job.reader.split(":")
        reader = getattr(importlib.import_module(module), name)(job.uri, job.options)
        limit_memory()
    except BaseException as error:
        if control.recv(len(OPEN)):
            service.tell_lost(error)
        return 1
    while control.recv(len(OPEN)) == OPEN:
        service.serve(reader)
    return 0


UNSOUND_S = 5.0
"""A stream that gives only damaged pictures for so long is opened again: it may have become another one."""


class LiveService:
    """Serves one parent: opens the stream when asked to, and passes on what a reader gives."""

    def __init__(self, control: socket.socket, ready: int) -> None:
        """``control``: for messages; ``ready``: an eventfd that says that a frame was written."""
        self._control = control
        self._ready = ready
        self._ring: RingWriter | None = None
        self._sound_at = 0.0
        """When the last sound frame came, or the stream was opened."""

    def serve(self, reader: LiveReader) -> None:
        """Open the stream and read it until it is lost or has ended."""
        try:
            self._tell(StreamOpened(reader.open()))
            self._sound_at = time.monotonic()
            while True:
                self._serve_one(reader)
        except StreamEndedError:
            self._tell(StreamEnded())
        except BaseException as error:  # a decoder's panic is none of Exception's
            self.tell_lost(error)
        finally:
            reader.close()

    def _serve_one(self, reader: LiveReader) -> None:
        """Pass on the next frame, or that it is damaged."""
        try:
            frame = reader.read()
        except FrameDamagedError as error:
            self._tell_if_room(FramesDamaged(error.detail, error.reason))
            if time.monotonic() - self._sound_at > UNSOUND_S:
                what = f"no sound picture came for {UNSOUND_S:.0f} s: {error.detail}"
                raise SourceError(what, hint="it is opened again", reason=Reason.SOURCE_LOST.value) from None
        else:
            self._sound_at = time.monotonic()
            self._pass_on(frame)

    def tell_lost(self, error: BaseException) -> None:
        """Tell the parent why the stream is lost."""
        if isinstance(error, EdgeError):
            reason = error.reason if isinstance(error, SourceError) else StreamLost("").reason
            refused, setup = isinstance(error, AccessRefusedError), isinstance(error, SourceSetupError)
            self._tell(StreamLost(error.message, error.hint, reason, error.exit_code, refused, setup))
        elif isinstance(error, ImportError):
            what, hint = f"its library cannot be loaded: {error}", "install it anew; edge-cli doctor lists what is here"
            self._tell(StreamLost(what, hint, exit_code=SourceSetupError.exit_code, setup=True))
        elif isinstance(error, MemoryError):
            self._tell(StreamLost("takes more memory to decode than a stream may have", "send smaller pictures"))
        else:
            told = "".join(traceback.format_exception(error))[-8000:]
            self._tell(StreamLost("its reader failed", "see the log", traceback=told))

    def _pass_on(self, frame: LiveFrame) -> None:
        """Write a frame into the ring, a larger one where it does not fit."""
        height, width = frame.pixels.shape[:2]
        check_picture_size(width, height)
        if self._ring is None or self._ring.slot_bytes < frame.pixels.nbytes:
            self._ring = self._larger_ring(frame.pixels.nbytes)
        self._ring.write(frame)
        os.eventfd_write(self._ready, 1)

    def _larger_ring(self, slot_bytes: int) -> RingWriter:
        fd = make_ring_memory(-(-slot_bytes // 4096) * 4096)
        try:
            ring = RingWriter(fd) if self._ring is None else RingWriter(fd, self._ring.written, self._ring.left_out)
            socket.send_fds(self._control, [msgspec.json.encode(RingMade())], [fd])
        finally:
            os.close(fd)
        return ring

    def _tell(self, message: ChildMessage) -> None:
        self._control.send(msgspec.json.encode(message))

    def _tell_if_room(self, message: ChildMessage) -> None:
        """Send a message that may be left out while the parent reads nothing."""
        with contextlib.suppress(BlockingIOError):
            self._control.send(msgspec.json.encode(message), socket.MSG_DONTWAIT)


if __name__ == "__main__":
    sys.exit(main())
