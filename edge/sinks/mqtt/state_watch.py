"""Watch over our own ``state`` topic: tells whether another device uses our identity. Pure: no I/O.

Not every broker tells a client that another one took its session (MQTT 3.1.1 cannot, mosquitto 2.0 does not). What the
broker keeps on our ``state`` topic does: after we were there, only another run that is alive can have left its state.

What an earlier run of ours left is no such thing. It is what was there when we connected first, or, where a broker
came back with an older store, is older than our own run. A last will has no time: it counts only where the connection
before was lost and the broker was there all the while.
"""

from __future__ import annotations

from enum import Enum, auto

import msgspec

from edge.contracts.decoding import UnreadableError, decode_json

KNOWN_LIMIT = 32
"""Most other runs that are remembered."""


class _Status(msgspec.Struct, frozen=True):
    """Fields of a ``state`` message that tell whose it is, and when it was made."""

    run_id: str = ""
    status: str = ""
    boot_id: str = ""
    mono_ns: int = 0
    at: str = ""
    connection: int = 0
    """Of a last will: it tells two wills of one run apart."""


class Speaker(Enum):
    """Who has left a message on our ``state`` topic."""

    OURS = auto()
    """This run, and it is what we say."""
    OTHER = auto()
    """Another run that is alive now: two devices use one identity."""
    PAST = auto()
    """Nobody who is there now: an earlier run, a last will, or what cannot be read."""


class StateWatch:
    """Judges the messages on the ``state`` topic of one run."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._first: _Status | None = None
        """Our own first state: what is older was made before this run."""
        self._known: dict[str, _Status] = {}
        """By run_id, the newest message of each other run that was judged already."""
        self._first_connection = True
        self._after_loss = False

    def publish(self, body: bytes) -> None:
        """Note that we publish ``body``, our state."""
        if self._first is None:
            self._first = _decode(body)

    def connect(self, first: bool, after_loss: bool) -> None:
        """Note a new connection.

        Args:
            first: it is the first of this run.
            after_loss: the last one was lost, and the broker was there all the while.
        """
        self._first_connection, self._after_loss = first, after_loss

    def judge(self, body: bytes, retained: bool) -> Speaker:
        """Tell who published ``body``; ``retained``: the broker had kept it from before we subscribed."""
        message = _decode(body)
        if message is None:
            return Speaker.PAST
        if message.run_id == self._run_id:
            return Speaker.PAST if message.status == "offline" else Speaker.OURS
        if self._known.get(message.run_id) == message:
            return Speaker.PAST
        self._remember(message)
        return Speaker.OTHER if self._is_alive(message, retained) else Speaker.PAST

    def _is_alive(self, message: _Status, retained: bool) -> bool:
        if retained and self._first_connection:
            return False
        if message.boot_id:
            return self._is_newer(message)
        return self._after_loss if retained else message.status != "offline"

    def _is_newer(self, message: _Status) -> bool:
        """Whether ``message`` was made after this run began."""
        first = self._first
        if first is None:
            return False
        if message.boot_id == first.boot_id:
            return message.mono_ns > first.mono_ns
        return message.at > first.at

    def _remember(self, message: _Status) -> None:
        self._known.pop(message.run_id, None)
        if len(self._known) >= KNOWN_LIMIT:
            del self._known[next(iter(self._known))]
        self._known[message.run_id] = message


def _decode(body: bytes) -> _Status | None:
    try:
        status = decode_json(body, _Status)
    except UnreadableError:
        return None
    return status if status.run_id else None
