"""MQTT subscriber of the demo: knows nothing of the daemon but its topics, as anybody on the network."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edge.contracts.coverage import Coverage
from edge.contracts.decoding import UnreadableError, decode_json
from edge.contracts.errors import SinkError
from edge.contracts.finding import Finding
from edge.contracts.health import Health
from edge.contracts.latest_result import LatestResult
from edge.contracts.state import State, Will

if TYPE_CHECKING:
    from collections.abc import Callable

Message = State | Will | Finding | Coverage | Health | LatestResult
CONNECT_S = 10.0
BODY_LIMIT = 1 << 20
"""Bytes of a message that are looked at."""


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """One received message with topic and time, as it arrived."""

    number: int
    """Order of arrival, from 1."""
    at_s: float
    """Since the subscriber was connected."""
    device: str
    suffix: str
    """Topic below the device's prefix: ``findings/phantom-1``."""
    retained: bool
    message: Message


class DemoSubscriber:
    """MQTT subscriber that collects everything below ``edge/v1/{site}/``, in order of arrival.

    Raises `SinkError` if the broker is not there, or speaks neither MQTT 3.1.1 nor 5.
    """

    def __init__(self, host: str, port: int, site: str) -> None:
        self._prefix = f"edge/v1/{site}/"
        self._changed = threading.Condition()
        self._all: list[ReceivedMessage] = []
        self.invalid_topics: list[str] = []
        """Topics whose messages do not keep to the contract."""
        self._began = time.monotonic()
        for protocol in (MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5):
            if self._subscribe(host, port, protocol):
                return
        raise SinkError("the demo's own broker takes no subscription", hint="try again, or install mosquitto")

    def _subscribe(self, host: str, port: int, protocol: MQTTProtocolVersion) -> bool:
        """Whether the broker speaks ``protocol`` and we are subscribed."""
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="sonoedge-demo-listener", protocol=protocol)
        settled = threading.Event()
        subscribed = threading.Event()

        def on_subscribe(*_: object) -> None:
            subscribed.set()
            settled.set()

        client.on_connect = lambda client, *_: client.subscribe(f"{self._prefix}#", qos=1)
        client.on_subscribe = on_subscribe
        client.on_disconnect = lambda *_: settled.set()  # some brokers hang up on a version that they do not speak
        client.on_message = self._on_message
        self._client = client
        try:
            client.connect(host, port, keepalive=30)
        except OSError as error:
            raise SinkError(
                f"the demo's own broker does not answer: {error}", hint="is a firewall in the way?"
            ) from None
        client.loop_start()
        settled.wait(CONNECT_S)
        if not subscribed.is_set():
            self.close()
        return subscribed.is_set()

    def received(self) -> list[ReceivedMessage]:
        """All messages received so far, in order of arrival."""
        with self._changed:
            return list(self._all)

    def wait_for(self, wanted: Callable[[ReceivedMessage], bool], timeout_s: float) -> bool:
        """Wait for a message that ``wanted`` accepts; whether it came within ``timeout_s``."""
        with self._changed:
            return self._changed.wait_for(lambda: any(wanted(each) for each in self._all), timeout_s)

    def close(self) -> None:
        """Disconnect from the broker. May be called twice."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, client: mqtt.Client, userdata: object, packet: mqtt.MQTTMessage) -> None:
        try:
            topic = packet.topic  # paho decodes it here
        except UnicodeDecodeError as error:
            topic = str(error.object, "utf-8", "replace")
        device, _, suffix = topic.removeprefix(self._prefix).partition("/")
        try:
            message = decode(bytes(packet.payload))
        except UnreadableError:
            with self._changed:
                self.invalid_topics.append(topic)
            return
        with self._changed:
            at_s = time.monotonic() - self._began
            self._all.append(ReceivedMessage(len(self._all) + 1, at_s, device, suffix, packet.retain, message))
            self._changed.notify_all()


def decode(body: bytes) -> Message:
    """Decode a message by its ``schema``. Raises `UnreadableError` for what is no message of ours."""
    head: dict[str, Any] = decode_json(body, dict[str, Any], limit=BODY_LIMIT)
    kinds: dict[str, type[Message]] = {
        "state/1": State if "boot_id" in head else Will,
        "finding/1": Finding,
        "coverage/1": Coverage,
        "health/1": Health,
        "result/1": LatestResult,
    }
    schema = head.get("schema")
    if not isinstance(schema, str) or schema not in kinds:
        raise UnreadableError(f"no schema of ours: {schema!r}")
    return decode_json(body, kinds[schema])
