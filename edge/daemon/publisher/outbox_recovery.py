"""Recovery of outboxes that were set aside (damaged, copied, quarantined): sends what was not sent yet, as it is.

It goes under its own epoch and numbers, in the replay lane, behind all messages of the outbox in use. Repeats, as from
a copy whose original had sent them, are recognised by those numbers: a copy is set aside before anything is added to
it, so none of them stands for two messages. What was stored for another device (a cloned card) is not ours to send.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from typing import TYPE_CHECKING

import msgspec

from edge.contracts.decoding import UnreadableError, decode_json
from edge.daemon.publisher.delivery import Delivery
from edge.outbox import schema
from edge.outbox.reader import OutboxReader
from edge.outbox.rows import NO_END

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge.daemon.publisher.shared_sink import SharedSinkPart

log = logging.getLogger(__name__)


FIRST_ROWS = 100
"""Rows of each sink that are looked at for whose file it is: a few may be such that nobody can read them."""


class _Device(msgspec.Struct):
    device: str = ""


def _device_in(body: bytes) -> str | None:
    """Device that a stored message is of; None: it cannot be read, and is sent with the others of its file."""
    try:
        return decode_json(body, _Device).device
    except UnreadableError:
        return None


class OutboxRecovery:
    """Sends the set-aside outboxes of one publisher, one file at a time, the oldest first."""

    def __init__(self, path: Path, device: str, parts: Sequence[SharedSinkPart]) -> None:
        """``path`` is the first outbox' name; ``parts`` are of all durable sinks."""
        self._path, self._device = path, device
        self._sinks = [part.name for part in parts]
        self._deliveries = [Delivery(part, self._sinks) for part in parts]
        self._outbox: OutboxReader | None = None
        self._last: Path | None = None
        """The file that was open last."""
        self._done: dict[Path, int] = {}
        """Files with nothing to send -> when they were last changed: by `edge-cli outbox resend` they may be."""
        self.unreadable: set[Path] = set()

    @property
    def busy(self) -> bool:
        """Whether a file is open that has something to send."""
        return self._outbox is not None

    def open_next(self) -> None:
        """Open the next file that has something to send, if none is open."""
        for path in schema.set_aside_outboxes(self._path) if self._deliveries and not self.busy else ():
            with contextlib.suppress(OSError):
                if self._done.get(path) != path.stat().st_mtime_ns and self._open(path):
                    return

    def work(self) -> None:
        """One turn: send some messages of the open file, and close it when all are sent."""
        outbox = self._outbox
        if outbox is None:
            return
        try:
            outbox.mark_resend_slice()
            for delivery in self._deliveries:
                delivery.work(outbox)
            if not outbox.resend_progress().jobs and all(delivery.idle(outbox) for delivery in self._deliveries):
                log.info("all of %s is sent", outbox.path.name)
                self._close()
        except sqlite3.Error as error:
            path = outbox.path
            if schema.transient_error(error):
                log.info("%s cannot be read now (%s); trying again", path.name, error)
                self._close()
                self._done.pop(path, None)
                return
            log.error(
                "%s cannot be read any further (%s): edge-cli outbox export may get more", outbox.path.name, error
            )
            self.unreadable.add(outbox.path)
            self._close()

    def open_epoch(self, epoch: str) -> OutboxReader | None:
        """Open the set-aside file of ``epoch`` for the caller, who closes it; None: there is none that can be read."""
        for path in schema.set_aside_outboxes(self._path):
            with contextlib.suppress(sqlite3.Error, OSError), contextlib.ExitStack() as stack:
                outbox = OutboxReader(path, newest=False, verify=False)
                stack.callback(outbox.close)
                if outbox.state().epoch == epoch:
                    stack.pop_all()
                    return outbox
        return None

    def look_again(self, path: Path) -> None:
        """Note that something was asked for of a set-aside file: it is opened again to be sent."""
        self._done.pop(path, None)

    def expire(self, present: OutboxReader, keep_s: float, unsent_keep_s: float, max_bytes: float) -> None:
        """Empty files whose time is over, and, the oldest first, those that are too much. The names stay."""
        files = [path for path in schema.set_aside_outboxes(self._path) if path.is_file() and path.stat().st_size]
        excess = sum(path.stat().st_size for path in files) - max_bytes
        for path in files:
            unsent = path not in self._done and path not in self.unreadable
            age = present.age_of(path.name)
            if excess > 0 or age > (max(keep_s, unsent_keep_s) if unsent and self._deliveries else keep_s):
                if unsent:
                    log.error("%s is emptied: what it held unsent is given up", path.name)
                if self._outbox is not None and self._outbox.path == path:
                    self._close()
                excess -= path.stat().st_size
                schema.empty_outbox(path)

    def close(self) -> None:
        """Commit what has arrived, and close the open file."""
        if self._outbox is not None:
            with contextlib.suppress(sqlite3.Error):
                for delivery in self._deliveries:
                    while delivery.record(self._outbox):
                        pass
            self._outbox.close()
            self._outbox = None

    def _open(self, path: Path) -> bool:
        """Whether ``path`` has something for us to send; it is open then."""
        try:
            schema.migrate(path, mark=False)
            outbox = OutboxReader(path, newest=False, verify=False)
        except (sqlite3.Error, OSError) as error:
            if isinstance(error, OSError) or schema.transient_error(error):
                return False  # another time
            if path.is_file() and path.stat().st_size:
                log.error("%s was set aside and cannot be read (%s)", path.name, error)
                self.unreadable.add(path)
            self._done[path] = path.stat().st_mtime_ns
            return False
        self._outbox = outbox
        try:
            outbox.acknowledge_unawaited(self._sinks)
            outbox.mark_resend_slice()  # with a job that was stored, something is pending
            rows = [outbox.pending(name, 0, NO_END, FIRST_ROWS) for name in self._sinks]
            devices = [next(filter(None, (_device_in(row.body) for row in some)), None) for some in rows]
            ours = self._device in devices
        except sqlite3.Error as error:
            if schema.transient_error(error):
                self.close()
                return False  # another time
            log.error("%s was set aside and cannot be read (%s)", path.name, error)
            self.unreadable.add(path)
            ours = False
        else:
            if any(rows) and not any(devices):
                log.error("%s was set aside and cannot be read (none of its messages can)", path.name)
                self.unreadable.add(path)
            elif any(rows) and not ours:
                log.warning("%s holds messages of another device, which are not sent", path.name)
        if not ours:
            self._close()
            return False
        self.unreadable.discard(path)
        log.warning("%s was set aside with messages that were not sent: sending them", path.name)
        if path != self._last:  # else what is known of it holds
            self._last = path
            for delivery in self._deliveries:
                delivery.reset()
        return True

    def _close(self) -> None:
        if self._outbox is not None:
            path = self._outbox.path
            self.close()
            with contextlib.suppress(OSError):
                self._done[path] = path.stat().st_mtime_ns
