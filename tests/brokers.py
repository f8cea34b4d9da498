"""Mosquitto broker for tests, on a free loopback port, and a subscriber that is no part of what is tested.

Use the fixtures ``broker`` (one that runs) and ``mosquitto`` (makes others), and mark the test ``broker``.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    """Return a TCP port of the loopback address that is free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], Any], timeout_s: float = 10.0) -> Any:
    """Wait for the first true value of ``condition`` and return it; fails the test if there is none in time."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError("what the test waits for did not happen in time")
        time.sleep(0.02)


@dataclass(frozen=True)
class Certificates:
    """PEM files of a certificate authority made for one test, of a server ``localhost`` and of a client."""

    ca: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path


def make_certificates(folder: Path) -> Certificates:
    """Make an authority, and certificates for a server and a client, with openssl."""
    folder.mkdir(parents=True, exist_ok=True)

    def openssl(*args: str) -> None:
        subprocess.run(["openssl", *args], check=True, cwd=folder, capture_output=True)

    openssl(
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", "/CN=test authority", "-keyout", "ca.key", "-out", "ca.pem",
    )  # fmt: skip
    (folder / "server.ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    (folder / "client.ext").write_text("extendedKeyUsage=clientAuth\n")
    for name, subject in (("server", "/CN=localhost"), ("client", "/CN=device")):
        openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", subject,
            "-keyout", f"{name}.key", "-out", f"{name}.csr",
        )  # fmt: skip
        openssl(
            "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.pem",
        )  # fmt: skip
    return Certificates(*(folder / n for n in ("ca.pem", "server.pem", "server.key", "client.pem", "client.key")))


class Mosquitto:
    """Mosquitto process of a test; keeps its port and its store over `kill` and `start`."""

    def __init__(
        self,
        folder: Path,
        *,
        users: dict[str, str] | None = None,
        acl: str | None = None,
        tls: Certificates | None = None,
        client_certificates: bool = False,
        persistence: bool = False,
        lines: str = "",
    ) -> None:
        """``users``: name to password, and nobody else. ``acl``: text of an ACL file. ``lines``: more config."""
        assert MOSQUITTO is not None
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.uri = f"{'mqtts://localhost' if tls else 'mqtt://127.0.0.1'}:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        self._config = folder / "mosquitto.conf"
        config = [
            f"listener {self.port} 127.0.0.1",
            f"allow_anonymous {'false' if users else 'true'}",
            f"persistence {'true' if persistence else 'false'}",
            f"persistence_location {folder}/",
            "user root",
            "set_tcp_nodelay true",
        ]
        if users:
            (folder / "passwords").write_text("".join(f"{name}:{password}\n" for name, password in users.items()))
            subprocess.run(["mosquitto_passwd", "-U", folder / "passwords"], check=True, capture_output=True)
            config.append(f"password_file {folder / 'passwords'}")
        if acl is not None:
            (folder / "acl").write_text(acl)
            config.append(f"acl_file {folder / 'acl'}")
        if tls:
            config += [f"cafile {tls.ca}", f"certfile {tls.server}", f"keyfile {tls.server_key}"]
            config.append(f"require_certificate {'true' if client_certificates else 'false'}")
        self._config.write_text("\n".join([*config, lines, ""]))

    def start(self) -> Mosquitto:
        """Start the broker, and return when it accepts connections."""
        assert MOSQUITTO is not None
        with (self._config.parent / "mosquitto.log").open("ab") as output:
            self._process = subprocess.Popen([MOSQUITTO, "-c", self._config], stdout=output, stderr=output)
        wait_until(self._answers)
        return self

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._config.parent / "mosquitto.log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        """Kill the broker with SIGKILL, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """Stop the broker in order, with SIGTERM."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(5)
            self._process = None

    @property
    def pid(self) -> int:
        """Process ID of the broker, which runs."""
        assert self._process is not None
        return self._process.pid


@dataclass(frozen=True)
class Heard:
    """Message as the subscriber received it."""

    topic: str
    body: bytes
    retain: bool
    qos: int

    @property
    def json(self) -> Any:
        """Body of the message, decoded from JSON."""
        return json.loads(self.body)


class Subscriber:
    """MQTT subscriber that collects what comes on ``topic`` in ``heard``; connects again when the broker returns."""

    def __init__(self, port: int, topic: str = "edge/v1/#", *, username: str | None = None, password: str = "") -> None:
        self.heard: list[Heard] = []
        self._ready = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.reconnect_delay_set(0.1, 0.5)  # type: ignore[arg-type]
        if username is not None:
            self._client.username_pw_set(username, password)
        self._client.on_connect = lambda client, *_: client.subscribe(topic, qos=1)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = lambda _client, _data, m: self.heard.append(
            Heard(m.topic, m.payload, m.retain, m.qos)
        )
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._ready.wait(10)

    def on(self, ending: str) -> list[Heard]:
        """Messages received on topics that end in ``ending``, in order."""
        return [heard for heard in list(self.heard) if heard.topic.endswith(ending)]

    def publish(self, topic: str, body: bytes, retain: bool = False) -> None:
        """Publish a message with QoS 1 and wait for its acknowledgement."""
        self._client.publish(topic, body, qos=1, retain=retain).wait_for_publish(5)

    def wait_ready(self) -> None:
        """Wait until subscribed again, after `expect_loss`."""
        assert self._ready.wait(10)

    def expect_loss(self) -> None:
        """Note that the broker is about to go, so that `wait_ready` waits for the next subscription."""
        self._ready.clear()

    def close(self) -> None:
        """Disconnect the subscriber from the broker."""
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Callable[..., Mosquitto]]:
    """Makes and starts brokers, which end with the test: ``mosquitto(users={"a": "b"})``."""
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed: apt install mosquitto")
    started: list[Mosquitto] = []

    def make(**options: Any) -> Mosquitto:
        started.append(Mosquitto(tmp_path / f"broker-{len(started)}", **options).start())
        return started[-1]

    yield make
    for one in started:
        one.kill()


@pytest.fixture
def broker(mosquitto: Callable[..., Mosquitto]) -> Mosquitto:
    """A running broker that accepts every client."""
    return mosquitto()


@pytest.fixture
def subscriber(broker: Mosquitto) -> Iterator[Subscriber]:
    """A subscriber to everything on ``broker``."""
    one = Subscriber(broker.port)
    yield one
    one.close()
