"""``request/{command}`` and ``response/{command}``: asking a device something."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from edge.contracts.envelope import Envelope


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """``id`` is echoed in the response. ``args`` are the command's own."""

    id: str
    args: dict[str, Any] = {}


class Response(Envelope, frozen=True, kw_only=True):
    """Each valid request is answered once."""

    schema: Literal["response/1"] = "response/1"
    id: str
    command: str
    ok: bool
    error: str | None = None
    result: dict[str, Any] = {}
