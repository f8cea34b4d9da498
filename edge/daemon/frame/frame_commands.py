"""Carries out frame commands in the frame process: begin another exam, stop or start a stream."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

import msgspec

from edge.contracts.decoding import UnreadableError, decode_json
from edge.contracts.frame_command import FrameCommandResult
from edge.tap.messages import OrderResult

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge.app.frame_link import OutboxFrameLink
    from edge.contracts.frame_command import FrameCommand
    from edge.pipeline.capture import FrameCapture
    from edge.pipeline.reporter import Reporter
    from edge.tap.messages import ViewerOrder
    from edge.tap.writer import FrameTap

FILE_NAME = "stopped.json"


class _Stopped(msgspec.Struct, frozen=True):
    run_id: str
    streams: list[str]


class StoppedStreams:
    """File with the names of stopped streams, for the next frame process of the same run.

    A crash of the frame process must not start them again.
    """

    def __init__(self, state_dir: Path, run_id: str) -> None:
        self._path, self._run_id = state_dir / FILE_NAME, run_id

    def read(self) -> list[str]:
        """Names of the streams that were stopped in this run; what an earlier run was asked for is over."""
        with contextlib.suppress(OSError, UnreadableError):
            noted = decode_json(self._path.read_bytes(), _Stopped)
            return noted.streams if noted.run_id == self._run_id else []
        return []

    def write(self, streams: Sequence[str]) -> None:
        """Replace the stored names by ``streams``. Raises OSError if that cannot be stored."""
        if not streams:
            self._path.unlink(missing_ok=True)
            return
        draft = self._path.with_suffix(".new")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.encode(_Stopped(self._run_id, list(streams))))
        draft.replace(self._path)


class FrameCommandRunner:
    """Runs the frame commands of one frame process; called by its loop, between frames."""

    def __init__(
        self,
        frame_link: OutboxFrameLink,
        capture: FrameCapture,
        reporter: Reporter,
        stopped: StoppedStreams,
        tap: FrameTap | None = None,
    ) -> None:
        """Streams that are in ``stopped`` are stopped again at once. ``tap``: of the viewer, which gives orders too."""
        self._tap = tap
        self._frame_link, self._capture, self._reporter, self._stopped = frame_link, capture, reporter, stopped
        for name in stopped.read():
            if capture.pause(name):
                reporter.stop_stream(name)

    def run_pending(self) -> None:
        """Carry out the commands that came since the last call, and answer each; those that are too old are dropped."""
        for command in self._frame_link.frame_commands():
            if time.monotonic_ns() < command.until_ns:
                self._frame_link.answer_command(self._carry_out(command))
        if self._tap is None:
            return
        for order in self._tap.orders():
            if time.monotonic_ns() < order.until_ns:
                self._tap.answer(self._carry_out_order(order))

    def _carry_out_order(self, order: ViewerOrder) -> OrderResult:
        if not set(order.streams) <= set(self._reporter.streams):
            return OrderResult(id=order.id, error="unknown_stream")
        if order.name == "exam":
            return OrderResult(id=order.id, exams=self._begin_exams(order.streams, order.at_ns))
        kept = order.answer is not None and all(
            self._reporter.keep_feedback(name, order.answer) for name in order.streams
        )
        return OrderResult(id=order.id, error=None if kept else "not_kept")

    def _begin_exams(self, streams: Sequence[str], at_ns: int) -> dict[str, str]:
        exams = {name: self._reporter.begin_exam(name, at_ns) for name in streams}
        if self._tap is not None:
            for name, exam_id in exams.items():
                self._tap.begin_exam(name, exam_id, at_ns)
        return exams

    def _carry_out(self, command: FrameCommand) -> FrameCommandResult:
        if command.name == "exam":
            exams = self._begin_exams(command.streams, command.at_ns)
            return FrameCommandResult(id=command.id, result={"exams": exams})
        stopping = command.name == "stream/stop"
        for name in command.streams:
            if not (self._capture.pause(name) if stopping else self._capture.resume(name)):
                return FrameCommandResult(id=command.id, error="ended")
            (self._reporter.stop_stream if stopping else self._reporter.start_stream)(name)
        try:
            self._stopped.write(self._reporter.stopped_streams())
        except OSError:  # it is done, but a crash of this process would undo it
            return FrameCommandResult(id=command.id, result={"streams": command.streams, "lasting": False})
        return FrameCommandResult(id=command.id, result={"streams": command.streams, "lasting": True})
