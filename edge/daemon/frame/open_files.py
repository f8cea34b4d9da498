"""Open files of the frame process, written down for its successor: which one was read when it died, which are done.

A file that was open when the process died twice is left out (`poison`) until it changes; what was judged before a crash
is not judged again in the same run. ``reading`` in the state directory holds a byte that tells how the process ended,
a byte for each stream that is decoding, then JSON; it is written when a file begins and ends, never for a frame, and
never synced: what it is for survives in the kernel. ``poison.json`` counts deaths. Files stand there by hashes only.
"""

from __future__ import annotations

import contextlib
import logging
import math
import mmap
import os
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from edge.app.envelope import boot_id
from edge.contracts.decoding import decode_json
from edge.contracts.errors import SourceError
from edge.contracts.results import Reason
from edge.daemon.frame.poison_files import PoisonFiles
from edge.daemon.frame.reading_record import ReadingRecord, StreamRecord, file_key, path_hash
from edge.sources.file_source import FileProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from edge.contracts.frame_result import Result
    from edge.contracts.frames import Frame, SourceEvent

log = logging.getLogger(__name__)

FILE_NAME = "reading"
RUNNING, STOPPING, HUNG = ord("r"), ord("s"), ord("h")
HEAD = 64
"""Bytes before the JSON: how the process ended, then one for each stream."""
TURN_S = 1.0
"""A loop that has not gone round for so long stands still; one that has is not what the watchdog waits for."""
ALONE_S = 5.0
"""Longest wait until the files before a suspect one are reported, so that it is open alone."""


@dataclass(slots=True)
class _OpenFile:
    clip: int
    key: str
    path_hash: str
    given: int = 0
    """Frames and events that were read of it."""
    reported: int = 0
    ended: bool = False
    stored: threading.Event | None = None
    """Set when all that was reported of it is on disk; None: not all is reported."""


@dataclass(slots=True)
class _Stream:
    index: int
    done: str = ""
    files: list[_OpenFile] = field(default_factory=list)
    decoding: bool = False


