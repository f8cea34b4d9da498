"""Live source: the parent's side of a stream that is received and decoded in a child process.

A child that crashes or hangs costs its own stream, which says ``lost``; `open` starts another. While the child is
well it is kept, and asked to open the stream again: an attempt then costs a connection, not a process.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, ClassVar

from edge.contracts.errors import ConfigError, DeviceError, EdgeError, SourceError, SourceSetupError, UsageError
from edge.contracts.frames import Frame, FrameOrigin, SourceEvent
from edge.contracts.results import Reason
from edge.contracts.state import StreamInput
from edge.sources.live.late_frames import LATE_NS
from edge.sources.live.link import ChildGoneError, LiveChild
from edge.sources.live.messages import FramesDamaged, LiveJob, StreamEnded, StreamLost, StreamOpened
from edge.sources.live.network_errors import AccessRefusedError
from edge.sources.live.options import COMMON, live_options, refuse_misspelt
from edge.sources.live.refusals import Refusals
from edge.sources.live.ring import TakenFrame
from edge.sources.live.silence import SilenceLimit

if TYPE_CHECKING:
    from edge.config.settings import StreamSettings
    from edge.config.uri import Uri
    from edge.sources.live.reader import StreamInfo

log = logging.getLogger(__name__)

START_S = 15.0
"""Seconds for a child to start and to import its libraries on a slow, busy machine, beyond the time to open."""
KINDS: dict[int, type[EdgeError]] = {kind.exit_code: kind for kind in (UsageError, ConfigError)}


class LiveSource:
    """Base class of live sources. A kind of URI names its reader and the parameters that this reader knows."""

    live = True
    reader: ClassVar[str] = ""
    """``module:class`` of the `LiveReader` that runs in the child."""
    parameters: ClassVar[tuple[str, ...]] = ()
    """Parameters of the URI, beside those of all live streams."""
    stop_s: ClassVar[float] = 0.0
    """How long the child has, after SIGTERM, to end what it started itself; then it is killed. 0: at once."""
    server_has_parameters: ClassVar[bool] = False
    """Whether further parameters belong to the server's address, and are passed on to it."""

    def __init__(self, uri: Uri, stream: StreamSettings) -> None:
        """Raises `UsageError` for parameters that are unknown or not valid."""
        ours = (*self.parameters, *COMMON)
        if self.server_has_parameters:
            refuse_misspelt(uri, ours)
        else:
            uri.expect(*ours)
        self._uri, self._stream = uri, stream
        self.options = live_options(uri, stream, self.parameters)
        self.info: StreamInfo | None = None
        """What the stream is, as it was when it was last opened."""
        self.dropped = 0
        """Frames that came but were overwritten before they were read."""
        self._lifecycle = threading.Lock()
        self._child: LiveChild | None = None
        self._hung: LiveChild | None = None
        """The child, where it is silent: it is ended before the stream is opened again."""
        self._is_open = self._ended = self._closed = False
        self._size: tuple[int, int] | None = None
        """(width, height) of the last frame."""
        self._seq = 0
        self._clip = -1
        self._why_not_open = "it is not open"
        self._refusals = Refusals()
        self._silence = SilenceLimit(self.options)
        self._last_captured_ns = 0

    @property
    def pid(self) -> int | None:
        """Process id of the child; None: there is none. For tests and health."""
        child = self._child
        return None if child is None else child.pid

    def describe(self) -> StreamInput | None:
        """Implement `DescribedSource.describe`: what it was when it was last opened."""
        info = self.info
        if info is None:
            return None
        width, height = self._size or (info.width, info.height)
        return StreamInput(width=width, height=height, fps=info.fps, format=info.format, decoder=info.decoder)

    def open(self) -> None:
        """Implement `Source.open`: have the stream opened by the child, a new one if there is none that is well."""
        self._closed = False
        try:
            self._refusals.check()
            self._open()
        except EdgeError as error:
            self._why_not_open = _in_one_line(error)
            self._refusals.note(error)
            raise
        self._refusals.forget()

    def _open(self) -> None:
        began = time.monotonic()
        child = self._running_child()
        try:
            child.ask_to_open()
            answer = child.next_message(self.options.open_timeout_s + START_S)
            while isinstance(answer, FramesDamaged):
                answer = child.next_message(self.options.open_timeout_s)
        except ChildGoneError:
            raise self._died(child) from None
        if isinstance(answer, StreamOpened):
            self.info = answer.info
            self._clip += 1
            self._is_open, self._ended = True, False
            self._silence.begin()
            return
        if isinstance(answer, StreamLost):
            raise self._error(answer)
        self._end_child(child)
        message = f"{self._uri.redacted()} was not open within {time.monotonic() - began:.0f} s"
        raise SourceError(message, hint="is it on, and in reach?", reason=Reason.SOURCE_LOST.value)

    def read(self, timeout_s: float) -> Frame | SourceEvent | None:
        """Implement `Source.read`: the newest frame that was not read yet; older ones are counted as dropped."""
        child = self._child
        if self._closed:
            return None
        if self._ended:
            return SourceEvent("ended", Reason.STREAM_ENDED)
        if child is None or not self._is_open:
            return SourceEvent("lost", Reason.SOURCE_LOST, self._why_not_open)
        try:
            before = child.overwritten
            item = child.next_item(min(timeout_s, self._silence.left_s()))
            self.dropped += child.overwritten - before
        except ChildGoneError:
            return self._lose(_in_one_line(self._died(child)))
        except SourceError as error:  # what it wrote into the ring makes no sense
            return self._lose(_in_one_line(error))
        if item is None:
            return self._silent(child)
        if isinstance(item, FramesDamaged):
            self._silence.note_sign_of_life()
            return SourceEvent("skipped", item.reason, item.detail)
        if isinstance(item, StreamEnded):
            self._ended = True
            return SourceEvent("ended", Reason.STREAM_ENDED)
        if isinstance(item, StreamLost):
            return self._lose(_in_one_line(self._error(item)), keep_child=True)
        return self._frame(item) if isinstance(item, TakenFrame) else None

    def close(self) -> None:
        """Implement `Source.close`: end the child; a `read` in another thread returns soon."""
        self._closed = True
        self._is_open = False
        with self._lifecycle:
            child, self._child = self._child, None
        if child is not None:
            child.kill()

    def _running_child(self) -> LiveChild:
        """The child if it is there and idle, else a new one."""
        with self._lifecycle:
            child = self._child
            if child is not None and (self._is_open or child is self._hung or child.has_ended()):
                child.kill()
                child = None
            self._is_open, self._hung = False, None
            if child is None:
                name = f"{self._uri.scheme} stream {self._stream.name}"
                self._child = child = LiveChild(LiveJob(self.reader, self._uri, self.options), name, self.stop_s)
            return child

    def _frame(self, taken: TakenFrame) -> Frame | None:
        """The frame that was taken; None if it has become too old meanwhile: it is dropped, and counted."""
        age_ns = time.monotonic_ns() - taken.frame.captured_ns
        self._silence.note_frame(age_ns / 1e9)
        if age_ns > LATE_NS:
            self.dropped += 1
            return None
        captured_ns = taken.frame.captured_ns - round(self.options.delay_ms * 1e6)
        # A clock that is mapped better step by step may go back a little; frames do not.
        self._last_captured_ns = captured_ns = max(captured_ns, self._last_captured_ns + 1)
        frame = Frame(
            stream=self._stream.name,
            seq=self._seq,
            captured_ns=captured_ns,
            media_ns=taken.frame.media_ns,
            pixels=taken.frame.pixels,
            regions=taken.frame.regions,
            origin=FrameOrigin(frame_index=taken.number, clip=self._clip),
        )
        self._size = (frame.pixels.shape[1], frame.pixels.shape[0])
        self._seq += 1
        return frame

    def _silent(self, child: LiveChild) -> SourceEvent | None:
        """None while there is time left, else the loss: whatever holds the child, it is ended."""
        if self._closed or self._silence.left_s() > 0:
            return None
        # It is told first: ending what hangs takes a moment, and `open` does it.
        self._hung = child
        return self._lose(f"no picture came for {self._silence.limit_s:.1f} s", keep_child=True)

    def _lose(self, detail: str, *, keep_child: bool = False) -> SourceEvent | None:
        """The event that the stream is lost; nothing if it was closed, which is no loss."""
        self._is_open = False
        if not keep_child and (child := self._child) is not None:
            self._end_child(child)
        return None if self._closed else SourceEvent("lost", Reason.SOURCE_LOST, detail)

    def _end_child(self, child: LiveChild) -> None:
        self._is_open = False
        child.kill()
        with self._lifecycle:
            if self._child is child:
                self._child = None

    def _died(self, child: LiveChild) -> SourceError:
        """End what is left of the child; the error that says how it died."""
        status = child.exit_status()
        self._end_child(child)
        how = f"killed by signal {-status}" if status is not None and status < 0 else f"exit status {status}"
        hint = "its decoder or driver crashed; it is started again"
        return SourceError(f"its process died ({how})", hint=hint, reason=Reason.SOURCE_LOST.value)

    def _error(self, lost: StreamLost) -> EdgeError:
        """The error that the child raised."""
        if lost.traceback:
            log.error("stream %s: a bug in its reader:\n%s", self._stream.name, lost.traceback)
        if lost.refused:
            return AccessRefusedError(lost.message, hint=lost.hint, reason=lost.reason)
        if lost.setup:
            return SourceSetupError(lost.message, hint=lost.hint, reason=lost.reason)
        if lost.exit_code in KINDS:
            return KINDS[lost.exit_code](lost.message, hint=lost.hint)
        if lost.exit_code == DeviceError.exit_code or not lost.exit_code:
            return SourceError(lost.message, hint=lost.hint, reason=lost.reason)
        return EdgeError(lost.message, hint=lost.hint)


def _in_one_line(error: EdgeError) -> str:
    return f"{error.message}; {error.hint}" if error.hint else error.message
