"""JSON Lines file sink: appends one line ``{"topic": …, "payload": …}`` a message, for those who have no broker.

It also serves as evidence. Durable messages count as arrived when they are synced to the disk. Lines are whole or
absent: a torn last line (power cut, full disk) is ended or cut off before the next is written.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import logging
import os
import stat
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from edge.config.uri import parse_uri
from edge.contracts.errors import ConfigError, SinkError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from edge.config.settings import SinkSettings
    from edge.contracts.ports import Outgoing, SinkIdentity

RETRY_PAUSE_S = 1.0
"""Pause after a failed write, until the next is tried, in seconds."""
BATCH_BYTES = 1 << 20
"""Most bytes that are collected, then written and synced at once."""

log = logging.getLogger(__name__)


def require_writable(settings: SinkSettings) -> None:
    """Raise `SinkError` if the file of a ``jsonl://`` sink cannot be written, as far as that is seen unopened."""
    path = _path_of(settings)
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise _not_regular(path)
        writable, why = os.access(path, os.W_OK), errno.EACCES
    except FileNotFoundError:
        folder = os.path.dirname(os.path.realpath(path))  # of what a link leads to: it is made there
        writable = os.access(folder, os.W_OK | os.X_OK)
        why = errno.EACCES if os.path.isdir(folder) else errno.ENOENT
    except OSError as error:  # the name is too long, links go in a circle, a folder is none
        raise _not_writable(path, error.strerror) from None
    if not writable:
        raise _not_writable(path, os.strerror(why))


def require_unused(sinks: Iterable[SinkSettings]) -> None:
    """Raise `SinkError` if another process writes the file of one of these ``jsonl://`` sinks; none is made.

    For the first start only: at a reload it is our own publisher that writes them. Raises `ConfigError` if two of
    them are one file.
    """
    files: set[object] = set()
    for settings in sinks:
        path = _path_of(settings)
        name: object = os.path.realpath(path)
        if os.path.exists(path):
            file = _open_locked(path, 0)
            status = os.fstat(file)
            os.close(file)
            name = (status.st_dev, status.st_ino)
        if name in files:
            raise ConfigError(f"two sinks write {path}", hint="each receiver is configured once")
        files.add(name)


def _path_of(settings: SinkSettings) -> str:
    """Absolute path of the file. Raises `SinkError` if the URI names none, `UsageError` for a parameter."""
    uri = parse_uri(settings.uri)
    uri.expect()
    if not uri.file:
        raise SinkError("jsonl:// names no file", hint="write jsonl:///absolute/path or jsonl://relative/path")
    return os.path.abspath(uri.file)


def _not_writable(path: str, why: str | None) -> SinkError:
    return SinkError(f"{path} cannot be written: {why}", hint="its folder must exist and be ours to write")


def _not_regular(path: str) -> SinkError:
    return SinkError(f"{path} is not a regular file", hint="what is written to it could not be kept: name another")


def _open_locked(path: str, flags: int) -> int:
    """Open a file to append to, and lock it. Raises `SinkError` if that cannot be, or another process has it."""
    try:
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK | flags, 0o600)
    except OSError as error:
        raise _not_writable(path, error.strerror) from None
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise _not_regular(path)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        raise SinkError(f"{path} is written by another process", hint="give each daemon its own") from None
    except OSError as error:  # a file system without locks
        os.close(file)
        raise _not_writable(path, error.strerror) from None
    except SinkError:
        os.close(file)
        raise
    return file


class JsonlSink:
    """`Sink` that appends JSON lines to a file of mode 0600, and locks it: one process writes it."""

    def __init__(self, settings: SinkSettings, identity: SinkIdentity) -> None:
        """Read the URI. Raises `SinkError` if it names no file."""
        self._path = _path_of(settings)
        self.durable = settings.durable
        self.session = 0
        # It stands in `state`, and file names do not leave the device.
        self.name = f"jsonl-{hashlib.sha256(self._path.encode()).hexdigest()[:8]}"
        self._topics = replace(identity.topics, root=settings.root)
        self._file: int | None = None
        self._lines: list[bytes] = []
        self._size = 0
        self._seqs: list[int] = []
        self._acked: list[int] = []
        self._returned: list[int] = []
        self._problem: str | None = None
        self._retry_at = 0.0

    def open(self) -> None:
        """Implement `Sink.open`: open and lock the file.

        Raises `SinkError` if it is no regular file, cannot be appended to, or another process does so.
        """
        self._file = _open_locked(self._path, os.O_CREAT)
        self.session = 1

    def wake_on(self, callback: Callable[[], None]) -> None:
        """Implement `Sink.wake_on`: never called: the file is always there, and `acked` is asked after every turn."""

    def send(self, message: Outgoing) -> bool:
        """Implement `Sink.send`: collect the line. `acked` writes many lines to the disk in one sync."""
        if self._file is None or self._size > BATCH_BYTES or time.monotonic() < self._retry_at:
            return False
        topic = msgspec.json.encode(self._topics.full(message.suffix))
        line = b'{"topic":%b,"payload":%b}\n' % (topic, message.body)
        self._lines.append(line)
        self._size += len(line)
        if message.seq is not None:
            self._seqs.append(message.seq)
        return True

    def acked(self) -> Sequence[int]:
        """Implement `Sink.acked`: write and sync what was collected; seq of what is on the disk."""
        self._flush()
        seqs, self._acked = self._acked, []
        return seqs

    def returned(self) -> Sequence[int]:
        """Implement `Sink.returned`: seq of messages whose write failed."""
        seqs, self._returned = self._returned, []
        return seqs

    def problems(self) -> Sequence[str]:
        """Implement `Sink.problems`: ``disk_full`` or ``disk_error``."""
        return [] if self._problem is None else [self._problem]

    def close(self, timeout_s: float) -> None:
        """Implement `Sink.close`: write what was collected and close the file."""
        if self._file is not None:
            self._flush()
            os.close(self._file)
            self._file = None
            self.session = 0

    def _flush(self) -> None:
        if self._file is None or not self._lines:
            return
        seqs, data = self._seqs, b"".join(self._lines)
        self._seqs, self._lines, self._size = [], [], 0
        size: int | None = None
        try:
            size = os.fstat(self._file).st_size
            if size and os.pread(self._file, 1, size - 1) != b"\n":
                data = b"\n" + data
            _write(self._file, data)
            if seqs:
                os.fdatasync(self._file)
        except OSError as error:
            if self._problem is None:
                log.error("%s: %s; trying again", self._path, error.strerror)
            self._problem = "disk_full" if error.errno == errno.ENOSPC else "disk_error"
            self._retry_at = time.monotonic() + RETRY_PAUSE_S
            if size is not None:
                with contextlib.suppress(OSError):  # then a torn line stays, which the next write ends
                    os.ftruncate(self._file, size)
            self._returned += seqs
        else:
            self._problem = None
            self._acked += seqs


def _write(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
