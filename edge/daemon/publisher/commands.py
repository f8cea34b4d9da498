"""Commands of requests over MQTT: each method takes (asking sink, args) and returns the response's ``result``.

ping               that we are there, and which version
health             the numbers of ``health``, now
findings/resend    {epoch, from, to, ranges}: stored messages once more, in the replay lane of the asking sink
config/get         the settings that hold, without secrets, user names and paths
exam/start, /end   {stream}: what is captured from now on is about another patient
stream/start, /stop {stream}: judge it, or do not; the frame process does both and answers
"""

from __future__ import annotations

import time
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from edge import __version__
from edge.config.effective_settings import redacted_settings
from edge.contracts.frame_command import FrameCommand
from edge.contracts.request import ExamArgs, ResendArgs, StreamArgs
from edge.daemon.publisher.requests import COMMAND_VALID_S, PendingAnswer, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.config.settings import Settings
    from edge.contracts.frame_command import FrameCommandName
    from edge.daemon.publisher.resends import ResendQueue
    from edge.daemon.publisher.state_and_health import StateAndHealth
    from edge.outbox.reader import OutboxReader


class NoArgs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Arguments of commands that take none."""


class Commands:
    """All commands that requests can ask one publisher for."""

    def __init__(
        self,
        settings: Settings,
        state_and_health: StateAndHealth,
        outbox: Callable[[], OutboxReader | None],
        send_command: Callable[[FrameCommand], bool],
        resends: ResendQueue,
    ) -> None:
        """Keep what the commands need; nothing is called yet.

        Args:
            settings: of this device.
            state_and_health: makes the numbers of ``health``.
            outbox: returns the one that is open now, or None.
            send_command: sends a command to the frame process; False if that cannot be done now.
            resends: carries out ``findings/resend``.
        """
        self._send_command, self._resends = send_command, resends
        self._settings = settings
        self._state_and_health = state_and_health
        self._outbox = outbox

    def by_name(self) -> dict[str, Callable[[str, dict[str, Any]], dict[str, Any] | PendingAnswer]]:
        """All commands by their name in the request topic, as `RequestHandler` takes them."""
        return {
            "ping": self.ping,
            "health": self.health,
            "findings/resend": self.resend,
            "config/get": self.config,
            "exam/start": self.exam,
            "exam/end": self.exam,
            "stream/start": partial(self.stream, "stream/start"),
            "stream/stop": partial(self.stream, "stream/stop"),
        }

    def ping(self, sink: str, args: dict[str, Any]) -> dict[str, Any]:
        """Answer that the device is there, and which version it runs."""
        msgspec.convert(args, NoArgs)
        return {"version": __version__}

    def health(self, sink: str, args: dict[str, Any]) -> dict[str, Any]:
        """The numbers of ``health``, made now; None in them where there is no outbox."""
        msgspec.convert(args, NoArgs)
        outbox = self._outbox()
        state, depth = (None, None) if outbox is None else (outbox.state(), outbox.depth())
        numbers: dict[str, Any] = msgspec.to_builtins(self._state_and_health.health(state, depth))
        return numbers

    def resend(self, sink: str, args: dict[str, Any]) -> PendingAnswer:
        """Send stored messages to ``sink`` again; what is not kept any more is named by range.

        The answer comes when it is counted, and before the first of them. Raises `RefusedError`, see `ResendQueue.add`.
        """
        return self._resends.add(sink, msgspec.convert(args, ResendArgs))

    def config(self, sink: str, args: dict[str, Any]) -> dict[str, Any]:
        """The settings that hold, without secrets, user names and paths: fit to leave the device."""
        msgspec.convert(args, NoArgs)
        return {"settings": redacted_settings(self._settings)}

    def exam(self, sink: str, args: dict[str, Any]) -> PendingAnswer:
        """Begin another exam (patient): start and end of an exam are the same boundary, seen from either side."""
        stream = msgspec.convert(args, ExamArgs).stream
        return self._send_frame_command(
            "exam", [one.name for one in self._settings.streams] if stream is None else [stream]
        )

    def stream(self, name: FrameCommandName, sink: str, args: dict[str, Any]) -> PendingAnswer:
        """Start or stop the judging of a stream."""
        return self._send_frame_command(name, [msgspec.convert(args, StreamArgs).stream])

    def _send_frame_command(self, name: FrameCommandName, streams: list[str]) -> PendingAnswer:
        if not set(streams) <= {one.name for one in self._settings.streams}:
            raise RefusedError("unknown_stream")
        now = time.monotonic_ns()
        command = FrameCommand(
            id=uuid.uuid4().hex, name=name, streams=streams, at_ns=now, until_ns=now + int(COMMAND_VALID_S * 1e9)
        )
        if not self._send_command(command):
            raise RefusedError("unavailable")
        return PendingAnswer(command.id)
