"""Broker of the simulation, and the consumer behind it: a ledger, and a count of its own to check the ledger by."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

import msgspec

from edge.contracts import topics
from edge.fleet.ledger import Ledger

if TYPE_CHECKING:
    from simulation.simulated_client import Packet, SimulatedClient
    from simulation.world import World

DURABLE = ("findings", "coverage")
REFUSED = 0x87
"""PUBACK code: not authorised."""


class Numbered(msgspec.Struct):
    """Number of a durable message, and its lane."""

    epoch: str
    seq: int
    replayed: bool


class SimulatedBroker:
    """One MQTT broker: takes what arrives, in order, and answers; may be away, slow to answer, or refuse topics."""

    def __init__(self, world: World, host: str) -> None:
        self.world, self.host = world, host
        self.up = True
        self.stalled_until = 0.0
        self.refusing = self.has_refused = False
        self.client: SimulatedClient | None = None
        self.retained: dict[str, bytes] = {}
        self.ledger = Ledger(whole=not world.setup.backlog)
        self.received: Counter[tuple[str, int]] = Counter()
        """(epoch, seq) -> how often it came."""
        self.health: set[bytes] = set()
        """Bodies of ``health`` that came, as they were made."""
        self.connections = 0

    def take(self, packet: Packet) -> int:
        """Take one PUBLISH; the reason code of the answer."""
        suffix = packet.topic.removeprefix(f"{self.world.prefix}/")
        if self.refusing and suffix.startswith(DURABLE):
            self.has_refused = True
            return REFUSED
        if suffix.startswith(DURABLE):
            self._take_durable(packet, suffix)
        elif suffix == topics.HEALTH:
            self.health.add(packet.body.replace(b'"replayed":true', b'"replayed":false', 1))
        if packet.retain:
            self.retained[packet.topic] = packet.body
        self.ledger.feed(packet.topic, packet.body)
        if self.client is not None and packet.topic in self.client.subscribed:
            self.client.deliver(packet.topic, packet.body, retained=False)
        return 0

    def _take_durable(self, packet: Packet, suffix: str) -> None:
        message = msgspec.json.decode(packet.body, type=Numbered)
        key = (message.epoch, message.seq)
        known = self.world.account.committed.get(key)
        if known is None:
            self.world.violated("foreign", f"{suffix} {key} was never committed")
            return
        if (suffix, packet.body.replace(b'"replayed":true', b'"replayed":false', 1)) != (known.suffix, known.body):
            self.world.violated("body", f"{suffix} {key} is not what was stored")
        self.received[key] += 1
        self.world.log("received", f"{self.host} {suffix} {message.seq}{' replayed' * message.replayed}")

    def will(self, topic: str, body: bytes) -> None:
        """Publish the last will of a client that was lost."""
        self.retained[topic] = body
        self.ledger.feed(topic, body)

    def ask(self, suffix: str, body: bytes) -> None:
        """Publish what a consumer asks of the device; it hears that itself, too."""
        topic = f"{self.world.prefix}/{suffix}"
        self.ledger.feed(topic, body)
        if self.client is not None and any(topic.startswith(one.rstrip("#")) for one in self.client.subscribed):
            self.client.deliver(topic, body, retained=False)


class Wire:
    """What is on its way from a client to the broker: it arrives in order, or not at all once it is cut."""

    def __init__(self, world: World, broker: SimulatedBroker, client: SimulatedClient) -> None:
        self._world, self._broker, self._client = world, broker, client
        self._packets: deque[tuple[float, Packet]] = deque()
        self._is_due = False

    def send(self, packet: Packet) -> None:
        """Put a packet on its way."""
        self._packets.append((self._world.time.now + self._world.setup.latency_s, packet))
        self._plan()

    def cut(self, arriving: int) -> None:
        """Cut the connection: so many of the packets on their way arrive all the same; nothing is answered."""
        for _ in range(min(arriving, len(self._packets))):
            self._broker.take(self._packets.popleft()[1])
        self._packets.clear()

    def __len__(self) -> int:
        return len(self._packets)

    def _plan(self) -> None:
        if self._packets and not self._is_due:
            self._is_due = True
            self._world.plan(self._packets[0][0], "wire", self._arrive, None)

    def _arrive(self) -> None:
        self._is_due = False
        now = self._world.time.now
        while self._packets and self._packets[0][0] <= now:
            packet = self._packets.popleft()[1]
            code = self._broker.take(packet)
            if packet.qos:
                at = max(now, self._broker.stalled_until) + self._world.setup.latency_s
                self._client.answer(at, packet.mid, code)
        self._plan()
