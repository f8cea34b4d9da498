"""The consumer: outside of the project, with a session that its broker should keep for it, and its own account."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from faults.accounting import Received
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

if TYPE_CHECKING:
    from collections.abc import Callable


class Ear:
    """Hears ``edge/v1/#`` at QoS 1. Comes back by itself when the broker does."""

    def __init__(self, port: int) -> None:
        self.received = Received()
        self._ready = threading.Event()
        keep = Properties(PacketTypes.CONNECT)
        keep.SessionExpiryInterval = 0xFFFFFFFF
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="ear", protocol=MQTTProtocolVersion.MQTTv5)
        self._client.reconnect_delay_set(0.1, 0.2)  # type: ignore[arg-type]
        self._client.on_connect = lambda client, *_: client.subscribe("edge/v1/#", qos=1)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_disconnect = lambda *_: self._ready.clear()
        self._client.on_message = self._hear
        self._client.connect("127.0.0.1", port, clean_start=False, properties=keep)
        self._client.loop_start()
        assert self._ready.wait(10)

    def wait_ready(self, timeout_s: float = 20.0) -> None:
        """Until subscribed."""
        assert self._ready.wait(timeout_s)

    def wait_for(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Whether ``condition`` came to hold."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    def wait_until_quiet(self, complete: Callable[[], bool], quiet_s: float = 2.0) -> None:
        """Until ``complete``, or nothing more came for ``quiet_s``."""
        heard = -1
        while heard != self.received.messages:
            heard = self.received.messages
            if self.wait_for(complete, quiet_s):
                return

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _hear(self, client: Client, data: Any, message: Any) -> None:
        try:
            self.received.feed(message.topic, message.payload)
        except Exception as error:  # what cannot be understood is a finding of the yard's, not its end
            self.received.violations.append(f"not understood on {message.topic}: {error!r}")
