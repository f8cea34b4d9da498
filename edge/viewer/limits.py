"""Limits of connections: how many there are, and how long one may take to say what it wants.

uvicorn itself waits for a request for ever, so that a thousand slow ones would keep all others out.
"""

from __future__ import annotations

import asyncio
import asyncio.constants
import contextlib
import resource
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_CONNECTIONS = 100
"""Beyond the browsers that watch; what is over it is closed at once."""
REQUEST_S = 2.0
"""A connection that has not made a whole request after so long is closed."""


MOST_FILES = 4096
"""File descriptors of the viewer: connections that have not shaken hands yet are counted by nobody else."""


def limit_handshakes() -> None:
    """Give TLS as little time as a request, and make room for connections that take all of it."""
    asyncio.constants.SSL_HANDSHAKE_TIMEOUT = (
        REQUEST_S  # uvicorn hands no other on; asyncio reads it at each connection
    )
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(MOST_FILES, hard)), hard))


class LimitedProtocol(H11Protocol):
    """HTTP protocol of uvicorn with a limit of connections, and of the time until a request is whole."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Arguments as uvicorn gives them."""
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None
        self._handed_over = False

    def connection_made(self, transport: Any) -> None:
        """Take a connection, unless there are too many."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
            return
        self._begin_deadline()

    def data_received(self, data: bytes) -> None:
        """Take bytes; the time runs while they are no whole request."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._end_deadline()
        elif self._deadline is None and not self._handed_over and not self.transport.is_closing():
            self._begin_deadline()

    def handle_websocket_upgrade(self, event: Any) -> None:
        """Hand the connection over to WebSocket, which has limits of its own."""
        self._handed_over = True
        self._end_deadline()
        super().handle_websocket_upgrade(event)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of the connection."""
        self._end_deadline()
        super().connection_lost(exc)

    def _begin_deadline(self) -> None:
        self._end_deadline()
        self._deadline = asyncio.get_running_loop().call_later(REQUEST_S, self.transport.abort)

    def _end_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
