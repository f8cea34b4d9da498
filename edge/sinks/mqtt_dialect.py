"""How to speak to a broker that has not answered yet, and how long to wait before trying again. Pure: no I/O.

Brokers that know only MQTT 3.1.1 answer a version 5 CONNECT with "unsupported version", or just close. Some also close
on a client identifier with a slash in it, which MQTT lets them refuse. So there is a ladder:

    5, site/device  ->  5, site_device  ->  3.1.1, site/device  ->  3.1.1, site_device  ->  from the top

A broker that closes before it answers moves us one step, so version 5 is left after the second time; an explicit
refusal moves straight to what it asks for. A TCP connection that is refused or times out says nothing of the kind and
never moves. The first success is remembered. (The identifiers take turns on purpose: rumqttd 0.20 takes no new client
at all once it has refused the same identifier with a slash twice.)
"""

from __future__ import annotations

import random
from enum import Enum
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class End(str, Enum):
    """How a connection ended, or why there was none. The values are the words in ``state.reasons``."""

    UNREACHABLE = "unreachable"
    UNKNOWN_HOST = "unknown_host"
    TLS_FAILED = "tls_failed"
    NO_ANSWER = "no_answer"
    CLOSED_UNANSWERED = "closed_unanswered"
    BAD_VERSION = "unsupported_version"
    BAD_CLIENT_ID = "client_id_refused"
    BAD_CREDENTIALS = "bad_credentials"
    NOT_AUTHORISED = "not_authorised"
    UNAVAILABLE = "broker_unavailable"
    REFUSED = "connection_refused"
    """By a CONNACK with another code than those above."""
    LOST = "connection_lost"
    TAKEN_OVER = "session_taken_over"
    STOPPED = "stopped"
    """By us."""


class Dialect(NamedTuple):
    """What is spoken."""

    version: Literal["5", "3.1.1"]
    plain_id: bool
    """True: the client identifier has no slash."""


LADDER = (Dialect("5", False), Dialect("5", True), Dialect("3.1.1", False), Dialect("3.1.1", True))


class DialectChooser:
    """What to speak to one broker next."""

    def __init__(self, protocol: Literal["auto", "5", "3.1.1"] = "auto") -> None:
        self._ladder = [dialect for dialect in LADDER if protocol in ("auto", dialect.version)]
        self._step = 0
        self._settled = False

    @property
    def current(self) -> Dialect:
        """For the next connection."""
        return self._ladder[self._step]

    def answered(self) -> None:
        """The broker accepted us: this is how to speak to it from now on."""
        self._settled = True

    def failed(self, end: End) -> bool:
        """A connection came to ``end``. True: there is something else to try at once."""
        dialect, step = self.current, self._step
        if end is End.BAD_VERSION:
            self._go_to(lambda other: other.version != dialect.version and other.plain_id == dialect.plain_id)
        elif end is End.BAD_CLIENT_ID and not dialect.plain_id:
            self._go_to(lambda other: other.plain_id and other.version == dialect.version)
        elif end is End.CLOSED_UNANSWERED and not self._settled:
            self._step = (step + 1) % len(self._ladder)
        return self._step > step

    def _go_to(self, wanted: Callable[[Dialect], bool]) -> None:
        for step, dialect in enumerate(self._ladder):
            if wanted(dialect):
                self._step, self._settled = step, False


AT_ONCE_S = 0.05
STEADY_S = 10.0
"""A connection that held so long was a good one: its loss is followed by a quick return."""
PAUSES_S: dict[End, tuple[float, float]] = {
    End.LOST: (0.2, 30.0),
    End.BAD_VERSION: (2.0, 60.0),
    End.BAD_CLIENT_ID: (2.0, 60.0),
    End.BAD_CREDENTIALS: (2.0, 60.0),
    End.NOT_AUTHORISED: (2.0, 60.0),
    End.REFUSED: (2.0, 60.0),
    End.TLS_FAILED: (2.0, 60.0),
    End.UNAVAILABLE: (1.0, 30.0),
    End.TAKEN_OVER: (60.0, 600.0),
}
"""(first, longest) pause after an end. Refusals and a cloned device wait long: hammering mends neither."""
AWAY_S = (0.2, 1.5)
"""The same for a broker that is just not there: knocking is cheap, and findings wait for it."""


class Pace:
    """Exponential back-off with jitter, so that a hall full of carts does not return in step."""

    def __init__(self, jitter: Callable[[], float] = random.random) -> None:
        self._jitter = jitter
        self._last: End | None = None
        self._pause = 0.0

    def after(self, end: End, lasted_s: float, something_else_to_try: bool) -> float:
        """Seconds to wait after a connection that lasted ``lasted_s`` (0: never up) came to ``end``."""
        if something_else_to_try:
            return AT_ONCE_S * (1 + self._jitter())
        first, longest = PAUSES_S.get(end, AWAY_S)
        fresh = end is not self._last or lasted_s >= STEADY_S
        self._pause = first if fresh else min(2 * self._pause, longest)
        self._last = end
        return self._pause * (0.5 + 0.5 * self._jitter())
