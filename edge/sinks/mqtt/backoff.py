"""MQTT reconnect back-off: exponential, with jitter, longer after a refusal than after a lost connection.

Pure: no I/O.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from edge.sinks.mqtt.connection_end import ConnectionEnd

if TYPE_CHECKING:
    from collections.abc import Callable

NEXT_VERSION_PAUSE_S = 0.05
"""Pause before another MQTT version or client identifier is tried with the same broker."""
STABLE_CONNECTION_S = 10.0
"""A connection that lasted so long was a good one: after its loss, the pauses start anew."""
PAUSES_S: dict[ConnectionEnd, tuple[float, float]] = {
    ConnectionEnd.LOST: (0.2, 30.0),
    ConnectionEnd.BAD_VERSION: (2.0, 60.0),
    ConnectionEnd.BAD_CLIENT_ID: (2.0, 60.0),
    ConnectionEnd.BAD_CREDENTIALS: (2.0, 60.0),
    ConnectionEnd.NOT_AUTHORISED: (2.0, 60.0),
    ConnectionEnd.REFUSED: (2.0, 60.0),
    ConnectionEnd.TLS_FAILED: (2.0, 60.0),
    ConnectionEnd.UNAVAILABLE: (1.0, 30.0),
    ConnectionEnd.TAKEN_OVER: (60.0, 600.0),
}
"""(first, longest) pause in seconds, by how the connection ended.

Refusals and a cloned device wait long: frequent retries mend neither.
"""
UNREACHABLE_PAUSE_S = (0.2, 1.5)
"""The same for a broker that is just not there: an attempt to connect is cheap, and findings wait for it."""


class ReconnectBackoff:
    """Exponential reconnect back-off with jitter, so that a hall full of carts does not reconnect in step."""

    def __init__(self, jitter: Callable[[], float] = random.random) -> None:
        self._jitter = jitter
        self._last: ConnectionEnd | None = None
        self._pause = 0.0

    def pause_after(self, end: ConnectionEnd, lasted_s: float, other_version_to_try: bool) -> float:
        """Pause in seconds after a connection that lasted ``lasted_s`` (0: never up) came to ``end``.

        ``other_version_to_try``: another MQTT version or client identifier is to be tried now, so wait hardly at all.
        """
        if other_version_to_try:
            return NEXT_VERSION_PAUSE_S * (1 + self._jitter())
        first, longest = PAUSES_S.get(end, UNREACHABLE_PAUSE_S)
        fresh = end is not self._last or lasted_s >= STABLE_CONNECTION_S
        self._pause = first if fresh else min(2 * self._pause, longest)
        self._last = end
        return self._pause * (0.5 + 0.5 * self._jitter())
