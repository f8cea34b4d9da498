"""TLS that cannot be trusted, against a real broker: one clear line for a person, a problem for the daemon.

When what was wrong is mended, the same sink connects by itself.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from brokers import make_certificates, wait_until
from sample_messages import outgoing

from edge.config.settings import SinkSettings
from edge.contracts.errors import SinkError
from edge.sinks.mqtt.check import check_broker

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from brokers import Certificates, Mosquitto

    from edge.sinks.mqtt.sink import MqttSink

# paho leaves the socket of a failed handshake to the garbage collector
pytestmark = [pytest.mark.broker, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]


def sign(pems: Certificates, name: str, names: str, days: str) -> Path:
    """Another certificate for the server's key."""
    folder = pems.ca.parent
    (folder / f"{name}.ext").write_text(f"subjectAltName={names}\n")
    subprocess.run(
        ["openssl", "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
         "-days", days, "-extfile", f"{name}.ext", "-out", f"{name}.pem"],
        check=True, cwd=folder, capture_output=True,
    )  # fmt: skip
    return folder / f"{name}.pem"


def complaint(uri: str, **settings: Any) -> tuple[str, str]:
    with pytest.raises(SinkError) as error:
        check_broker(SinkSettings(uri=uri, **settings))
    assert error.value.exit_code == 6
    assert "\n" not in error.value.message
    return error.value.message, error.value.hint


@pytest.fixture
def pems(tmp_path: Path) -> Certificates:
    return make_certificates(tmp_path / "pems")


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ("authority", "self-signed|self signed|issuer|verify"),
        ("expired", "expired"),
        ("host", "mismatch|not valid for"),
    ],
)
def test_a_broker_that_cannot_be_trusted_gets_nothing_until_it_can(
    mosquitto: Callable[..., Mosquitto],
    make: Callable[..., MqttSink],
    pems: Certificates,
    tmp_path: Path,
    wrong: str,
    word: str,
) -> None:
    served, ca = tmp_path / "served.pem", tmp_path / "trusted.pem"
    shutil.copy(pems.server, served)
    shutil.copy(pems.ca, ca)
    if wrong == "authority":
        shutil.copy(make_certificates(tmp_path / "others").ca, ca)
    elif wrong == "expired":
        shutil.copy(sign(pems, "expired", "DNS:localhost", "-1"), served)
    else:
        shutil.copy(sign(pems, "host", "DNS:another.example", "2"), served)
    broker = mosquitto(tls=replace(pems, server=served))
    message, hint = complaint(broker.uri, ca_file=str(ca))
    assert message.startswith(f"{broker.uri}: no trust in TLS (")
    assert any(part in message for part in word.split("|"))
    assert "ca_file" in hint
    sink = make(broker.uri, wait=False, ca_file=str(ca))
    wait_until(lambda: sink.problems() == ["tls_failed"])
    assert not sink.send(outgoing(1))
    if wrong == "authority":
        return  # the trusted file is read when the daemon starts
    shutil.copy(pems.server, served)
    broker.kill()
    broker.start()
    wait_until(lambda: sink.session, 30)
    assert sink.problems() == []


@pytest.mark.parametrize("protocol", ["5", "3.1.1", "auto"])
def test_a_broker_that_wants_our_certificate_says_so(
    mosquitto: Callable[..., Mosquitto],
    make: Callable[..., MqttSink],
    pems: Certificates,
    tmp_path: Path,
    protocol: Any,
) -> None:
    broker = mosquitto(tls=pems, client_certificates=True)
    settings = {"ca_file": str(pems.ca), "protocol": protocol}
    message, hint = complaint(broker.uri, **settings)
    assert "cert_file" in hint, message
    sink = make(broker.uri, wait=False, **settings)
    wait_until(lambda: sink.problems())
    assert not sink.send(outgoing(1))
    others = make_certificates(tmp_path / "others")
    not_theirs = {"cert_file": str(others.client), "key_file": str(others.client_key)}
    assert "cert_file" in complaint(broker.uri, **settings, **not_theirs)[1]
    ours = {"cert_file": str(pems.client), "key_file": str(pems.client_key)}
    check_broker(SinkSettings(uri=broker.uri, **settings, **ours))
