"""Decoder process: calls a decoding function in a child process with limits on memory, processor time and time.

For decoders that may hang, crash, hold Python's lock or ask for gigabytes: what they do costs one picture. The child is
started when it is first needed, kept for the next picture, started anew after it died, and ends by itself when it was
not needed for a while. Bytes go in by a file descriptor, arrays come back in shared memory.

    parent -> child   `DecoderRequest`, with the descriptor of the bytes
    child -> parent   `STARTED`: the function is found, and its time begins
    child -> parent   `DecoderReply`, with the descriptor of the shared memory that holds the result
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import mmap
import os
import pickle
import select
import signal
import socket
import threading
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec

from edge.contracts.decoding import decode_json
from edge.contracts.errors import SourceError
from edge.images.decode_time import default_timeout_s
from edge.images.limits import MAX_COST
from edge.process.child import Child
from edge.process.reaper import MOST_LEFT_BEHIND, reaper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

R = TypeVar("R")

CHILD = "edge.images.decoder_child"
STARTED = b"started"
"""Packet that the child sends when it has found the function, right before it calls it."""
START_TIMEOUT_S = 30.0
"""Seconds for the child to start and to import what a function needs; a slow card takes several."""
WAITING = 2.0
"""Time on the clock that is allowed for each second of processor time: others may be busy as well."""
MAX_PACKET = 1 << 16
"""Largest request or reply in bytes; pictures are none of them."""
ALIGN = 64
"""Arrays begin at multiples of so many bytes in the shared memory."""
SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
"""Seals of the shared memory: its size stays, whatever becomes of the child."""


class DecoderRequest(msgspec.Struct, frozen=True):
    """Request to the child: the function to call, and what with."""

    function: str
    """``module:name``; it is given the bytes first, then the arguments."""
    size: int
    """Number of bytes behind the descriptor."""
    arguments: bytes
    """Pickled."""
    memory_bytes: int
    timeout_s: float


class DecoderReply(msgspec.Struct, frozen=True):
    """Reply of the child: where the result lies in the shared memory, or the error that was raised."""

    error: bytes = b""
    """A pickled `SourceError`; empty: there is a result."""
    cuts: tuple[int, ...] = ()
    """Positions in the shared memory: begin and end of the pickled result, then of each of its arrays."""


class DecoderProcess:
    """The parent's side of the decoder process. Threads may share it: their calls are made one after another."""

    def __init__(self, memory_bytes: int = MAX_COST) -> None:
        """``memory_bytes``: most memory that a call may take beyond what the idle child has."""
        self._memory_bytes = memory_bytes
        self._one_at_a_time = threading.Lock()
        self._child: Child | None = None
        self._control: socket.socket | None = None
        self._shut_down = False
        self._module = ""
        """What was called last; a new child imports it while nobody waits yet."""

    @property
    def pid(self) -> int | None:
        """Process id of the child; None: there is none now."""
        return None if self._child is None or self._child.poll() is not None else self._child.pid

    def call(self, function: Callable[..., R], fd: int, *arguments: Any, timeout_s: float | None = None) -> R:
        """Call ``function(data, *arguments)`` in the child and return what it returns.

        Args:
            function: of a module, and found there by its name. ``data`` is a `mmap` of the bytes, or `bytes` if small.
            fd: descriptor of a file; all its bytes are given.
            arguments: what can be pickled.
            timeout_s: seconds of processor time that the call may take; on the clock `WAITING` times as many. None: as
                many as this machine needs (`default_timeout_s`).

        Raises:
            SourceError: what ``function`` raised, or that it took too long or too much memory, or crashed.
        """
        timeout_s = default_timeout_s() if timeout_s is None else timeout_s
        request = DecoderRequest(
            f"{function.__module__}:{function.__qualname__}",
            os.fstat(fd).st_size,
            pickle.dumps(arguments),
            self._memory_bytes,
            timeout_s,
        )
        with self._one_at_a_time:
            self._module = function.__module__
            control = self._begin(msgspec.json.encode(request), fd)
            return cast("R", self._result(control, timeout_s))

    def close(self) -> None:
        """End the child, if there is one; the next call starts another. May be called again."""
        child, control = self._child, self._control
        self._child = self._control = None
        if control is not None:
            control.close()
        if child is not None:
            child.kill()

    def shut_down(self) -> None:
        """End the child for good; a call that waits for it, in another thread, returns soon."""
        self._shut_down = True
        self.close()

    def _begin(self, packet: bytes, fd: int) -> socket.socket:
        """Send a request to the child, and wait until the function is called. A child that went idle is replaced."""
        for _ in range(2):
            control = self._connected()
            try:
                socket.send_fds(control, [packet], [fd])
            except OSError:
                self.close()
                continue
            if self._received(control, START_TIMEOUT_S) == STARTED:
                return control
            self.close()
        raise SourceError("the decoder process does not start", hint="see the log; is there memory left?")

    def _ended_by_its_timer(self) -> bool:
        """Whether the child, which has closed its end, was ended by its own limit of processor time."""
        return self._child is not None and self._child.wait(1.0) in (-signal.SIGPROF, -signal.SIGXCPU)

    def _replace(self) -> None:
        """End the child and start another, for the next picture."""
        self.close()
        with contextlib.suppress(OSError, SourceError):  # then the next call tries again, and says so
            self._connected()

    def _connected(self) -> socket.socket:
        if self._shut_down:
            raise SourceError("this process is about to end")
        if self._control is None:
            if len(reaper.left_behind(CHILD)) >= MOST_LEFT_BEHIND:
                hint = "its disk does not answer: restart the machine"
                raise SourceError(f"{MOST_LEFT_BEHIND} decoder processes cannot be killed", hint=hint)
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self._control = ours
            with theirs:
                self._child = Child(CHILD, self._module.encode(), (theirs.fileno(),), own_stdout=False)
        return self._control

    def _received(self, control: socket.socket, timeout_s: float) -> bytes | None:
        """The next packet; empty: the child has ended. None: neither within ``timeout_s``."""
        with contextlib.suppress(OSError, ValueError):  # `shut_down` closed it meanwhile
            return control.recv(MAX_PACKET) if _readable(control, timeout_s) else None
        return b""

    def _result(self, control: socket.socket, timeout_s: float) -> Any:
        packet, fds, answered = b"", [], True
        with contextlib.suppress(OSError, ValueError):  # as above, or it died with the reply unread
            answered = _readable(control, timeout_s * WAITING)
            packet, fds, _, _ = socket.recv_fds(control, MAX_PACKET, 1) if answered else (b"", [], 0, "")
        if not packet:
            too_slow = not answered or self._ended_by_its_timer()
            self._replace()
            if too_slow:
                hint = "export it as uncompressed; decode_timeout_s of the stream is the limit"
                raise SourceError(f"takes longer than {timeout_s:.3g} s to decode", hint=hint)
            raise SourceError("the decoder crashed on it", hint="it is damaged, or asks for too much: export it again")
        reply = decode_json(packet, DecoderReply)
        if reply.error:
            raise cast("SourceError", pickle.loads(reply.error))  # noqa: S301  (our own child's)
        try:
            return _unpack(fds[0], reply.cuts)
        finally:
            os.close(fds[0])


