"""MQTT client of the simulation: stands for paho's, with as much of its interface as a `BrokerConnection` uses."""

from __future__ import annotations

from collections import Counter, deque
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from paho.mqtt.enums import MQTTErrorCode
from simulation.simulated_broker import DURABLE, Numbered, Wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulation.simulated_broker import SimulatedBroker
    from simulation.world import World

LOST = MQTTErrorCode.MQTT_ERR_CONN_LOST


class Packet(NamedTuple):
    """One PUBLISH on its way to the broker."""

    mid: int
    topic: str
    body: bytes
    qos: int
    retain: bool


class _Code(NamedTuple):
    value: int

    @property
    def is_failure(self) -> bool:
        return self.value >= 0x80


class SimulatedClient:
    """One client for one connection; what comes from the broker waits until `loop` is called."""

    world: World
    """Set by whoever runs a schedule."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.connect_timeout = 0.0
        self.on_connect = self.on_disconnect = self.on_publish = self.on_message = self.on_subscribe = None
        self.on_socket_open = self.on_socket_register_write = None
        self.process = self.world.process
        self.subscribed: list[str] = []
        self.connected = False
        """Whether the broker's CONNACK came."""
        self.noticed_at_tick: int | None = None
        """Beginning of the first turn of the publisher after that, in `World.next_tick`; None: there was none yet."""
        self.refused_here = False
        """Whether a topic was refused on this connection: its messages come again as old ones."""
        self.sent: Counter[tuple[str, int]] = Counter()
        """(epoch, seq) of durable messages -> how often they were sent on this connection."""
        self.step: Callable[[], None] = lambda: None
        """Runs one turn of the connection that owns this."""
        self._will: tuple[str, bytes] | None = None
        self._broker: SimulatedBroker | None = None
        self._wire: Wire | None = None
        self._inbox: deque[tuple[float, Callable[[], None]]] = deque()
        self._mid = 0
        self._cut = False

    def max_inflight_messages_set(self, inflight: int) -> None:
        """Implement paho's: the product's own window counts."""

    def will_set(self, topic: str, body: bytes, qos: int, retain: bool) -> None:
        """Implement paho's: note the last will."""
        self._will = (topic, body)

    def socket(self) -> None:
        """Implement paho's: there is no socket to close."""

    def connect(self, host: str, port: int, keepalive: int, **options: Any) -> None:
        """Implement paho's: reach the broker; raises OSError if it is away."""
        broker = self.world.brokers[host]
        if not broker.up:
            raise ConnectionRefusedError("nobody answers")
        if broker.client is not None:
            broker.client.cut(0)
        self._broker, self._wire = broker, Wire(self.world, broker, self)
        broker.client = self
        self._arrives(self.world.time.now + 2 * self.world.setup.latency_s, self._accept)

    def loop(self, timeout: float) -> MQTTErrorCode:
        """Implement paho's: handle what has come from the broker until now."""
        now = self.world.time.now
        while self._inbox and self._inbox[0][0] <= now:
            self._inbox.popleft()[1]()
        if not self._cut:
            return MQTTErrorCode.MQTT_ERR_SUCCESS
        if self.on_disconnect is not None:
            self.on_disconnect(self, None, SimpleNamespace(is_disconnect_packet_from_server=False), _Code(0), None)
        return LOST

    def publish(self, topic: str, body: bytes, qos: int, retain: bool) -> SimpleNamespace:
        """Implement paho's: put a message on its way."""
        self._mid += 1
        if self._cut or self._wire is None:
            return SimpleNamespace(mid=self._mid, rc=MQTTErrorCode.MQTT_ERR_NO_CONN)
        suffix = topic.removeprefix(f"{self.world.prefix}/")
        if suffix.startswith(DURABLE):
            self._check_sent(suffix, body)
        self.world.crash_point(self.process, may_nest=True)
        if self._cut:
            return SimpleNamespace(mid=self._mid, rc=MQTTErrorCode.MQTT_ERR_SUCCESS)
        self._wire.send(Packet(self._mid, topic, body, qos, retain))
        if not qos:
            self.answer(self.world.time.now, self._mid, 0)
        return SimpleNamespace(mid=self._mid, rc=MQTTErrorCode.MQTT_ERR_SUCCESS)

    def subscribe(self, topic: str, qos: int) -> tuple[int, int]:
        """Implement paho's: hear ``topic`` from now on."""
        self._mid += 1
        if self._broker is not None and not self._cut:
            self.subscribed.append(topic)
            if topic in self._broker.retained:
                self.deliver(topic, self._broker.retained[topic], retained=True)
        return 0, self._mid

    def disconnect(self) -> None:
        """Implement paho's: leave, so that no last will is published."""
        self._will = None
        self.cut(1 << 30)

    # --- the broker's side ----------------------------------------------------------------------------------------
    def answer(self, at: float, mid: int, code: int) -> None:
        """Answer a PUBLISH; it arrives ``at`` that time."""
        self.refused_here = self.refused_here or code >= 0x80
        self._arrives(at, lambda: self.on_publish(self, None, mid, _Code(code), None))  # type: ignore[misc]

    def deliver(self, topic: str, body: bytes, *, retained: bool) -> None:
        """Send a message to the device."""
        message = SimpleNamespace(topic=topic, payload=body, retain=retained)
        at = self.world.time.now + self.world.setup.latency_s
        self._arrives(at, lambda: self.on_message(self, None, message))  # type: ignore[misc]

    def cut(self, arriving: int, answers_lost: bool = True, noticed_s: float = 0.0) -> None:
        """End the connection; the device notices it after a while."""
        if self._cut or self._wire is None or self._broker is None:
            return
        self._wire.cut(arriving)
        self._cut = True
        if answers_lost:
            self._inbox.clear()
        if self._broker.client is self:
            self._broker.client = None
        if self._will is not None and self._broker.up:
            self._broker.will(*self._will)
        self.world.plan(self.world.time.now + noticed_s, "connection", self.step, self.process)

    @property
    def on_the_way(self) -> int:
        """Number of packets that have not reached the broker."""
        return len(self._wire) if self._wire is not None else 0

    def _accept(self) -> None:
        self.connected = True
        if self._broker is not None:
            self._broker.connections += 1
            self.world.connected(self._broker.host)
        self.on_connect(self, None, None, _Code(0), None)  # type: ignore[misc]

    def _arrives(self, at: float, action: Callable[[], None]) -> None:
        if self._inbox and self._inbox[-1][0] > at:
            at = self._inbox[-1][0]  # one connection: in order
        first = not self._inbox or self._inbox[-1][0] < at
        self._inbox.append((at, action))
        if first:
            self.world.plan(at, "connection", lambda: self.step(), self.process)

    def _check_sent(self, suffix: str, body: bytes) -> None:
        """Note a durable message that is sent, and whether it may be."""
        message = msgspec.json.decode(body, type=Numbered)
        key = (message.epoch, message.seq)
        self.sent[key] += 1
        host = self._broker.host if self._broker is not None else ""
        self.world.log("sent", f"{host} {suffix} {message.seq}{' replayed' * message.replayed}")
        self.world.account.check_sent(self, host, key, message.replayed)
