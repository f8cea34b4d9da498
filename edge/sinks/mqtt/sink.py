"""The MQTT sink: stored messages to one broker.

Only PUBACK 0x00 counts as arrived, and 0x10 ("no subscriber") unless ``require_subscriber``. What is refused is handed
back and its topic rests for a while, longer each time; other topics go on. MQTT 3.1.1 has no way to refuse: a broker
that forbids a topic there just drops what is sent to it.

The client identifier is ``{site}/{device}``, so that a cloned device is noticed; ``mqtt://host?client_id=NAME`` sets
another, for brokers that prescribe it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from edge.contracts import topics
from edge.contracts.ports import Incoming
from edge.sinks.mqtt.connection import HEARD_LIMIT, STOCK
from edge.sinks.mqtt.credentials import read_credentials
from edge.sinks.mqtt.inflight import QueuedMessage
from edge.sinks.mqtt.reconnect import Reconnector
from edge.sinks.mqtt.refused_topics import RefusedTopics

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.config.settings import SinkSettings
    from edge.contracts.ports import Outgoing, SinkIdentity
    from edge.sinks.mqtt.connection import BrokerConnection, BrokerMessage

log = logging.getLogger(__name__)

LOOPBACK = ("localhost", "127.0.0.1", "::1")
NO_SUBSCRIBER = 0x10
PACKET_HEAD = 16
"""Bytes that a PUBLISH packet has besides topic and body, at most."""
ANNOUNCE_EVERY_S = 5.0
"""At most so often is ``state`` said again because somebody else spoke for us."""


class _Status(msgspec.Struct):
    """What is read of a ``state``, to see whose it is."""

    run_id: str = ""
    status: str = ""


class MqttSink:
    """A `Link`. Its methods belong to one thread, the publisher's; a `Reconnector`'s thread connects."""

    def __init__(self, settings: SinkSettings, identity: SinkIdentity) -> None:
        """Raises `SinkError` if a password, CA or certificate file cannot be used."""
        self.durable = settings.durable
        self._settings = settings
        self._credentials = read_credentials(settings)
        self.name = self._credentials.name
        self._topics = replace(identity.topics, root=settings.root)
        self._run_id = identity.run_id
        client_id = self._credentials.client_id or self._topics.client_id
        will = (self._topics.full(topics.STATE), identity.will)
        self._callback: Callable[[], None] = lambda: None
        self._reconnector = Reconnector(settings, self._credentials, client_id, will, self._notify)
        self._connection: BrokerConnection | None = None
        self._session = 0
        self._under_way: dict[int, tuple[int | None, str]] = {}
        """Ticket -> (seq, suffix)."""
        self._refused_topics = RefusedTopics()
        self._acked: list[int] = []
        self._returned: list[int] = []
        self._listening: list[str] = []
        self._incoming: deque[Incoming] = deque(maxlen=HEARD_LIMIT)
        self._state: Outgoing | None = None
        self._watching = False
        self._contradicted = False
        self._announced_at = 0.0
        self._closing = False

    def open(self) -> None:
        """See `Sink`. What could be wrong with files was found when this was made."""
        credentials = self._credentials
        if credentials.password is not None and credentials.tls is None and credentials.host not in LOOPBACK:
            log.warning("%s: the password travels unencrypted; mqtts:// would hide it", self.name)
        self._reconnector.start()

    @property
    def session(self) -> int:
        """See `Sink`."""
        self._follow()
        return self._session if self._connection is not None and self._connection.up else 0

    def wake_on(self, callback: Callable[[], None]) -> None:
        """See `Sink`."""
        self._callback = callback

    def send(self, message: Outgoing) -> bool:
        """See `Sink`. What the broker does not want now is taken and handed back later: it must not stop the others."""
        self._follow()
        connection = self._connection
        if connection is None or not connection.up:
            return False
        if self._full(connection, message):
            return False
        if message.seq is None:
            if not self._fits(connection, message):
                return True  # never will it
        else:
            if self._refused_topics.rests(message.suffix):
                return self._refused_topics.wait(message.suffix, message.seq)
            if not self._fits(connection, message):
                self._refused_topics.wait_for_another_broker(message.seq)
                return True
        return self._publish(connection, message)

    def listen(self, suffix: str) -> None:
        """See `Link`."""
        self._listening.append(suffix)

    def heard(self) -> Sequence[Incoming]:
        """See `Link`."""
        self._follow()
        said = list(self._incoming)
        self._incoming.clear()
        return said

    def acked(self) -> Sequence[int]:
        """See `Sink`."""
        self._follow()
        seqs, self._acked = self._acked, []
        return seqs

    def returned(self) -> Sequence[int]:
        """See `Sink`."""
        self._follow()
        seqs, self._returned = self._returned + self._refused_topics.due(), []
        return seqs

    def problems(self) -> Sequence[str]:
        """See `Sink`: an `End` while there is no connection, else what the broker does not take."""
        self._follow()
        words = self._refused_topics.problems()
        connection = self._connection
        if connection is not None and connection.up and connection.deaf_to - {self._topics.full(topics.STATE)}:
            words.append("subscription_refused")
        if (remembered := self._reconnector.remembered()) is not None:
            words.append(remembered)
        if (end := self._reconnector.end) is not None and (self._connection is None or not self._connection.up):
            words.append(end.value)
        return list(dict.fromkeys(words))

    def close(self, timeout_s: float) -> None:
        """See `Sink`. Waits for what is under way (the goodbye too), then says DISCONNECT: no will is left behind."""
        self._closing = True
        deadline = time.monotonic() + timeout_s
        woken = threading.Event()
        self._callback = woken.set
        while self.session and self._under_way and time.monotonic() < deadline:
            woken.wait(0.1)
            woken.clear()
        patience_s = 0.1  # a thread that is knocking at a closed door may be left to it: it ends with the process
        if self._connection is not None and self._connection.up:
            self._connection.hang_up()
            patience_s = max(0.5, deadline - time.monotonic())
        else:
            self._reconnector.stop()
        self._reconnector.join(patience_s)
        self._reconnector.stop()

    def _publish(self, connection: BrokerConnection, message: Outgoing) -> bool:
        topic = self._topics.full(message.suffix)
        ready = QueuedMessage(topic, message.body, message.qos, message.retain, message.late)
        urgent = message.qos > 0 and message.seq is None and not message.late
        ticket = connection.publish(ready, urgent)
        if ticket is None:
            return False
        if message.qos > 0:
            self._under_way[ticket] = (message.seq, message.suffix)
        if message.suffix == topics.STATE:
            self._state = message
            self._contradicted = False
        return True

    def _full(self, connection: BrokerConnection, message: Outgoing) -> bool:
        """A full stock of old messages leaves room for live ones; what nobody waits for is sent now or never."""
        if message.qos == 0:
            return connection.crowded
        if message.suffix == topics.STATE or (message.late and message.seq is None):
            return False  # what comes behind it must not overtake it; such answers are few, see `RequestDesk`
        window = self._settings.inflight if message.late else 2 * self._settings.inflight
        return len(self._under_way) >= window + STOCK

    def _fits(self, connection: BrokerConnection, message: Outgoing) -> bool:
        size = PACKET_HEAD + len(self._topics.full(message.suffix).encode()) + len(message.body)
        if connection.maximum_packet is None or size <= connection.maximum_packet:
            return True
        log.error("a message on %s has %d bytes, more than %s takes", message.suffix, size, self.name)
        return False

    def _follow(self) -> None:
        """Take note of what the connection did since the last look."""
        if self._connection is not None:
            up = self._connection.up  # read before the events: what comes after is not lost, it comes again
            for ticket, code in self._connection.answers():
                self._settle(self._connection, ticket, code)
            while self._connection.heard:
                self._hear(self._connection.heard.popleft())
            if not up:
                self._give_back_all()
            elif self._contradicted:
                self._announce_again(self._connection)
        newest = self._reconnector.newest
        if newest is not None and newest is not self._connection and newest.up:
            self._give_back_all()
            self._connection = newest
            self._session += 1
            self._state, self._watching, self._contradicted = None, False, False
            for suffix in self._listening:  # before `state` says that we can be asked
                newest.subscribe(f"{self._topics.full(suffix)}/#")
            log.info("%s: connected (MQTT %s)", self.name, newest.protocol.version)

    def _settle(self, connection: BrokerConnection, ticket: int, code: int) -> None:
        """The broker answered message ``ticket`` with reason ``code``."""
        if ticket not in self._under_way:
            return
        seq, suffix = self._under_way.pop(ticket)
        if suffix.startswith(f"{topics.RESPONSE}/"):  # who asked is gone, or may not hear us: no ailment of ours
            if code:
                log.warning("%s does not pass on %s (reason code 0x%02x)", self.name, suffix, code)
            return
        if code == 0 or (code == NO_SUBSCRIBER and not self._settings.require_subscriber):
            self._refused_topics.accepted(suffix)
            if seq is not None:
                self._acked.append(seq)
            elif suffix == topics.STATE and not self._watching and not self._closing:
                self._watching = True  # only now: what the broker still had of our last run is not worth an answer
                connection.subscribe(self._topics.full(topics.STATE))
            return
        word = "no_subscriber" if code == NO_SUBSCRIBER else "refused"
        if self._refused_topics.refused(suffix, word):
            log.warning("%s does not take %s: %s (reason code 0x%02x)", self.name, suffix, word, code)
        if seq is not None:
            self._returned.append(seq)

    def _hear(self, heard: BrokerMessage) -> None:
        suffix = heard.topic.removeprefix(f"{self._topics.prefix}/")
        if suffix == topics.STATE:
            self._compare(heard.body)
        elif not heard.retained:
            self._incoming.append(Incoming(suffix, heard.body))

    def _compare(self, body: bytes) -> None:
        """Something was said on our ``state``."""
        try:
            said = msgspec.json.decode(body, type=_Status)
        except (msgspec.DecodeError, UnicodeDecodeError):
            said = _Status()
        ours = said.run_id == self._run_id and said.status != "offline"
        if not ours and self._state is not None and body != self._state.body:
            self._contradicted = True

    def _announce_again(self, connection: BrokerConnection) -> None:
        now = time.monotonic()
        if self._state is not None and now - self._announced_at >= ANNOUNCE_EVERY_S:
            log.warning("%s: somebody else spoke for us on our state; saying it again", self.name)
            self._announced_at = now
            self._publish(connection, self._state)

    def _give_back_all(self) -> None:
        self._returned += [seq for seq, _ in self._under_way.values() if seq is not None]
        self._returned += self._refused_topics.forget()
        self._under_way.clear()

    def _notify(self) -> None:
        self._callback()