def _readable(control: socket.socket, timeout_s: float) -> bool:
    """Whether there is a packet to be read, or the end, within ``timeout_s``."""
    poll = select.poll()
    poll.register(control, select.POLLIN)
    return bool(poll.poll(timeout_s * 1000))


def _unpack(fd: int, cuts: tuple[int, ...]) -> Any:
    """The result that lies in shared memory; its arrays are views of it, which keep it."""
    if fcntl.fcntl(fd, fcntl.F_GET_SEALS) & SEALS != SEALS:
        raise SourceError("the decoder gave no proper result", hint="export it again")
    memory = memoryview(mmap.mmap(fd, 0))
    (begin, end), *places = _pairs(cuts)
    return pickle.loads(memory[begin:end], buffers=[memory[a:b] for a, b in places])  # noqa: S301  (our own child's)


def pack(result: Any) -> tuple[int, tuple[int, ...]]:
    """Put a result into sealed shared memory; its descriptor, and the positions as in `DecoderReply`."""
    buffers: list[pickle.PickleBuffer] = []
    pickled = pickle.dumps(result, protocol=5, buffer_callback=buffers.append)
    parts = [memoryview(pickled), *(buffer.raw() for buffer in buffers)]
    cuts: list[int] = []
    at = 0
    for part in parts:
        cuts += [at, at + part.nbytes]
        at += -(-part.nbytes // ALIGN) * ALIGN
    fd = os.memfd_create("sonoedge-decoded", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, max(1, at))
    with mmap.mmap(fd, 0) as memory:
        for part, (begin, end) in zip(parts, _pairs(tuple(cuts)), strict=True):
            memory[begin:end] = part
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, SEALS)
    return fd, tuple(cuts)


def _pairs(cuts: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    return zip(cuts[::2], cuts[1::2], strict=True)


def memory_file(data: bytes) -> int:
    """A file in memory that holds ``data``; its descriptor, to be closed by the caller."""
    fd = os.memfd_create("sonoedge-coded", os.MFD_CLOEXEC)
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
    return fd


decoder_process = DecoderProcess()
"""The decoder process of this process, shared by all sources."""
atexit.register(decoder_process.shut_down)
