"""MQTT sink: publishes stored messages to one broker, with last will, in-flight window and refused topics.

Only PUBACK 0x00 counts as arrived, and 0x10 ("no subscriber") unless ``require_subscriber``. What is refused is given
back and its topic is paused for a while, longer each time; other topics go on. MQTT 3.1.1 has no way to refuse: a
broker that forbids a topic there just drops what is sent to it.

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

from edge.contracts import topics
from edge.contracts.ports import Incoming
from edge.process.log_limit import LogLimiter
from edge.sinks.mqtt.connection import BACKLOG_QUEUE_LIMIT, RECEIVED_LIMIT
from edge.sinks.mqtt.credentials import read_credentials
from edge.sinks.mqtt.inflight import QueuedMessage
from edge.sinks.mqtt.reconnect import Reconnector
from edge.sinks.mqtt.refused_topics import RefusedTopics
from edge.sinks.mqtt.state_watch import Speaker, StateWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.config.settings import SinkSettings
    from edge.contracts.ports import Outgoing, SinkIdentity
    from edge.sinks.mqtt.connection import BrokerConnection, BrokerMessage

log = logging.getLogger(__name__)

LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Hosts to which a password may go unencrypted without a warning."""
NOT_AUTHORISED = 0x87
"""PUBACK code of MQTT 5: the broker's access list (ACL) forbids it."""
NO_SUBSCRIBER = 0x10
"""PUBACK code of MQTT 5: taken, but nobody has subscribed to the topic."""
PACKET_OVERHEAD = 16
"""Most bytes that a PUBLISH packet has besides topic and body."""
STATE_REPUBLISH_S = 5.0
"""Shortest time between two republications of our ``state`` after somebody else overwrote it."""


