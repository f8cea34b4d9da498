"""One MQTT connection to a broker, from connecting to its end. The next one is a new object with nothing left over.

paho keeps what was not acknowledged and sends it again by itself; here the outbox does that, marked and in order,
so each connection gets a paho client of its own. All of it runs in the one thread that calls `BrokerConnection.run`;
`publish`, `take_answers`, `subscribe` and `disconnect` may be called from one other, which only queues and wakes.
"""

from __future__ import annotations

import logging
import socket
import ssl
import time
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge.sinks.mqtt.bounded_client import MAXIMUM_PACKET, BoundedClient
from edge.sinks.mqtt.connection_end import ConnectionEnd
from edge.sinks.mqtt.inflight import InflightWindow

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from paho.mqtt.client import Client

    from edge.sinks.mqtt.credentials import BrokerCredentials
    from edge.sinks.mqtt.inflight import QueuedMessage
    from edge.sinks.mqtt.protocol_version import ProtocolVersion

log = logging.getLogger(__name__)

KEEPALIVE_S = 15
"""MQTT keep-alive: after one and a half times this silence a broker publishes our last will."""
CONNECT_TIMEOUT_S = 5.0
"""Time limit for the TCP connection and the TLS handshake, and again for the broker's answer."""
CLOSE_TIMEOUT_S = 0.5
"""Longest wait, after our DISCONNECT, for the broker to close first."""
LOOP_TIMEOUT_S = 0.5
"""Longest wait for network events in one turn of paho's loop."""
BACKLOG_QUEUE_LIMIT, BACKLOG_QUEUE_LOW = 200, 100
"""Messages of a backlog that are queued beyond those in flight, and how few of them call for more."""
RECEIVED_LIMIT = 200
"""Most messages from the broker that wait to be processed; of more, the newest are kept."""

REFUSALS = {
    0x84: ConnectionEnd.BAD_VERSION,
    0x85: ConnectionEnd.BAD_CLIENT_ID,
    0x86: ConnectionEnd.BAD_CREDENTIALS,
    0x87: ConnectionEnd.NOT_AUTHORISED,
    0x88: ConnectionEnd.UNAVAILABLE,
    0x89: ConnectionEnd.UNAVAILABLE,
}
"""CONNACK codes of MQTT 5; paho translates those of 3.1.1 to them."""
DISCONNECTS = {0x87: ConnectionEnd.NOT_AUTHORISED, 0x8E: ConnectionEnd.TAKEN_OVER}
"""DISCONNECT codes of MQTT 5: an access list forbids what we did; another client took our session."""


class BrokerMessage(NamedTuple):
    """One message that the broker sent us."""

    topic: str
    body: bytes
    retained: bool
    """Whether the broker had kept it from earlier (MQTT retain)."""


