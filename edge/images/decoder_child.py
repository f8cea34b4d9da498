"""Child process that decodes: calls one function after the other for its parent, within limits of memory and time.

Run as ``python -m edge.images.decoder_child`` by `edge.images.decoder_process` only.
"""

from __future__ import annotations

import importlib
import math
import mmap
import os
import pickle
import resource
import signal
import socket
import sys
import time
from typing import Any

import msgspec

from edge.contracts.decoding import decode_json
from edge.contracts.errors import SourceError
from edge.contracts.results import Reason
from edge.images.decoder_process import MAX_PACKET, STARTED, DecoderReply, DecoderRequest, pack
from edge.process.child import inherit
from edge.process.malloc import limit_malloc_arenas, trim_malloc
from edge.process.resource_limits import data_bytes, end_first_when_memory_runs_out, set_soft_limit, silence_output

IDLE_S = 60.0
"""Seconds without a request after which the child ends: what it has in memory is of use to others."""
CPU_SLACK_S = 2
"""Seconds of processor time beyond the time limit: only for a child whose parent cannot end it any more."""
SMALL_BYTES = 4 << 20
"""Up to so many bytes a function gets as `bytes`, which every decoder takes."""


def main() -> int:
    """Answer requests until the parent is gone, or until there were none for a while."""
    limit_malloc_arenas()
    inheritance = inherit()
    control = socket.socket(fileno=inheritance.fds[0])
    control.settimeout(IDLE_S)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_first_when_memory_runs_out()
    silence_output()
    if inheritance.payload:
        importlib.import_module(inheritance.payload.decode())
    while True:
        try:
            packet, fds, _, _ = socket.recv_fds(control, MAX_PACKET, 1)
        except TimeoutError:
            return 0
        if not packet:
            return 0
        if not _answer(control, decode_json(packet, DecoderRequest), fds[0]):
            return 0  # the next one is given to a child that nothing has shaken
        trim_malloc()


def _answer(control: socket.socket, request: DecoderRequest, fd: int) -> bool:
    """Call the function of one request and send the reply; whether this process may go on."""
    module, name = request.function.split(":")
    function = getattr(importlib.import_module(module), name)
    control.send(STARTED)
    result_fd = -1
    sound = True
    try:
        _limit(request)
        data = _data(fd, request.size)
        result_fd, cuts = pack(function(data, *pickle.loads(request.arguments)))  # noqa: S301  (our parent's)
        reply = DecoderReply(cuts=cuts)
    except BaseException as error:  # a decoder's panic is none of Exception's
        sound = isinstance(error, SourceError)
        reply = DecoderReply(error=pickle.dumps(_as_source_error(error, request)))
    finally:
        os.close(fd)
        signal.setitimer(signal.ITIMER_PROF, 0)
    socket.send_fds(control, [msgspec.json.encode(reply)], [] if result_fd < 0 else [result_fd])
    if result_fd >= 0:
        os.close(result_fd)
    return sound


def _as_source_error(error: BaseException, request: DecoderRequest) -> SourceError:
    """The error itself if it is one of ours, else one that tells what happened."""
    if isinstance(error, SourceError):
        error.__traceback__ = error.__cause__ = None
        return error
    if isinstance(error, MemoryError):
        return SourceError(
            f"takes more than {request.memory_bytes >> 20} MB of memory to decode",
            hint="export it smaller, or as uncompressed",
            reason=Reason.TOO_LARGE.value,
        )
    return SourceError(f"cannot be decoded ({type(error).__name__})", hint="copy or export it again")


def _data(fd: int, size: int) -> Any:
    """The bytes behind a descriptor: ``bytes`` if they are few, else a `mmap` of them, which takes no memory."""
    if size <= SMALL_BYTES:
        return os.pread(fd, size, 0)
    return mmap.mmap(fd, size, access=mmap.ACCESS_READ)


def _limit(request: DecoderRequest) -> None:
    """Set the limits of this process for one call, counted from what it has and has used now."""
    signal.setitimer(signal.ITIMER_PROF, request.timeout_s)  # its signal ends the process
    set_soft_limit(resource.RLIMIT_DATA, data_bytes() + request.memory_bytes)
    set_soft_limit(resource.RLIMIT_CPU, math.ceil(time.process_time() + request.timeout_s) + CPU_SLACK_S)


if __name__ == "__main__":
    sys.exit(main())
