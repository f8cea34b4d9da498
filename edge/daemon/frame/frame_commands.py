"""Carries out, in the frame process, what the device was asked for: another exam, a stream stopped or started."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

import msgspec

from edge.contracts.decoding import UnreadableError, decode_json
from edge.contracts.frame_command import FrameCommandResult

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge.app.frame_link import OutboxFrameLink
    from edge.contracts.frame_command import FrameCommand
    from edge.pipeline.capture import FrameCapture
    from edge.pipeline.reporter import Reporter

FILE_NAME = "stopped.json"


class _Stopped(msgspec.Struct, frozen=True):
    run_id: str
    streams: list[str]


class StoppedStreams:
    """Which streams were asked to stop, for the next frame process of the same run: they must not start by a crash."""

    def __init__(self, state_dir: Path, run_id: str) -> None:
        self._path, self._run_id = state_dir / FILE_NAME, run_id

    def read(self) -> list[str]:
        """Those of this run; what an earlier run was asked for is over."""
        with contextlib.suppress(OSError, UnreadableError):
            noted = decode_json(self._path.read_bytes(), _Stopped)
            return noted.streams if noted.run_id == self._run_id else []
        return []

    def write(self, streams: Sequence[str]) -> None:
        """Raises OSError if it cannot be noted."""
        if not streams:
            self._path.unlink(missing_ok=True)
            return
        draft = self._path.with_suffix(".new")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.encode(_Stopped(self._run_id, list(streams))))
        draft.replace(self._path)


class FrameCommandRunner:
    """Of one frame process; called by its loop, between frames."""

    def __init__(
        self, frame_link: OutboxFrameLink, capture: FrameCapture, reporter: Reporter, stopped: StoppedStreams
    ) -> None:
        """Streams that were stopped before stay so."""
        self._frame_link, self._capture, self._reporter, self._stopped = frame_link, capture, reporter, stopped
        for name in stopped.read():
            if capture.pause(name):
                reporter.stop_stream(name)

    def obey(self) -> None:
        """Carry out what was ordered since the last call, and say so."""
        for order in self._frame_link.orders():
            if time.monotonic_ns() < order.until_ns:
                self._frame_link.done(self._carry_out(order))

    def _carry_out(self, order: FrameCommand) -> FrameCommandResult:
        if order.name == "exam":
            exams = {name: self._reporter.begin_exam(name, order.at_ns) for name in order.streams}
            return FrameCommandResult(id=order.id, result={"exams": exams})
        stopping = order.name == "stream/stop"
        for name in order.streams:
            if not (self._capture.pause(name) if stopping else self._capture.resume(name)):
                return FrameCommandResult(id=order.id, error="ended")
            (self._reporter.stop_stream if stopping else self._reporter.start_stream)(name)
        try:
            self._stopped.write(self._reporter.stopped_streams())
        except OSError:  # it is done, but a crash of this process would undo it
            return FrameCommandResult(id=order.id, result={"streams": order.streams, "lasting": False})
        return FrameCommandResult(id=order.id, result={"streams": order.streams, "lasting": True})
