"""Request handler: answers ``request/{command}`` with ``response/{command}``, each once; retained ones are ignored.

What comes from the broker may be anything, so it is checked in this order: whether it is a duplicate, how often, how
long, which command, whether allowed, what it says. Requests over the rate are refused, and refusals have a rate
too: above it nothing is answered. Pure but for the commands themselves, see `edge.daemon.publisher.commands`.
"""

from __future__ import annotations

import logging
import math
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from edge.contracts import topics
from edge.contracts.decoding import UnreadableError, decode_json
from edge.contracts.frame_command import FrameCommandResult
from edge.contracts.ports import Outgoing
from edge.contracts.request import Request, Response
from edge.daemon.publisher.request_errors import explain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge.app.envelope import EnvelopeMaker
    from edge.config.settings import RequestSettings
    from edge.contracts.ports import Incoming

log = logging.getLogger(__name__)

DUPLICATE_WINDOW_S = 60.0
"""So long a request with the same id counts as a duplicate: the same request, delivered twice by the broker."""
RESEND = "findings/resend"
NO_COMMAND = "unknown"
"""Stands in ``response/…`` where what was asked for cannot be a command's name."""
COMMAND = re.compile(r"[a-z0-9_-]{1,32}(/[a-z0-9_-]{1,32}){0,3}")


ANSWER_TIMEOUT_S = 3.0
"""So long the frame process may take to answer a command; then ``unavailable`` is the response."""
COMMAND_VALID_S = 2.0
"""So long a frame command is valid: a little shorter, so that none is carried out that was answered ``unavailable``."""


class RefusedError(Exception):
    """A request is refused. The text of the exception is the error word of the response."""

    def __init__(self, word: str, detail: str | None = None) -> None:
        super().__init__(word)
        self.detail = detail
        """More about it, for people; None: the word says it all."""


@dataclass(frozen=True, slots=True)
class PendingAnswer:
    """Returned by a command whose answer is not known yet: it comes by `RequestHandler.answer_command`."""

    command_id: str
    timeout_s: float | None = ANSWER_TIMEOUT_S
    """After it, ``unavailable`` is the response; None: whoever carries it out sees to that there is one."""


class _OnlyId(msgspec.Struct):
    """What is still read of a request that is not as it should be."""

    id: str = ""


