"""The fake sink, ``memory://name``: keeps what it is sent, in this process, and can be told to misbehave."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from edge.config.uri import parse_uri
from edge.contracts.ports import Incoming

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.config.settings import SinkSettings
    from edge.contracts.ports import Outgoing, SinkIdentity


class MemorySink:
    """A `Link` for tests: what arrived is in ``received``. Find it by name in ``MemorySink.named``."""

    named: ClassVar[dict[str, MemorySink]] = {}
    """The newest sink of each name."""

    def __init__(self, settings: SinkSettings, identity: SinkIdentity) -> None:
        uri = parse_uri(settings.uri)
        uri.expect()
        self.name = f"memory://{uri.host}"
        self.durable = settings.durable
        self.session = 0
        self.received: list[Outgoing] = []
        """All that was taken, in order."""
        self.room: int | None = None
        """So many more durable messages are taken; None: all."""
        self.silent = False
        """True: what is taken is not acknowledged until `disconnect` gives it back or this is set to False."""
        self.refusing = False
        """True: what is taken is given back at once."""
        self.words: list[str] = []
        """What `problems` says."""
        self.listening: list[str] = []
        """What `listen` was called with."""
        self.closed = False
        self._topics = replace(identity.topics, root=settings.root)
        self._waiting: list[int] = []
        self._returned: list[int] = []
        self._callback: Callable[[], None] = lambda: None
        self._said: list[Incoming] = []
        self._sessions = 0
        MemorySink.named[uri.host] = self

    def open(self) -> None:
        """See `Sink`."""
        self.connect()

    def connect(self) -> None:
        """A new connection."""
        self._sessions += 1
        self.session = self._sessions
        self._callback()

    def disconnect(self) -> None:
        """The connection is gone, and with it what was not acknowledged."""
        self.session = 0
        self._returned += self._waiting
        self._waiting = []
        self._callback()

    def topic(self, message: Outgoing) -> str:
        """The full topic that ``message`` went to."""
        return self._topics.full(message.suffix)

    def listen(self, suffix: str) -> None:
        """See `Link`."""
        self.listening.append(suffix)

    def heard(self) -> Sequence[Incoming]:
        """See `Link`."""
        said, self._said = self._said, []
        return said

    def say(self, suffix: str, body: bytes) -> None:
        """Somebody says something to the device."""
        if any(suffix == one or suffix.startswith(f"{one}/") for one in self.listening):
            self._said.append(Incoming(suffix, body))
            self._callback()

    def wake_on(self, callback: Callable[[], None]) -> None:
        """See `Sink`."""
        self._callback = callback

    def send(self, message: Outgoing) -> bool:
        """See `Sink`."""
        if not self.session:
            return False
        if message.seq is not None:
            if self.room is not None:
                if self.room <= 0:
                    return False
                self.room -= 1
            (self._returned if self.refusing else self._waiting).append(message.seq)
        self.received.append(message)
        return True

    def acked(self) -> Sequence[int]:
        """See `Sink`."""
        if self.silent:
            return []
        seqs, self._waiting = self._waiting, []
        return seqs

    def returned(self) -> Sequence[int]:
        """See `Sink`."""
        seqs, self._returned = self._returned, []
        return seqs

    def problems(self) -> Sequence[str]:
        """See `Sink`."""
        return list(self.words)

    def close(self, timeout_s: float) -> None:
        """See `Sink`."""
        self.session = 0
        self.closed = True
