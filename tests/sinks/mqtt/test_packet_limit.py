"""Messages to the device that are too large: the broker is told not to send them, and none is held in memory."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest
from brokers import Subscriber, wait_until
from sample_messages import make_message

from edge.config.settings import RequestSettings, SinkSettings
from edge.process.log_limit import LogLimiter
from edge.process.usage import peak_mb
from edge.sinks.mqtt import bounded_client
from edge.sinks.mqtt.bounded_client import MAXIMUM_PACKET, BoundedClient

if TYPE_CHECKING:
    from collections.abc import Callable

    from brokers import Mosquitto
    from publisher_harness import PublisherChild

    from edge.sinks.mqtt.sink import MqttSink

pytestmark = pytest.mark.broker

LARGE = 48 << 20
ASK = "edge/v1/site/cart/request/ping"
ALL = RequestSettings(enabled=True, commands=("ping",))


@pytest.mark.slow
@pytest.mark.parametrize("retain", [False, True])
@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_huge_request_costs_no_memory_and_findings_go_on(
    broker: Mosquitto, make_publisher_process: Callable[..., PublisherChild], protocol: str, retain: bool
) -> None:
    subscriber = Subscriber(broker.port, "edge/v1/site/cart/+/#")
    if retain:
        subscriber.publish(ASK, bytes(LARGE), retain=True)
        subscriber.heard.clear()
    one = make_publisher_process(SinkSettings(uri=broker.uri, protocol=protocol), requests=ALL)
    try:
        one.frame_link.durable("coverage/cart-1", make_message())
        wait_until(lambda: subscriber.on("coverage/cart-1"))
        before = peak_mb(one.child.pid)
        if not retain:
            subscriber.publish(ASK, bytes(LARGE))
        one.frame_link.durable("coverage/cart-1", make_message())
        wait_until(lambda: len(subscriber.on("coverage/cart-1")) == 2)
        subscriber.publish(ASK, b'{"id":"small"}')
        wait_until(lambda: any(heard.json["id"] == "small" for heard in subscriber.on("response/ping")))
        assert before is not None
        assert (peak_mb(one.child.pid) or 0) < before + 10
        words = [heard.json["error"] for heard in subscriber.on("response/ping") if heard.json["id"] == ""]
        # MQTT 5: the broker does not send it. Retained ones are not heeded.
        assert words == ([] if protocol == "5" or retain else ["too_large"])
    finally:
        subscriber.close()


class RudeBroker:
    """Broker of MQTT 5 that heeds no Maximum Packet Size; it sends one large and one small message of QoS 1."""

    def __init__(self, large: int) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._large = large
        self.connect = b""
        self.acknowledged = b""
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._server.accept()
        with connection:
            self.connect = connection.recv(4096)
            connection.sendall(bytes([0x20, 3, 0, 0, 0]))
            connection.sendall(_publish(1, self._large) + _publish(2, 5))
            while data := connection.recv(4096):
                self.acknowledged += data

    def close(self) -> None:
        self._server.close()


def _publish(mid: int, size: int) -> bytes:
    topic = ASK.encode()
    body = len(topic).to_bytes(2, "big") + topic + mid.to_bytes(2, "big") + b"\0" + b"x" * size
    length, head = len(body), b"\x32"
    while True:
        length, low = divmod(length, 128)
        head += bytes([low | (0x80 if length else 0)])
        if not length:
            return head + body


@pytest.mark.parametrize("size", [MAXIMUM_PACKET, 3 * MAXIMUM_PACKET, LARGE])
def test_what_a_broker_sends_all_the_same_is_cut_and_the_connection_goes_on(
    make: Callable[..., MqttSink], size: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundedClient, "limited_log", LogLimiter(bounded_client.log))  # which has not said it yet
    broker = RudeBroker(size)
    sink = make(f"mqtt://127.0.0.1:{broker.port}", protocol="5")
    heard = []
    wait_until(lambda: len(heard.extend(sink.heard()) or heard) == 2)
    assert [len(incoming.body) for incoming in heard] == [min(size, MAXIMUM_PACKET + 1), 5]
    assert b"\x27\x00\x01\x00\x00" in broker.connect  # Maximum Packet Size: 65536
    wait_until(lambda: broker.acknowledged.count(b"\x40") == 2)  # PUBACK
    if size != 3 * MAXIMUM_PACKET:  # of that size it depends on how many bytes come at once
        assert ("it is cut" in caplog.text) == (size == LARGE)
    broker.close()