class MqttSink:
    """`Link` to one MQTT broker. Its methods belong to the publisher's thread; a `Reconnector`'s thread connects."""

    def __init__(self, settings: SinkSettings, identity: SinkIdentity) -> None:
        """Read the credentials. Raises `SinkError` if a password, CA or certificate file cannot be used."""
        self.durable = settings.durable
        self._settings = settings
        self._credentials = read_credentials(settings)
        self.name = self._credentials.name
        self._topics = replace(identity.topics, root=settings.root)
        client_id = self._credentials.client_id or self._topics.client_id
        will = (self._topics.full(topics.STATE), identity.will)
        self._callback: Callable[[], None] = lambda: None
        self._reconnector = Reconnector(settings, self._credentials, client_id, will, self._notify)
        self._connection: BrokerConnection | None = None
        self._session = 0
        self._inflight_messages: dict[int, tuple[int | None, str]] = {}
        """By delivery id, the seq and topic suffix of each message that the broker has not answered."""
        self._refused_topics = RefusedTopics()
        self._answered_topics: set[str] = set()
        """Topic suffixes of what the broker has answered on this connection."""
        self._acked: list[int] = []
        self._returned: list[int] = []
        self._listening: list[str] = []
        self._incoming: deque[Incoming] = deque(maxlen=RECEIVED_LIMIT)
        self._state: Outgoing | None = None
        self._state_watch = StateWatch(identity.run_id)
        self._state_subscribed = False
        """Whether the broker has our state, and is asked for whatever comes there after it."""
        self._state_overwritten = False
        self._state_republished_at = 0.0
        self._closing = False
        self._limited_log = LogLimiter(log)

    def open(self) -> None:
        """Implement `Sink.open`: start to connect. What is wrong with files was found when this was made."""
        credentials = self._credentials
        if credentials.password is not None and credentials.tls is None and credentials.host not in LOOPBACK:
            log.warning("%s: the password travels unencrypted; mqtts:// would hide it", self.name)
        self._reconnector.start()

    @property
    def session(self) -> int:
        """Implement `Sink.session`: number of the present connection, 0 while there is none."""
        self._process_events()
        return self._session if self._connection is not None and self._connection.up else 0

    def wake_on(self, callback: Callable[[], None]) -> None:
        """Implement `Sink.wake_on`: called from the connecting thread."""
        self._callback = callback

    def send(self, message: Outgoing) -> bool:
        """Implement `Sink.send`. What the broker refuses now is taken and given back later: others go on."""
        self._process_events()
        connection = self._connection
        if connection is None or not connection.up:
            return False
        if self._queue_is_full(connection, message):
            return False
        if message.seq is None:
            if not self._fits_packet_limit(connection, message):
                return True  # never will it
        else:
            if self._refused_topics.is_paused(message.suffix):
                return self._refused_topics.hold(message.suffix, message.seq)
            if not self._fits_packet_limit(connection, message):
                self._refused_topics.hold_until_reconnect(message.seq)
                return True
        return self._publish(connection, message)

    def listen(self, suffix: str) -> None:
        """Implement `Link.listen`: subscribe to ``suffix`` and all below it."""
        self._listening.append(suffix)

    def heard(self) -> Sequence[Incoming]:
        """Implement `Link.heard`: messages to the device since the last call."""
        self._process_events()
        incoming = list(self._incoming)
        self._incoming.clear()
        return incoming

    def acked(self) -> Sequence[int]:
        """Implement `Sink.acked`: seq of messages that the broker acknowledged."""
        self._process_events()
        seqs, self._acked = self._acked, []
        return seqs

    def returned(self) -> Sequence[int]:
        """Implement `Sink.returned`: what was refused and may be tried again, or was in flight on a lost connection."""
        self._process_events()
        seqs, self._returned = self._returned + self._refused_topics.take_retryable(), []
        return seqs

    def problems(self) -> Sequence[str]:
        """Implement `Sink.problems`: a `ConnectionEnd` while there is no connection, else what the broker refuses."""
        self._process_events()
        words = self._refused_topics.problems()
        connection, state = self._connection, self._topics.full(topics.STATE)
        if connection is not None and connection.up and connection.refused_subscriptions - {state}:
            words.append("subscription_refused")
        if (recent_problem := self._reconnector.recent_problem()) is not None:
            words.append(recent_problem)
        if (end := self._reconnector.end) is not None and (self._connection is None or not self._connection.up):
            words.append(end.value)
        return list(dict.fromkeys(words))

    def close(self, timeout_s: float) -> None:
        """Implement `Sink.close`: wait for messages in flight (the offline state too), then send DISCONNECT.

        After it the broker does not publish our last will.
        """
        self._closing = True
        deadline = time.monotonic() + timeout_s
        woken = threading.Event()
        self._callback = woken.set
        while self.session and self._inflight_messages and time.monotonic() < deadline:
            woken.wait(0.1)
            woken.clear()
        patience_s = 0.1  # a thread that is still trying to connect may be left to it: it ends with the process
        if self._connection is not None and self._connection.up:
            self._connection.disconnect()
            patience_s = max(0.5, deadline - time.monotonic())
        else:
            self._reconnector.stop()
        self._reconnector.join(patience_s)
        self._reconnector.stop()

    def _publish(self, connection: BrokerConnection, message: Outgoing) -> bool:
        topic = self._topics.full(message.suffix)
        if message.suffix == topics.STATE and self._state is None:
            connection.subscribe(topic)  # before ours stands there: who was here meanwhile?
        ready = QueuedMessage(topic, message.body, message.qos, message.retain, message.late)
        urgent = message.qos > 0 and message.seq is None and not message.late
        delivery_id = connection.publish(ready, urgent)
        if delivery_id is None:
            return False
        if message.qos > 0:
            self._inflight_messages[delivery_id] = (message.seq, message.suffix)
        if message.suffix == topics.STATE:
            self._state = message
            self._state_watch.publish(message.body)
            self._state_overwritten = False
        return True

    def _queue_is_full(self, connection: BrokerConnection, message: Outgoing) -> bool:
        """A full queue of old messages leaves room for live ones; what nobody waits for is sent now or never."""
        if message.qos == 0:
            return connection.live_queue_full
        if message.suffix == topics.STATE or (message.late and message.seq is None):
            return False  # what comes behind it must not overtake it; such answers are few, see `RequestHandler`
        window = self._settings.inflight if message.late else 2 * self._settings.inflight
        return len(self._inflight_messages) >= window + BACKLOG_QUEUE_LIMIT

    def _fits_packet_limit(self, connection: BrokerConnection, message: Outgoing) -> bool:
        size = PACKET_OVERHEAD + len(self._topics.full(message.suffix).encode()) + len(message.body)
        if connection.maximum_packet is None or size <= connection.maximum_packet:
            return True
        log.error("a message on %s has %d bytes, more than %s takes", message.suffix, size, self.name)
        return False

    def _process_events(self) -> None:
        """Process what the connection did since the last call: answers, incoming messages, its end or a new one."""
        if self._connection is not None:
            up = self._connection.up  # read before the events: what comes after is not lost, it comes again
            for delivery_id, code in self._connection.take_answers():
                self._handle_answer(self._connection, delivery_id, code)
            while self._connection.received:
                self._handle_received(self._connection.received.popleft())
            if not up:
                self._return_all()
            elif self._state_overwritten:
                self._republish_state(self._connection)
        latest_connection = self._reconnector.latest_connection
        if latest_connection is not None and latest_connection is not self._connection and latest_connection.up:
            self._return_all()
            self._connection = latest_connection
            self._session += 1
            self._answered_topics = set()
            self._state, self._state_subscribed, self._state_overwritten = None, False, False
            self._state_watch.connect(self._session == 1, self._reconnector.broker_was_there)
            for suffix in self._listening:  # before `state` says that we can be asked
                latest_connection.subscribe(f"{self._topics.full(suffix)}/#")
            log.info("%s: connected (%s)", self.name, latest_connection.protocol.describe())

    def _handle_answer(self, connection: BrokerConnection, delivery_id: int, code: int) -> None:
        """Handle the broker's answer to a message: its reason ``code``."""
        if delivery_id not in self._inflight_messages:
            return
        seq, suffix = self._inflight_messages.pop(delivery_id)
        self._answered_topics.add(suffix)
        if suffix.startswith(f"{topics.RESPONSE}/"):  # who asked is gone, or may not hear us: no ailment of ours
            if code:
                log.warning("%s does not pass on %s (reason code 0x%02x)", self.name, suffix, code)
            return
        if code == 0 or (code == NO_SUBSCRIBER and not self._settings.require_subscriber):
            self._refused_topics.mark_accepted(suffix)
            if seq is not None:
                self._acked.append(seq)
            elif suffix == topics.STATE and not self._state_subscribed and not self._closing:
                # Only now: what the broker still had of our last run is not worth an answer.
                self._state_subscribed = True
                connection.subscribe(self._topics.full(topics.STATE))
            return
        word = "no_subscriber" if code == NO_SUBSCRIBER else "refused"
        if self._refused_topics.mark_refused(suffix, word):
            why = f"{word} (reason code 0x{code:02x})"
            if code == NOT_AUTHORISED:
                why = f"the broker's access list (ACL) does not let this device publish on {self._topics.full(suffix)}"
            self._limited_log.warning(f"{word} {suffix}", "%s does not take %s: %s", self.name, suffix, why)
        if seq is not None:
            self._returned.append(seq)

    def _handle_received(self, message: BrokerMessage) -> None:
        suffix = message.topic.removeprefix(f"{self._topics.prefix}/")
        if suffix == topics.STATE:
            self._check_own_state(message.body, message.retained)
        elif not message.retained:
            self._incoming.append(Incoming(suffix, message.body))

    def _check_own_state(self, body: bytes, retained: bool = False) -> None:
        """Note whether a message on our ``state`` topic is not ours: then it has to be published again."""
        if body == self._state.body if self._state is not None else not retained:
            return
        speaker = self._state_watch.judge(body, retained)
        if speaker is Speaker.OTHER:
            self._reconnector.note_other_device()
        superseded = retained and not self._state_subscribed  # ours is on its way behind it
        if speaker is not Speaker.OURS and self._state is not None and not superseded:
            self._state_overwritten = True

    def _republish_state(self, connection: BrokerConnection) -> None:
        now = time.monotonic()
        if self._state is not None and now - self._state_republished_at >= STATE_REPUBLISH_S:
            log.warning("%s: somebody else spoke for us on our state; saying it again", self.name)
            self._state_republished_at = now
            self._publish(connection, self._state)

    def _return_all(self) -> None:
        """Give back what was in flight on a connection that is lost, and say which topics it never was answered on."""
        waiting = {suffix for _, suffix in self._inflight_messages.values()} - self._answered_topics
        if waiting:
            self._reconnector.note_unanswered({self._topics.full(suffix) for suffix in waiting})
        self._returned += [seq for seq, _ in self._inflight_messages.values() if seq is not None]
        self._returned += self._refused_topics.take_all()
        self._inflight_messages.clear()

    def _notify(self) -> None:
        self._callback()
