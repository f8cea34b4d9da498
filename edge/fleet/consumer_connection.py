"""MQTT connection of a consumer: subscribes, receives, publishes, and reconnects by itself when it is lost.

MQTT 3.1.1: every broker speaks it, and a consumer needs nothing that came later.
"""

from __future__ import annotations

import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edge.config.settings import SinkSettings
from edge.config.uri import parse_uri
from edge.contracts.errors import SinkError, UsageError
from edge.fleet.received_queue import ConsumerMessage, QueueMark, ReceivedQueue
from edge.sinks.mqtt.credentials import read_credentials

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ANSWER_S = 10.0
"""Seconds that the broker may take to accept the connection and the subscription."""
KEEPALIVE_S = 30
MAX_INFLIGHT = 200
"""Messages that may wait for their acknowledgement."""
BODY_LIMIT = 1 << 20
"""Bytes of a message that are kept; of a longer one nothing is, and whoever reads it finds it unreadable."""


def broker_settings(
    uri: str,
    *,
    username: str | None = None,
    password_file: Path | None = None,
    ca_file: Path | None = None,
    cert_file: Path | None = None,
    key_file: Path | None = None,
) -> SinkSettings:
    """Broker address and credentials of a command line, as `SinkSettings`."""

    def name(path: Path | None) -> str | None:
        return None if path is None else str(path)

    return SinkSettings(
        uri=uri,
        username=username,
        password_file=name(password_file),
        ca_file=name(ca_file),
        cert_file=name(cert_file),
        key_file=name(key_file),
    )


class ConsumerConnection:
    """One connection to a broker. Messages queue up in order until `receive`, for one thread; `publish` is for any."""

    def __init__(
        self, settings: SinkSettings, topics: Sequence[str] = (), name: str = "watch", *, qos: int = 1
    ) -> None:
        """Connect, and subscribe to ``topics`` with ``qos``, now and at every new connection.

        Raises:
            UsageError: the URI is no broker's.
            SinkError: the broker does not answer, or refuses us or a topic.
        """
        scheme = parse_uri(settings.uri, "sinks").scheme
        if scheme not in ("mqtt", "mqtts"):
            raise UsageError(f"{scheme}:// is no broker", hint="for example mqtt://localhost:1883")
        credentials = read_credentials(settings)
        self.name = credentials.name
        self._topics = [(topic, qos) for topic in topics]
        self._received = ReceivedQueue()
        self.session = 0
        """Number of the connection that the messages of the last `receive` came on: 1, and one more at each loss."""
        self._answers: dict[int, bool] = {}
        """Subscription -> whether the broker granted it; those of this session that nobody has asked for yet."""
        self._ready = threading.Event()
        self._refusal = ""
        self._published = self._settled = 0
        identifier = credentials.client_id or f"sonoedge-{name}-{uuid.uuid4().hex[:12]}"
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=identifier, protocol=MQTTProtocolVersion.MQTTv311)
        if credentials.username is not None or credentials.password is not None:
            client.username_pw_set(credentials.username or "", credentials.password)
        if credentials.tls is not None:
            client.tls_set_context(credentials.tls)
        client.reconnect_delay_set(1, 10)
        client.max_inflight_messages_set(MAX_INFLIGHT)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        self._client = client
        self._open(credentials.host, credentials.port)

    def _open(self, host: str, port: int) -> None:
        try:
            self._client.connect(host, port, KEEPALIVE_S)
        except OSError as error:
            raise SinkError(
                f"{self.name} does not answer: {error.strerror or error}", hint="is the broker running, and reachable?"
            ) from None
        self._client.loop_start()
        self._ready.wait(ANSWER_S)
        if self._refusal or not self._ready.is_set():
            self.close()
            raise SinkError(
                f"{self.name} refuses: {self._refusal or 'no answer'}", hint="check name, password and access list"
            )

    @property
    def connected(self) -> bool:
        """Whether the connection to the broker stands now."""
        return self._client.is_connected()

    @property
    def dropped(self) -> int:
        """Messages that came faster than they were processed, and that were dropped here: see `ReceivedQueue`."""
        return self._received.dropped

    def receive(self, timeout_s: float) -> list[ConsumerMessage]:
        """All messages received since the last call; waits at most ``timeout_s`` for the first."""
        taken: list[ConsumerMessage] = []
        for item in self._received.take(timeout_s):
            if isinstance(item, ConsumerMessage):
                taken.append(item)
            elif item.subscription is None:
                self.session += 1
                self._answers.clear()
            else:
                self._answers[item.subscription] = item.granted
        return taken

    def subscribe(self, topics: Sequence[str], qos: int) -> int:
        """Subscribe to more ``topics`` until the connection is lost; the id to ask `granted` with."""
        return self._client.subscribe([(topic, qos) for topic in topics])[1] or 0

    def granted(self, subscription: int) -> bool | None:
        """Whether the broker granted a subscription, said once; None: its answer was not received yet.

        All messages that the broker had sent before its answer have been returned by `receive` then.
        """
        return self._answers.pop(subscription, None)

    def unsubscribe(self, topics: Sequence[str]) -> None:
        """End the subscription to ``topics``."""
        self._client.unsubscribe(list(topics))

    def publish(self, topic: str, body: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Queue a message for sending; returns at once."""
        self._published += 1
        self._client.publish(topic, body, qos=qos, retain=retain)

    def drain(self, timeout_s: float) -> bool:
        """Wait until all published messages are sent, and acknowledged if QoS asks for it; False if not in time."""
        deadline = time.monotonic() + timeout_s
        while self._settled < self._published:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.01)
        return True

    def close(self) -> None:
        """Disconnect from the broker. May be called twice."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, client: mqtt.Client, userdata: Any, flags: Any, code: Any, properties: Any) -> None:
        if code.is_failure:
            self._refusal = str(code)
            self._ready.set()
        elif self._topics:
            self._received.put(QueueMark(None))
            client.subscribe(self._topics)
        else:
            self._ready.set()

    def _on_subscribe(self, client: mqtt.Client, userdata: Any, mid: int, codes: Any, properties: Any) -> None:
        granted = not any(code.is_failure for code in codes)
        if not granted and not self._ready.is_set():
            self._refusal = "subscription not allowed"
        self._received.put(QueueMark(mid, granted))
        self._ready.set()

    def _on_message(self, client: mqtt.Client, userdata: Any, message: mqtt.MQTTMessage) -> None:
        try:
            topic = message.topic  # paho decodes it here; what is raised here would end paho's thread for good
        except UnicodeDecodeError as error:
            topic = str(error.object, "utf-8", "replace")
        body = bytes(message.payload) if len(message.payload) <= BODY_LIMIT else b""
        self._received.put(ConsumerMessage(topic, body, bool(message.retain), time.monotonic()))

    def _on_publish(self, client: mqtt.Client, userdata: Any, mid: int, code: Any, properties: Any) -> None:
        self._settled += 1
