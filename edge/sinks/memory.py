"""Fake sink, ``memory://name``: keeps messages in this process; tests make it refuse, disconnect or fall silent."""

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
    """Fake `Link` for tests: what arrived is in ``received``. Find it by name in ``MemorySink.named``."""

    named: ClassVar[dict[str, MemorySink]] = {}
    """Newest sink of each name."""

    def __init__(self, settings: SinkSettings, identity: SinkIdentity) -> None:
        uri = parse_uri(settings.uri)
        uri.expect()
        self.name = f"memory://{uri.host}"
        self.durable = settings.durable
        self.session = 0
        self.received: list[Outgoing] = []
        """All messages that were taken, in order."""
        self.room: int | None = None
        """Number of durable messages that are still taken; None: all."""
        self.silent = False
        """True: what is taken is not acknowledged until `disconnect` gives it back or this is set to False."""
        self.refusing = False
        """True: what is taken is given back at once."""
        self.problem_words: list[str] = []
        """What `problems` returns."""
        self.listening: list[str] = []
        """Topic suffixes that `listen` was called with."""
        self.closed = False
        """Whether `close` was called."""
        self._topics = replace(identity.topics, root=settings.root)
        self._waiting: list[int] = []
        self._returned: list[int] = []
        self._callback: Callable[[], None] = lambda: None
        self._incoming: list[Incoming] = []
        self._sessions = 0
        MemorySink.named[uri.host] = self

    def open(self) -> None:
        """Implement `Sink.open`: connect at once."""
        self.connect()

    def connect(self) -> None:
        """Simulate a new connection, with the next session number."""
        self._sessions += 1
        self.session = self._sessions
        self._callback()

    def disconnect(self) -> None:
        """Simulate a lost connection: what was not acknowledged is given back."""
        self.session = 0
        self._returned += self._waiting
        self._waiting = []
        self._callback()

    def topic(self, message: Outgoing) -> str:
        """Full topic that ``message`` was published on."""
        return self._topics.full(message.suffix)

    def listen(self, suffix: str) -> None:
        """Implement `Link.listen`: subscribe to ``suffix`` and all below it."""
        self.listening.append(suffix)

    def heard(self) -> Sequence[Incoming]:
        """Implement `Link.heard`: messages that `say` brought since the last call."""
        incoming, self._incoming = self._incoming, []
        return incoming

    def say(self, suffix: str, body: bytes) -> None:
        """Simulate a message that somebody publishes to the device, on topic ``suffix``."""
        if any(suffix == one or suffix.startswith(f"{one}/") for one in self.listening):
            self._incoming.append(Incoming(suffix, body))
            self._callback()

    def wake_on(self, callback: Callable[[], None]) -> None:
        """Implement `Sink.wake_on`: called on connect, disconnect and incoming messages."""
        self._callback = callback

    def send(self, message: Outgoing) -> bool:
        """Implement `Sink.send`: take the message if connected and there is room."""
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
        """Implement `Sink.acked`: all that was taken, unless ``silent``."""
        if self.silent:
            return []
        seqs, self._waiting = self._waiting, []
        return seqs

    def returned(self) -> Sequence[int]:
        """Implement `Sink.returned`: what was refused, or lost with the connection."""
        seqs, self._returned = self._returned, []
        return seqs

    def problems(self) -> Sequence[str]:
        """Implement `Sink.problems`: the ``problem_words`` that a test has set."""
        return list(self.problem_words)

    def close(self, timeout_s: float) -> None:
        """Implement `Sink.close`: disconnect for good."""
        self.session = 0
        self.closed = True
