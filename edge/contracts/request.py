"""``request/{command}`` and ``response/{command}``: messages that ask a device for something, and its answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from edge.contracts.envelope import Envelope

RESEND_RANGES = 200
"""Most ranges in one request to send again."""
Seq = Annotated[int, msgspec.Meta(ge=1)]


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """Request for one command. A retained request is not heeded: it would be carried out at every connection."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    """Id echoed in the response. Chosen anew for each request: one that comes twice in a minute is answered once."""
    args: dict[str, Any] = {}
    """Arguments of the command, its own."""


class Response(Envelope, frozen=True, kw_only=True):
    """Response to one request; each request is answered once."""

    schema: Literal["response/1"] = "response/1"
    id: str
    """Id of the request; empty if it could not be read."""
    command: str
    ok: bool
    error: str | None = None
    """One word if not ok: ``unknown_command``, ``forbidden``, ``too_large``, ``too_many``, ``missing_id`` (so for any
    field that must be there: ``missing_`` and its name), ``invalid``, ``failed``, or the command's own
    (``unknown_epoch``, ``unknown_stream``, ``ended``, ``unavailable``).
    """
    detail: str | None = None
    """What is wrong with the request, in words for people; None: the word says it all."""
    result: dict[str, Any] = {}
    """Result of the command, its own; empty if not ok."""


class ResendArgs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``args`` of ``findings/resend``: send stored messages again, those of all streams, marked as replayed."""

    epoch: str
    first: Seq = msgspec.field(name="from")
    """Lowest seq to send again."""
    last: Seq = msgspec.field(name="to")
    """Highest seq to send again, itself included."""
    ranges: Annotated[list[tuple[Seq, Seq]], msgspec.Meta(min_length=1, max_length=RESEND_RANGES)] | None = None
    """[first, last] ranges between ``from`` and ``to``, rising and apart: only these are sent. None: all between."""


class ExamArgs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``args`` of ``exam/start`` and ``exam/end``: what is captured from now on is about another patient.

    The result is ``{"exams": {stream: exam_id}}``, with the id of the exam that begins.
    """

    stream: str | None = None
    """Stream that the exam is in; None: all streams."""


class StreamArgs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``args`` of ``stream/start`` and ``stream/stop``: the stream to start or stop."""

    stream: str
