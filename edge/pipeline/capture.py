"""Frame capture for all streams: a thread for each source reads and decodes, the loop takes streams in turn.

A file source is held back when the loop is busy, and loses nothing. Of a live source only the newest frame is kept;
the others are counted as dropped.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from edge.config.settings import StreamSettings
from edge.contracts.errors import EdgeError, SourceError
from edge.contracts.frames import Frame, SourceEvent
from edge.contracts.ports import DescribedSource, FrameDropper
from edge.contracts.results import Reason
from edge.pipeline.liveness import LivenessMonitor
from edge.pipeline.open_sources import LostStreams, open_all
from edge.pipeline.overload import OverloadWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from edge.contracts.ports import Source
    from edge.contracts.state import StreamInput

log = logging.getLogger(__name__)

READ_TIMEOUT_S = 0.5
FILE_QUEUE = 3
"""Frames decoded ahead of the loop for a file source."""
MOST_FAILURES = 5
"""Bugs in a row after which a file source is not read any more."""
LARGE_BYTES = 8 << 20
"""A frame of so many bytes is decoded ahead alone: the loop holds two more of them."""
STUCK_S = 60.0
"""Longer than any source's own time limits."""
BACKOFF_S = (0.25, *(0.5,) * 60, 1.0)
"""Pauses before a lost source is opened again, shortened by chance by up to a half. Half a second for half a minute: a
stream that begins with a key frame each second is seen within 2 s; what is away for longer is asked less often."""