class OpenFiles:
    """Record of the files that all streams have open. A `Tap`: told of each frame that was reported."""

    def __init__(self, state_dir: Path, run_id: str, streams: Sequence[str]) -> None:
        """Take over what the last frame process left, and begin a record. Raises OSError if it cannot be written."""
        self._lock = threading.Condition()
        self._path = state_dir / FILE_NAME
        self._record = ReadingRecord(run_id, boot_id())
        self._streams = {name: _Stream(index) for index, name in enumerate(streams[: HEAD - 1])}
        self._poison = PoisonFiles(state_dir)
        self._mark_stored: Callable[[], threading.Event] | None = None
        self._ended = False
        """The watchdog ends the process: the record stays as it is."""
        self._turned_at = math.inf  # not yet: still being made ready
        self._take_over()
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        os.ftruncate(self._fd, HEAD)
        self._head: mmap.mmap | None = mmap.mmap(self._fd, HEAD)
        self._head[0] = RUNNING
        self._write()

    @property
    def unjudged(self) -> dict[str, int]:
        """How many files and frames of this run got no result, by reason, as far as it was noted."""
        return self._record.unjudged

    def note_unjudged(self, counts: dict[str, int]) -> None:
        """Write down how many files and frames of this run got no result: the next process goes on counting."""
        with self._lock:
            self._record.unjudged = dict(counts)
            self._write()

    def follow(self, mark_stored: Callable[[], threading.Event]) -> None:
        """Use ``mark_stored``, which gives an event that is set when all that was reported until now is on disk."""
        self._mark_stored = mark_stored

    def progress(self, stream: str) -> FileProgress:
        """What the file source of ``stream`` is to be given."""
        return StreamFiles(self, stream) if stream in self._streams else FileProgress()

    def event(self, stream: str, event: SourceEvent, exam_id: str) -> None:
        """Implement `Tap.event`: files tell of their end themselves, see `progress`."""

    def offer(self, frame: Frame, result: Result, exam_id: str = "", track_ids: Sequence[str | None] = ()) -> None:
        """Implement `Tap.offer`: count a frame of a file as reported."""
        with self._lock:
            stream = self._streams.get(frame.stream)
            if stream is None:
                return
            reported = [file for file in stream.files if file.clip <= frame.origin.clip]
            for file in reported[:-1]:
                file.ended, file.reported = True, file.given
            if reported:
                reported[-1].reported += 1

    def each_turn(self) -> None:
        """Strike out files of which all is stored. To be called at every turn of the loop; cheap."""
        self._turned_at = time.monotonic()
        if not any(stream.files for stream in self._streams.values()):
            return
        with self._lock:
            struck = [self._strike_out(stream) for stream in self._streams.values()]
            if any(struck):
                self._write()
                self._lock.notify_all()

    def stopping(self) -> None:
        """Note that the process was asked to stop: how it ends says nothing of the files. For signal handlers."""
        if self._head is not None and not self._ended:
            self._head[0] = STOPPING

    def watchdog_ends(self) -> None:
        """Note that the watchdog ends the process, and keep the record, whether it ends itself or is killed.

        A death, unless the loop goes round: then a camera or the disk hangs, and no file. For signal handlers.
        """
        if self._head is None or self._ended or self._head[0] != RUNNING:
            return
        self._ended = True
        if time.monotonic() - self._turned_at < TURN_S:
            self._head[0] = HUNG

    def close(self) -> None:
        """Remove the record, unless the watchdog ends the process. May be called again."""
        with self._lock:
            if self._head is None:
                return
            if not self._ended:
                self._path.unlink(missing_ok=True)
            self._head.close()
            self._head = None
            os.close(self._fd)

    def left_out(self, stream: str, files: Sequence[Path]) -> int:
        """Implement `FileProgress.left_out`: those that were judged before a crash, once."""
        with self._lock:
            done = self._streams[stream].done
        hashes = (path_hash(path) for path in files)
        number = next((i for i, found in enumerate(hashes, 1) if found == done), 0) if done else 0
        if number:
            log.warning("stream %s: %d files were judged before the restart, and are not judged again", stream, number)
        return number

    def begin(self, stream: str, path: Path, clip: int, number: int) -> None:
        """Implement `FileProgress.begin`. Raises `SourceError` for a poison file."""
        key, own = file_key(path), self._streams[stream]
        self._end_last(own)
        if deaths := self._poison.is_poison(key):
            raise SourceError(
                f"file number {number}: the process died {deaths} times while it was open",
                hint="it is left out until it changes; export it again",
                reason=Reason.POISON.value,
            )
        if self._poison.is_suspect(key):  # alone, so that it is known if it happens again
            deadline = time.monotonic() + ALONE_S
            with self._lock:
                while own.files and (left_s := deadline - time.monotonic()) > 0 and self._head is not None:
                    self._lock.wait(left_s)
        with self._lock:
            own.files.append(_OpenFile(clip, key, path_hash(path)))
            self._write()

    def given(self, stream: str) -> None:
        """Note that a frame or event was read of the stream's present file."""
        for file in self._streams[stream].files[-1:]:
            file.given += 1

    def end(self, stream: str) -> None:
        """Note that the stream's present file is read to its end."""
        self._end_last(self._streams[stream])

    def decoding(self, stream: str, busy: bool) -> None:
        """Implement `FileProgress.decoding`: one byte in the kernel's memory."""
        head = self._head
        if head is not None and not self._ended:
            with contextlib.suppress(ValueError):  # closed meanwhile
                head[1 + self._streams[stream].index] = busy

    def _end_last(self, stream: _Stream) -> None:
        with self._lock:
            if stream.files:
                stream.files[-1].ended = True

    def _strike_out(self, stream: _Stream) -> bool:
        """Strike out the stream's first files if they are done; whether there were any."""
        struck = False
        while stream.files:
            file = stream.files[0]
            if file.stored is None and file.ended and file.reported >= file.given and self._mark_stored is not None:
                file.stored = self._mark_stored()
            if file.stored is None or not file.stored.is_set():
                break
            stream.done = file.path_hash
            stream.files.pop(0)
            self._poison.clear(file.key)
            struck = True
        return struck

    def _write(self) -> None:
        if self._head is None or self._ended:
            return
        self._record.streams = {
            name: StreamRecord([file.key for file in stream.files], stream.done)
            for name, stream in self._streams.items()
        }
        with contextlib.suppress(OSError):  # a full disk costs this record, nothing else
            data = msgspec.json.encode(self._record)
            os.pwrite(self._fd, data, HEAD)
            os.ftruncate(self._fd, HEAD + len(data))

    def _take_over(self) -> None:
        """Count the death of the last process, if it died, against its files; go on where it was, in the same run."""
        with contextlib.suppress(OSError, msgspec.MsgspecError, IndexError):
            left = self._path.read_bytes()
            record = decode_json(left[HEAD:], ReadingRecord)
            if left[0] not in (RUNNING, HUNG) or record.boot_id != self._record.boot_id:
                return  # it was asked to stop, or the machine stopped: no file's fault
            if left[0] == RUNNING:
                self._count_death(record, [bool(left[1 + i]) for i in range(len(record.streams))])
            if record.run_id == self._record.run_id:
                self._record.unjudged = record.unjudged
                for name, old in record.streams.items():
                    if name in self._streams:
                        self._streams[name].done = old.done

    def _count_death(self, record: ReadingRecord, decoding: list[bool]) -> None:
        for busy, stream in zip(decoding, record.streams.values(), strict=True):
            for key in stream.open:
                self._poison.count_death(key, sure=not any(decoding) or (busy and key == stream.open[-1]))
        self._poison.save()


class StreamFiles(FileProgress):
    """`FileProgress` of one stream's file source."""

    def __init__(self, files: OpenFiles, stream: str) -> None:
        self._files, self._stream = files, stream
        self._opened = False

    def left_out(self, files: Sequence[Path]) -> int:
        """Implement `FileProgress.left_out`; a source that is opened anew begins anew."""
        first, self._opened = not self._opened, True
        return self._files.left_out(self._stream, files) if first else 0

    def begin(self, path: Path, clip: int, number: int) -> None:
        """Implement `FileProgress.begin`: write the file down."""
        self._files.begin(self._stream, path, clip, number)

    def decoding(self, busy: bool) -> None:
        """Implement `FileProgress.decoding`: set the stream's byte."""
        self._files.decoding(self._stream, busy)

    def given(self) -> None:
        """Implement `FileProgress.given`: count it."""
        self._files.given(self._stream)

    def end(self) -> None:
        """Implement `FileProgress.end`: it may be struck out when all is stored."""
        self._files.end(self._stream)