class BrokerConnection:
    """One MQTT connection over TCP or TLS. ``received`` is filled by `run`'s thread and emptied by another."""

    def __init__(
        self,
        credentials: BrokerCredentials,
        protocol: ProtocolVersion,
        client_id: str,
        notify: Callable[[], None],
        will: tuple[str, bytes] | None = None,
        inflight: int = 1,
    ) -> None:
        """Prepare a connection; `run` makes it.

        Args:
            credentials: address, password and certificates.
            protocol: MQTT version and form of the client identifier.
            client_id: client identifier.
            notify: called from `run`'s thread when there is something to process.
            will: topic and body of the MQTT last will, which the broker publishes if we are lost.
            inflight: messages that may wait for the broker's answer at once, if it does not allow fewer.
        """
        self.credentials = credentials
        self.protocol = protocol
        self.up = False
        """Whether the broker has accepted us and the connection still stands."""
        self.detail = ""
        """More about how it ended, for people; empty: nothing is known."""
        self.lasted_s = 0.0
        """Time that it was up, in seconds; 0: it never was."""
        self.maximum_packet: int | None = None
        """Bytes of the largest packet that the broker takes. None: it does not say."""
        self.received: deque[BrokerMessage] = deque(maxlen=RECEIVED_LIMIT)
        """What came on subscribed topics; of a flood, the newest."""
        self.refused_subscriptions: set[str] = set()
        """Topics that the broker does not let us subscribe to."""
        self.notify = notify
        self._inflight = inflight
        self._window = InflightWindow(self._publish)
        self._refusal: ConnectionEnd | None = None
        self._pending_subscriptions: dict[int, str] = {}
        """Message id of each SUBSCRIBE -> topic."""
        self._connected_at = 0.0
        self._disconnecting = False
        self._client = self._make_client(client_id, will)

    def _make_client(self, client_id: str, will: tuple[str, bytes] | None) -> Client:
        five = self.protocol.version == "5"
        client = BoundedClient(
            CallbackAPIVersion.VERSION2,
            client_id=client_id.replace("/", "_") if self.protocol.slash_free else client_id,
            protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
            clean_session=None if five else True,
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.max_inflight_messages_set(0)  # the window counts
        if self.credentials.username is not None or self.credentials.password is not None:
            client.username_pw_set(self.credentials.username or "", self.credentials.password)
        if self.credentials.tls is not None:
            client.tls_set_context(self.credentials.tls)
        if will is not None:
            client.will_set(will[0], will[1], qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe
        client.on_socket_open = self._on_socket_open
        # With this set, paho never writes to the socket from the thread that calls `publish`.
        client.on_socket_register_write = lambda *_: None
        return client

    def run(self, stop: threading.Event) -> ConnectionEnd:
        """Connect and serve until the connection has ended for any reason, or ``stop`` is set; how it ended."""
        try:
            end = self._run(stop)
        except Exception as error:  # malformed packets: paho raises whatever its parser meets
            log.debug("connection to %s ended by", self.credentials.name, exc_info=True)
            self.detail = repr(error)
            end = ConnectionEnd.LOST if self._connected_at else ConnectionEnd.CLOSED_UNANSWERED
        self.up = False
        if self._connected_at:
            self.lasted_s = time.monotonic() - self._connected_at
        client, sock = self._client, self._client.socket()
        client.on_connect = client.on_disconnect = client.on_publish = None  # circles of references
        client.on_message = client.on_subscribe = client.on_socket_open = client.on_socket_register_write = None
        if sock is not None:
            sock.close()
        self.notify()
        self.notify = _ignore_notification
        return end

    def publish(self, message: QueuedMessage, urgent: bool = False) -> int | None:
        """Queue a message, ``urgent`` ones before all others; its delivery id. None if the connection is down."""
        return self._window.put(message, urgent) if self.up else None

    @property
    def live_queue_full(self) -> bool:
        """Whether more live messages wait than will soon be sent, see `InflightWindow`."""
        return self._window.live_queue_full

    def take_answers(self) -> list[tuple[int, int]]:
        """(delivery id, reason code) of each message that the broker has answered since the last call."""
        return self._window.take_answers()

    def subscribe(self, topic: str) -> None:
        """Subscribe to ``topic``; messages on it are put into ``received``."""
        if self.up:
            mid = self._client.subscribe(topic, qos=1)[1]
            if mid is not None:
                self._pending_subscriptions[mid] = topic

    def disconnect(self) -> None:
        """Send DISCONNECT: the broker then drops the last will instead of publishing it."""
        self._disconnecting = True
        self._client.disconnect()

    def _run(self, stop: threading.Event) -> ConnectionEnd:
        failure = self._connect()
        if failure is not None:
            return failure
        deadline = time.monotonic() + CONNECT_TIMEOUT_S
        while self._client.loop(LOOP_TIMEOUT_S) == MQTTErrorCode.MQTT_ERR_SUCCESS:
            if stop.is_set():
                break
            if not self._connected_at and time.monotonic() > deadline:
                return ConnectionEnd.NO_ANSWER
        if self._refusal is not None:
            return self._refusal
        if stop.is_set() or self._disconnecting:
            return ConnectionEnd.STOPPED
        return ConnectionEnd.LOST if self._connected_at else ConnectionEnd.CLOSED_UNANSWERED

    def _connect(self) -> ConnectionEnd | None:
        clean: dict[str, Any] = {}
        if self.protocol.version == "5":
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.MaximumPacketSize = MAXIMUM_PACKET
            clean = {"clean_start": True, "properties": properties}
        try:
            self._client.connect(self.credentials.host, self.credentials.port, KEEPALIVE_S, **clean)
        except socket.gaierror:
            return ConnectionEnd.UNKNOWN_HOST
        except (ssl.SSLError, ssl.CertificateError) as error:
            self.detail = str(getattr(error, "verify_message", "") or getattr(error, "reason", "") or error)
            return ConnectionEnd.TLS_FAILED
        except TimeoutError:
            return ConnectionEnd.NO_ANSWER if self.credentials.tls is not None else ConnectionEnd.UNREACHABLE
        except ConnectionResetError:
            return ConnectionEnd.CLOSED_UNANSWERED
        except OSError as error:
            self.detail = error.strerror or str(error)
            return ConnectionEnd.UNREACHABLE
        return None

    def _publish(self, message: QueuedMessage) -> int | None:
        info = self._client.publish(message.topic, message.body, message.qos, message.retain)
        return info.mid if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS else None

    def _on_connect(self, client: Client, userdata: Any, flags: Any, code: Any, properties: Any) -> None:
        if code.is_failure:
            self._refusal = REFUSALS.get(code.value, ConnectionEnd.REFUSED)
            self.detail = str(code)
            return
        self._window.size = min(self._inflight, getattr(properties, "ReceiveMaximum", 65535))
        self.maximum_packet = getattr(properties, "MaximumPacketSize", None)
        self._connected_at = time.monotonic()
        self.up = True
        self.notify()

    def _on_disconnect(self, client: Client, userdata: Any, flags: Any, code: Any, properties: Any) -> None:
        self.up = False
        if flags.is_disconnect_packet_from_server:
            self.detail = str(code)
            self._refusal = DISCONNECTS.get(code.value)
        elif self._disconnecting:
            _wait_for_broker_to_close(client.socket())

    def _on_publish(self, client: Client, userdata: Any, mid: int, code: Any, properties: Any) -> None:
        self._window.record_answer(mid, code.value)
        if self._window.backlog_length <= BACKLOG_QUEUE_LOW:
            self.notify()

    def _on_message(self, client: Client, userdata: Any, message: Any) -> None:
        try:
            topic = message.topic  # paho decodes it here
        except UnicodeDecodeError:
            return
        # Of one that is longer than any request may be, so much that this shows.
        self.received.append(BrokerMessage(topic, bytes(message.payload[: MAXIMUM_PACKET + 1]), message.retain))
        self.notify()

    def _on_subscribe(self, client: Client, userdata: Any, mid: int, codes: Any, properties: Any) -> None:
        topic = self._pending_subscriptions.pop(mid, None)
        if topic is not None and any(code.is_failure for code in codes):
            if topic in self.refused_subscriptions:  # our state is asked for twice
                return
            self.refused_subscriptions.add(topic)
            log.warning("%s does not let us hear %s", self.credentials.name, topic)
            self.notify()

    def _on_socket_open(self, client: Client, userdata: Any, sock: Any) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _ignore_notification() -> None:
    """Stands for ``notify`` when the connection has ended."""


def _wait_for_broker_to_close(sock: Any) -> None:
    """After our DISCONNECT, let the broker close the connection first.

    If we did, with bytes of its still unread here, the kernel would answer its next packet with a reset, and a broker
    that had not read our DISCONNECT yet would take us for lost and publish our last will.
    """
    deadline = time.monotonic() + CLOSE_TIMEOUT_S
    try:
        sock.shutdown(socket.SHUT_WR)
        while (left := deadline - time.monotonic()) > 0:
            sock.settimeout(left)
            if not sock.recv(4096):
                return
    except (OSError, ValueError, AttributeError):  # gone already
        return
