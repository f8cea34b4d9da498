"""Asked by the command line: each way not to reach a broker has its own two lines."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest
from brokers import make_certificates, wait_until

from edge.config.settings import SinkSettings
from edge.contracts.errors import SinkError
from edge.sinks.mqtt.check import check_broker
from edge.sinks.mqtt.inflight import QueuedMessage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from brokers import Mosquitto, Subscriber


def complaint(uri: str, timeout_s: float = 5.0, **settings: Any) -> tuple[str, str]:
    with pytest.raises(SinkError) as error:
        check_broker(SinkSettings(uri=uri, **settings), timeout_s)
    assert error.value.exit_code == 6
    return error.value.message, error.value.hint


def test_nobody_there_and_no_such_host() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert complaint(f"mqtt://127.0.0.1:{port}")[0].startswith(f"mqtt://127.0.0.1:{port}: nobody answers there (")
    assert complaint("mqtt://no-such-host.invalid")[0] == "mqtt://no-such-host.invalid:1883: no such host"


def test_a_server_that_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        message, hint = complaint(f"mqtt://127.0.0.1:{server.getsockname()[1]}", timeout_s=0.3)
    assert "does not answer" in message
    assert "MQTT broker" in hint


def test_a_server_that_hangs_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            try:
                while True:
                    server.accept()[0].close()
            except OSError:
                pass

        threading.Thread(target=hang_up, daemon=True).start()
        message, _ = complaint(f"mqtt://127.0.0.1:{server.getsockname()[1]}")
        server.shutdown(socket.SHUT_RDWR)
    assert "closes the connection" in message


@pytest.mark.broker
def test_a_broker_that_lets_us_in_and_keeps_nothing_of_it(broker: Mosquitto) -> None:
    check_broker(SinkSettings(uri=broker.uri))
    check_broker(SinkSettings(uri=broker.uri, protocol="3.1.1"))


@pytest.mark.broker
@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_bad_credentials(mosquitto: Callable[..., Mosquitto], protocol: str) -> None:
    broker = mosquitto(users={"cart": "secret"})
    check_broker(SinkSettings(uri=f"mqtt://cart:secret@127.0.0.1:{broker.port}", protocol=protocol))  # type: ignore[arg-type]
    message, hint = complaint(f"mqtt://cart:guess@127.0.0.1:{broker.port}", protocol=protocol)
    assert "refuses our name or password" in message or "does not let us in" in message
    assert "password_file" in hint
    assert "guess" not in message + hint


@pytest.mark.broker
def test_a_message_is_acknowledged_and_arrives(broker: Mosquitto, subscriber: Subscriber) -> None:
    for number, protocol in enumerate(("5", "3.1.1"), 1):
        message = QueuedMessage("edge/v1/lab/cart/check", b'{"n":%d}' % number, qos=1, retain=False)
        spoken = check_broker(SinkSettings(uri=broker.uri, protocol=protocol), publish=message)  # type: ignore[arg-type]
        assert spoken == protocol
        wait_until(lambda n=number: [heard.json["n"] for heard in subscriber.on("cart/check")] == list(range(1, n + 1)))


@pytest.mark.broker
def test_a_topic_that_we_may_not_publish_on(mosquitto: Callable[..., Mosquitto]) -> None:
    broker = mosquitto(acl="topic read #\ntopic write edge/v1/lab/other/#\n")
    message = QueuedMessage("edge/v1/lab/cart/check", b"{}", qos=1, retain=False)
    with pytest.raises(SinkError) as error:
        check_broker(SinkSettings(uri=broker.uri), publish=message)
    assert "does not let us publish on edge/v1/lab/cart/check (code 0x87)" in error.value.message
    assert "access list" in error.value.hint


# paho leaves the socket of a failed handshake to the garbage collector
@pytest.mark.broker
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_tls(mosquitto: Callable[..., Mosquitto], tmp_path: Path) -> None:
    pems = make_certificates(tmp_path / "pems")
    broker = mosquitto(tls=pems)
    check_broker(SinkSettings(uri=broker.uri, ca_file=str(pems.ca)))
    message, hint = complaint(broker.uri)
    assert "no trust in TLS (" in message
    assert "issuer" in message or "self-signed" in message or "self signed" in message
    assert "ca_file" in hint
    message, hint = complaint(f"mqtt://localhost:{broker.port}")  # unencrypted, where TLS is wanted
    assert "mqtts://" in hint
