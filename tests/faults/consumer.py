"""MQTT consumer for fault tests, with a session that its broker should keep for it.

It keeps two accounts: `Received`, which shares no code with the project, and the project's own `Ledger`, which is what
it repairs by: it asks for what the ledger misses (``request/findings/resend``) until nothing is.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections import Counter
from typing import TYPE_CHECKING, Any

from faults.accounting import Key, Received
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge.fleet.ledger import RESEND_REQUEST, Ledger

if TYPE_CHECKING:
    from collections.abc import Callable

ASK_AT_ONCE = 500
"""Messages, in one request."""
REQUESTS_AT_ONCE = 100
ENDED_ASKED = 3
"""So often an epoch that has ended is asked for: what has not come by then is gone."""
ASK_EVERY_S = 3.0


class Consumer:
    """Subscribes to ``edge/v1/#`` at QoS 1, and reconnects by itself when the broker is back."""

    def __init__(self, port: int) -> None:
        self.received = Received()
        self.ledger = Ledger()
        self.poison: set[bytes] = set()
        """Bodies of others that nobody can read, see `Poisoned`."""
        self.asked = 0
        self._ended_asked: Counter[str] = Counter()
        """Messages asked for again."""
        self._lock = threading.Lock()
        self._port = port
        self._ready = threading.Event()
        self.connect()

    def connect(self) -> None:
        """Connect to the broker, the first time or after `disconnect`."""
        keep = Properties(PacketTypes.CONNECT)
        keep.SessionExpiryInterval = 0xFFFFFFFF
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="ear", protocol=MQTTProtocolVersion.MQTTv5)
        self._client.reconnect_delay_set(0.1, 0.2)  # type: ignore[arg-type]
        self._client.on_connect = lambda client, *_: client.subscribe("edge/v1/#", qos=1)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_disconnect = lambda *_: self._ready.clear()
        self._client.on_message = self._hear
        self._client.connect("127.0.0.1", self._port, clean_start=False, properties=keep)
        self._client.loop_start()
        assert self._ready.wait(60)

    def disconnect(self) -> None:
        """Disconnect; the broker keeps the session, and what it has room for."""
        self._client.disconnect()
        self._client.loop_stop()
        self._ready.clear()

    def wait_ready(self, timeout_s: float = 60.0) -> None:
        """Wait until the subscription stands."""
        assert self._ready.wait(timeout_s)

    def wait_for(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Whether ``condition`` came to hold within ``timeout_s``."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    def wait_until_quiet(self, complete: Callable[[], bool], quiet_s: float = 2.0) -> None:
        """Wait until ``complete``, or until nothing more came for ``quiet_s``."""
        heard = -1
        while heard != self.received.messages:
            heard = self.received.messages
            if self.wait_for(complete, quiet_s):
                return

    def missing(self) -> set[Key]:
        """Messages that the ledger misses, by key."""
        with self._lock:
            return {
                (device, epoch, seq)
                for (_, device), one in self.ledger.devices().items()
                for epoch, ranges in one.missing().items()
                for first, last in ranges
                for seq in range(first, last + 1)
            }

    def epoch(self) -> str:
        """Epoch that the device says it counts in; empty: none yet."""
        with self._lock:
            return next((one.epoch for one in self.ledger.devices().values()), "")

    def repair(self, epoch: str, timeout_s: float) -> set[Key]:
        """Ask the running device, which counts in ``epoch``, for what is missing until it has come; returns the rest.

        Of other epochs too, as far as the ledger says that the device can be asked for them.
        """
        assert self.wait_for(lambda: self.epoch() == epoch, 120), "the device does not say its epoch"
        wanted = self.missing()
        deadline = time.monotonic() + timeout_s
        while wanted and time.monotonic() < deadline and self._ask(wanted):
            here, patience = wanted, time.monotonic() + ASK_EVERY_S
            while wanted and time.monotonic() < patience:
                time.sleep(0.05)
                wanted = here & self.missing()
        return wanted

    def _ask(self, wanted: set[Key]) -> bool:
        """Whether there was anything to ask for."""
        with self._lock:
            told = [(*key, one.requestable(), one.epoch) for key, one in self.ledger.devices().items()]
        requests = 0
        for site, device, by_epoch, present in told:
            for epoch, ranges in by_epoch.items():
                if epoch != present and requests < REQUESTS_AT_ONCE:
                    # The outbox of an ended epoch may be gone, which the ledger cannot know.
                    self._ended_asked[epoch] += 1
                if self._ended_asked[epoch] > ENDED_ASKED:
                    continue
                for first, last in ranges:
                    last = min(last, first + ASK_AT_ONCE - 1)
                    if requests == REQUESTS_AT_ONCE or not any(
                        (device, epoch, s) in wanted for s in range(first, last + 1)
                    ):
                        continue
                    request = {"id": uuid.uuid4().hex, "args": {"epoch": epoch, "from": first, "to": last}}
                    self._client.publish(f"edge/v1/{site}/{device}/{RESEND_REQUEST}", json.dumps(request), qos=1)
                    requests += 1
                    self.asked += last - first + 1
        return requests > 0

    def publish_poison(self, topic: str, body: bytes, *, retain: bool) -> None:
        """Send what nobody can read."""
        self.poison.add(body)
        self._client.publish(topic, body, qos=1, retain=retain)

    def close(self) -> None:
        """Disconnect from the broker at the end."""
        self.disconnect()

    def _hear(self, client: Client, data: Any, message: Any) -> None:
        try:
            with self._lock:
                self.ledger.feed(message.topic, message.payload, retained=message.retain)
            if message.payload not in self.poison:
                self.received.feed(message.topic, message.payload)
        except Exception as error:  # what cannot be understood is a result of the test, not its end
            self.received.violations.append(f"not understood on {message.topic}: {error!r}")