class _TokenBucket:
    """A token bucket (rate limit): it holds a minute's worth of tokens and is filled evenly."""

    def __init__(self, per_minute: int, now: Callable[[], float]) -> None:
        self._most, self._now = float(per_minute), now
        self._left, self._filled_at = self._most, now()

    def take(self) -> bool:
        """Take one token; whether there was one."""
        now = self._now()
        self._left = min(self._most, self._left + (now - self._filled_at) * self._most / 60)
        self._filled_at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class RequestHandler:
    """Handles the requests of one device, from all links: duplicates, rate limits, permission, answer."""

    def __init__(
        self,
        settings: RequestSettings,
        envelopes: EnvelopeMaker,
        commands: Mapping[str, Callable[[str, dict[str, Any]], dict[str, Any] | PendingAnswer]],
        now: Callable[[], float] | None = None,
    ) -> None:
        """``commands``: by name, what takes (name of the asking sink, args) and returns the result.

        A command raises `RefusedError`, or msgspec's ValidationError for args that are not its own. ``now`` None: the
        monotonic clock.
        """
        self._settings = settings
        self._envelopes = envelopes
        self._commands = commands
        self._now = now = now or time.monotonic
        self._requests = _TokenBucket(settings.per_minute, now)
        self._refusals = _TokenBucket(settings.per_minute, now)
        """Rate of the responses that refuse requests over the rate."""
        self._unanswered = 0
        """Requests for which not even a refusal was left, since the last that was written to the log."""
        self._answered: dict[tuple[str, str, str], float] = {}
        """(asking sink, command, id) -> when; oldest first. Each has cost one of the requests, so they are few."""
        self._pending: dict[str, tuple[str, str, str, float]] = {}
        """Id of what was begun -> (asking sink, command, id, when its time is over)."""

    def answer(self, incoming: Incoming, sink: str) -> Outgoing | None:
        """The response to a request from ``sink``; None if it was answered before, is answered later, or never."""
        command = incoming.suffix.removeprefix(topics.REQUEST).removeprefix("/")
        if not COMMAND.fullmatch(command):
            command = NO_COMMAND
        too_large = len(incoming.body) > self._settings.max_bytes
        request_id = "" if too_large else _id_in(incoming.body)
        if request_id and self._seen(sink, command, request_id):
            return None
        if not self._requests.take():
            return self._refuse_as_too_many(command, request_id)
        if request_id:
            self._answered[sink, command, request_id] = self._now()
        try:
            if too_large:
                raise RefusedError("too_large", f"more than {self._settings.max_bytes} bytes")
            result = self._carry_out(command, incoming.body, sink)
            if isinstance(result, PendingAnswer):
                patience_s = math.inf if result.timeout_s is None else result.timeout_s
                self._pending[result.command_id] = (sink, command, request_id, self._now() + patience_s)
                return None
        except RefusedError as refusal:
            log.warning("request for %s refused: %s", command, refusal)
            return self._respond(command, request_id, error=str(refusal), detail=refusal.detail)
        except (msgspec.MsgspecError, UnreadableError) as error:
            log.warning("request for %s is not as it should be", command)  # why: it may hold anything
            word, detail = explain(error)
            return self._respond(command, request_id, error=word, detail=detail)
        except Exception:
            log.exception("request for %s failed", command)
            return self._respond(command, request_id, error="failed")
        return self._respond(command, request_id, result=result)

    def answer_command(self, result: FrameCommandResult) -> tuple[str, Outgoing] | None:
        """(asking sink, response) to a request that was carried out; None if nobody waits for it any more."""
        if result.id not in self._pending:
            return None
        sink, command, request_id, _ = self._pending.pop(result.id)
        if result.error is not None:
            return sink, self._respond(command, request_id, error=result.error)
        return sink, self._respond(command, request_id, result=result.result)

    def timed_out(self) -> list[tuple[str, Outgoing]]:
        """(asking sink, response) of each request that was not carried out in its time."""
        late = [command_id for command_id, (*_, until) in self._pending.items() if self._now() > until]
        return [
            answer
            for one in late
            if (answer := self.answer_command(FrameCommandResult(id=one, error="unavailable"))) is not None
        ]

    def _refuse_as_too_many(self, command: str, request_id: str) -> Outgoing | None:
        """The refusal, if there is a token for it; the request may be made again, with the same id."""
        if not self._refusals.take():
            self._unanswered += 1
            return None
        if self._unanswered:
            log.warning("%d requests over the rate were not even refused", self._unanswered)
            self._unanswered = 0
        log.warning("request for %s refused: too_many", command)
        return self._respond(command, request_id, error="too_many")

    def _carry_out(self, command: str, body: bytes, sink: str) -> dict[str, Any] | PendingAnswer:
        if command not in self._commands:
            raise RefusedError("unknown_command")
        if command not in self._settings.commands:
            raise RefusedError("forbidden")
        request = decode_json(body, Request)
        try:
            return self._commands[command](sink, request.args)
        except (msgspec.ValidationError, UnreadableError) as error:
            raise RefusedError(*explain(error, where="args")) from None

    def _respond(self, command: str, request_id: str, error: str | None = None, **content: Any) -> Outgoing:
        response = Response(
            **self._envelopes.fields(), id=request_id, command=command, ok=error is None, error=error, **content
        )
        # Consumers begin the replay lane anew where this answer stands: no older message of it may come later.
        late = command == RESEND
        return Outgoing(f"{topics.RESPONSE}/{command}", msgspec.json.encode(response), None, qos=1, late=late)

    def _seen(self, sink: str, command: str, request_id: str) -> bool:
        now = self._now()
        for key, when in list(self._answered.items()):
            if now - when < DUPLICATE_WINDOW_S:
                break
            del self._answered[key]
        return (sink, command, request_id) in self._answered


def _id_in(body: bytes) -> str:
    """The id of a request, well-formed or not; empty if it has none that could be echoed."""
    try:
        request_id = decode_json(body, _OnlyId).id
    except UnreadableError:
        return ""
    return request_id if len(request_id) <= 64 else ""