class FrameCapture:
    """Reads all sources of a daemon, one thread each, and reopens those that are lost."""

    def __init__(
        self,
        sources: Mapping[str, Source],
        adjust: Callable[[Frame], Frame] | None = None,
        streams: Sequence[StreamSettings] = (),
        *,
        started: bool = True,
        live_may_be_absent: bool = False,
    ) -> None:
        """Open every source and start reading.

        Args:
            sources: by stream name.
            adjust: turns, crops and completes a frame; it is skipped where this raises `SourceError`. None: nothing.
            streams: settings, for freeze and silence detection on live sources; for others the defaults hold.
            started: False: nothing is read before `start`.
            live_may_be_absent: a camera that is off is lost, and tried until it comes; see `open_all`.

        Raises:
            EdgeError: a source cannot be opened: at the start, that is for the user to mend.
        """
        self._sources = dict(sources)
        self._adjust = adjust or (lambda frame: frame)
        self._ready = threading.Condition()
        self._queues: dict[str, deque[Frame | SourceEvent]] = {name: deque() for name in sources}
        self._turn = deque(sources)
        self._running = set(sources)
        self._closed = threading.Event()
        self._paused: set[str] = set()
        self.overload = OverloadWatch()
        self.away = LostStreams()
        self.dropped = dict.fromkeys(sources, 0)
        self.lost: list[str] = []
        """Streams of which a part was not read and never will be: by a bug in a source, or in reading it."""
        self._call_began_at: dict[str, float | None] = dict.fromkeys(sources)
        """Since when a source has been in a call of ours; None: it is not."""
        try:
            open_all(self._sources, live_may_be_absent=live_may_be_absent)
        except BaseException:
            for source in self._sources.values():
                source.close()
            raise
        given = {stream.name: stream for stream in streams}
        self._settings = {name: given.get(name) or StreamSettings(name=name, source="") for name in self._sources}
        self._liveness = {
            name: LivenessMonitor(self._settings[name]) for name, source in self._sources.items() if source.live
        }
        self._threads: list[threading.Thread] = []
        if started:
            self.start()

    def start(self) -> None:
        """Start reading, a thread for each source; once."""
        self._threads = [
            threading.Thread(target=self._read_all, args=(name, source), name=f"capture-{name}", daemon=True)
            for name, source in self._sources.items()
        ]
        for thread in self._threads:
            thread.start()

    def next(self, timeout_s: float) -> tuple[str, Frame | SourceEvent] | None:
        """Next frame or event with its stream's name, streams in turn; None if nothing came within ``timeout_s``."""
        with self._ready:
            for name, liveness in self._liveness.items():
                if name in self._running - self._paused and (event := liveness.check_silence()) is not None:
                    self.away.note_lost(name)
                    self._queues[name].append(event)
            if not self._ready.wait_for(self._has_item, timeout_s):
                return None
            for _ in range(len(self._turn)):
                name = self._turn[0]
                self._turn.rotate(-1)
                if self._queues[name] and name not in self._paused:
                    self._ready.notify_all()  # a file source may be waiting for the place
                    return name, self._queues[name].popleft()
            return None

    def describe(self, name: str) -> StreamInput | None:
        """What a live stream really gives; None: it is none, or it never was open."""
        source = self._sources.get(name)
        return source.describe() if isinstance(source, DescribedSource) else None

    @property
    def exhausted(self) -> bool:
        """Whether all sources have ended and all they gave was taken."""
        with self._ready:
            return not self._running and not any(self._queues.values())

    def pause(self, name: str) -> bool:
        """Pause a stream: a live source is closed, a file keeps its position. False: it has ended."""
        with self._ready:
            if name not in self._running:
                return False
            self._paused.add(name)
            if name in self._liveness:
                self._queues[name].clear()
                self.away.forget(name)
            return True

    def resume(self, name: str) -> bool:
        """Go on with a stream that was paused. False: it has ended."""
        with self._ready:
            if name not in self._running and not self._queues[name]:
                return False
            if name in self._liveness and name in self._paused:
                self._liveness[name] = LivenessMonitor(self._settings[name])  # what it knew is of before the pause
            self._paused.discard(name)
            self._ready.notify_all()
            return True

    def stuck(self, limit_s: float = STUCK_S) -> list[str]:
        """Live streams whose source has not come back from a call for ``limit_s``: only a new process helps them.

        A file may take as long as it needs.
        """
        now = time.monotonic()
        asked = {name: self._call_began_at[name] for name in self._liveness}
        return [name for name, at in asked.items() if at is not None and now - at > limit_s]

    def close(self) -> None:
        """Stop reading and close all sources."""
        self._closed.set()
        for source in self._sources.values():
            source.close()
        with self._ready:
            self._ready.notify_all()
        for thread in self._threads:
            thread.join(timeout=2.0)

    def _has_item(self) -> bool:
        waiting = [name for name, queue in self._queues.items() if queue]
        ended = not self._running and not waiting
        return bool(set(waiting) - self._paused) or ended or self._closed.is_set()

    def _read_all(self, name: str, source: Source) -> None:
        try:
            self._read_until_end(name, source)
        except BaseException:  # never an end that looks like the source's
            log.exception("stream %s: its reading failed", name)
            self._lose(name, "its reading failed")
        finally:
            with self._ready:
                self._running.discard(name)
                self._ready.notify_all()

    def _lose(self, name: str, why: str) -> None:
        """Report that a part of a stream is lost for good."""
        with self._ready:
            self.lost.append(name)
            self._queues[name].append(SourceEvent("lost", Reason.SOURCE_LOST, why))
            self._ready.notify_all()

    def _read_until_end(self, name: str, source: Source) -> None:
        failures = 0
        dropper, seen = (source if isinstance(source, FrameDropper) else None), 0
        while not self._closed.is_set():
            if source.live and name in self._paused:
                self._close_while_paused(name, source)
                continue
            self._call_began_at[name] = time.monotonic()
            try:
                item = source.read(READ_TIMEOUT_S)
            except BaseException:  # a bug in a source (or a native panic) costs that source, and is said
                log.exception("stream %s: the source failed", name)
                if not source.live:  # opened again, it would begin with the first file again
                    failures += 1
                    self._call_began_at[name] = None
                    self._lose(name, "the source failed: not everything was read")
                    if failures == MOST_FAILURES:
                        break
                    continue
                item = SourceEvent("lost", Reason.SOURCE_LOST, "the source failed")
            self._call_began_at[name] = None
            if dropper is not None and dropper.dropped != seen:
                self.dropped[name], seen = self.dropped[name] + dropper.dropped - seen, dropper.dropped
            if item is None:
                continue
            if isinstance(item, Frame):  # what is cropped away must not hide that a picture is frozen
                item = self._adjusted(name, item)
            liveness = self._liveness.get(name)
            passed = item if liveness is None else liveness.check(item)
            if passed is not None:
                self._put(name, source, passed)
            if isinstance(item, Frame):
                failures = 0
            elif item.kind == "ended":
                break
            elif item.kind == "lost":
                self._reopen(name, source, failures)
                failures += 1

    def _put(self, name: str, source: Source, item: Frame | SourceEvent) -> None:
        queue = self._queues[name]
        with self._ready:
            if source.live:
                if name in self._paused:
                    return
                if isinstance(item, Frame):
                    self.away.note_frame(name)
                elif item.kind == "lost":
                    self.away.note_lost(name)
                if isinstance(item, Frame):  # events stay, and frames before them do not: they would only grow old
                    events = [waiting for waiting in queue if not isinstance(waiting, Frame)]
                    self.dropped[name] += len(queue) - len(events)
                    queue.clear()
                    queue.extend(events)
            else:
                self._ready.wait_for(lambda: len(queue) < FILE_QUEUE or self._closed.is_set())
            queue.append(item)
            self._ready.notify_all()
            if not source.live and isinstance(item, Frame) and item.pixels.nbytes >= LARGE_BYTES:
                self._ready.wait_for(lambda: not queue or self._closed.is_set())

    def _adjusted(self, name: str, frame: Frame) -> Frame | SourceEvent:
        """The frame with what the configuration adds to it; an event if that fails."""
        try:
            return self._adjust(frame)
        except SourceError as error:
            return SourceEvent("skipped", Reason.DECODE_ERROR, f"{error.message}; {error.hint}")
        except Exception:  # a bug of ours costs this frame
            log.exception("stream %s: a frame could not be taken over", name)
            return SourceEvent("skipped", Reason.FAILED, "a frame could not be taken over")

    def _close_while_paused(self, name: str, source: Source) -> None:
        """Close a live source while its stream is paused, and open it again."""
        source.close()
        with self._ready:
            self._ready.wait_for(lambda: name not in self._paused or self._closed.is_set())
        if self._closed.is_set():
            return
        self._call_began_at[name] = time.monotonic()
        try:
            source.open()
        except BaseException as error:  # `read` says ``lost`` of what is not open, and then it is tried again
            log.warning("stream %s: cannot be started (%s)", name, getattr(error, "reason", type(error).__name__))
        self._call_began_at[name] = None

    def _reopen(self, name: str, source: Source, failures: int) -> None:
        """One attempt after a pause; if it fails, `read` says ``lost`` again and the pause grows."""
        pause = BACKOFF_S[min(failures, len(BACKOFF_S) - 1)] * random.uniform(0.5, 1.0)  # noqa: S311  (jitter)
        if self._closed.wait(pause):
            return
        self._call_began_at[name] = time.monotonic()
        try:
            source.open()  # not closed before: a live source keeps the process that it has
        except EdgeError as error:  # `read` says ``lost`` again, and why
            log.debug("stream %s: still lost (%s)", name, getattr(error, "reason", type(error).__name__))
        except BaseException:  # a bug in a source must not end its thread: it is tried again
            log.exception("stream %s: the source failed to open", name)
        self._call_began_at[name] = None
