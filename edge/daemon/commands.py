"""What a device can be asked: each function takes (asking sink, args) and gives the response's ``result``.

ping               that we are there, and which version
health             the numbers of ``health``, now
findings/resend    {epoch, from, to}: stored messages once more, in the replay lane of the asking sink
config/get         the settings that hold, without secrets, user names and paths
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import msgspec

from edge import __version__
from edge.config.show import for_others
from edge.contracts.request import ResendArgs
from edge.daemon.requests import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.config.settings import Settings
    from edge.daemon.announcer import Announcer
    from edge.sinks.outbox import Outbox


class NoArgs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of commands that take none."""


class Commands:
    """The commands of one publisher. ``outbox`` gives the one that is open now, or None."""

    def __init__(self, settings: Settings, announcer: Announcer, outbox: Callable[[], Outbox | None]) -> None:
        self._settings = settings
        self._announcer = announcer
        self._outbox = outbox

    def by_name(self) -> dict[str, Callable[[str, dict[str, Any]], dict[str, Any]]]:
        """All of them, as `RequestDesk` wants them."""
        return {
            "ping": self.ping,
            "health": self.health,
            "findings/resend": self.resend,
            "config/get": self.config,
        }

    def ping(self, sink: str, args: dict[str, Any]) -> dict[str, Any]:
        """Here we are."""
        msgspec.convert(args, NoArgs)
        return {"version": __version__}

    def health(self, sink: str, args: dict[str, Any]) -> dict[str, Any]:
        """As ``health`` would say it now."""
        msgspec.convert(args, NoArgs)
        outbox = self._outbox()
        state, depth = (None, None) if outbox is None else (outbox.state(), outbox.depth())
        numbers: dict[str, Any] = msgspec.to_builtins(self._announcer.health(state, depth))
        return numbers

    def resend(self, sink: str, args: dict[str, Any]) -> dict[str, Any]:
        """Mark stored messages to be sent to ``sink`` again; what is not kept any more is told by range."""
        wanted = msgspec.convert(args, ResendArgs)
        if wanted.last < wanted.first:
            raise RefusedError("invalid")
        outbox = self._outbox()
        if outbox is None:
            raise RefusedError("unavailable")
        try:
            if outbox.state().epoch != wanted.epoch:
                raise RefusedError("unknown_epoch")
            return msgspec.structs.asdict(outbox.resend(wanted.first, wanted.last, sink))
        except sqlite3.Error:
            raise RefusedError("unavailable") from None

    def config(self, sink: str, args: dict[str, Any]) -> dict[str, Any]:
        """The settings, fit to leave the device."""
        msgspec.convert(args, NoArgs)
        return {"settings": for_others(self._settings)}
