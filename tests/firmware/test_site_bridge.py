"""The bridge that ships: mosquitto takes it, and it carries what it should to a fleet's broker, and nothing else."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from brokers import MOSQUITTO, free_port, make_certificates, wait_until
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

FOLDER = Path(__file__).parents[2] / "firmware_configs" / "mosquitto"

pytestmark = pytest.mark.broker


def adapted(tmp_path, local_port, fleet_port, ca):
    """The files as they ship, with what is marked CHANGE changed, and paths into ``tmp_path``."""
    text = (FOLDER / "site-bridge.conf").read_text()
    for old, new in {
        "listener 1883 0.0.0.0": f"listener {local_port} 127.0.0.1",
        "address fleet.example.org:8883": f"address localhost:{fleet_port}",
        "/etc/mosquitto/sonoedge-passwords": str(tmp_path / "passwords"),
        "/etc/mosquitto/site-bridge.acl": str(tmp_path / "acl"),
        "persistence_location /var/lib/mosquitto/": f"persistence_location {tmp_path}/",
        "/etc/mosquitto/certs/fleet-ca.pem": str(ca),
        "remote_password CHANGE-ME": "remote_password fleet-secret",
        "restart_timeout 2 60": "restart_timeout 1",
    }.items():
        assert old in text, old
        text = text.replace(old, new)
    (tmp_path / "acl").write_text((FOLDER / "site-bridge.acl").read_text())
    (tmp_path / "passwords").write_text("cart-1:one\ncart-2:two\n")
    subprocess.run(["mosquitto_passwd", "-U", tmp_path / "passwords"], check=True, capture_output=True)
    (tmp_path / "bridge.conf").write_text(f"user root\n{text}")
    return tmp_path / "bridge.conf"


class Party:
    """A client that hears what comes."""

    def __init__(self, port, name, password, *topics, ca=None):
        self.heard = []
        self.client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self.client.username_pw_set(name, password)
        if ca:
            self.client.tls_set(str(ca))
        subscribed = []
        self.client.on_message = lambda _c, _d, m: self.heard.append((m.topic, m.payload, m.retain))
        self.client.on_connect = lambda c, *_: c.subscribe([(t, 1) for t in topics])
        self.client.on_subscribe = lambda *_: subscribed.append(True)
        self.client.connect("localhost", port)
        self.client.loop_start()
        wait_until(lambda: subscribed)

    def say(self, topic, body=b"x", qos=1, retain=False):
        self.client.publish(topic, body, qos=qos, retain=retain).wait_for_publish(10)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def site(mosquitto, tmp_path):
    """A fleet's broker with TLS and accounts, the site's bridge to it, and someone at each end."""
    certificates = make_certificates(tmp_path / "certificates")
    fleet = mosquitto(users={"lab": "fleet-secret", "watcher": "w"}, tls=certificates)
    port = free_port()
    config = adapted(tmp_path, port, fleet.port, certificates.ca)
    with (tmp_path / "bridge.log").open("wb") as log:
        bridge = subprocess.Popen([MOSQUITTO, "-c", config], stdout=log, stderr=log)
    parties = []

    def party(*args, **options):
        parties.append(Party(*args, **options))
        return parties[-1]

    try:
        watcher = party(fleet.port, "watcher", "w", "edge/v1/#", ca=certificates.ca)
        wait_until(lambda: ("edge/v1/lab/bridge", b"1") in [h[:2] for h in watcher.heard], 20)
        yield SimpleNamespace(watcher=watcher, party=party, port=port, log=tmp_path / "bridge.log")
    finally:
        for one in parties:
            one.close()
        bridge.kill()
        bridge.wait()


def test_findings_go_out_requests_come_in_and_no_cart_speaks_for_another(site):
    cart = site.party(site.port, "cart-1", "one", "edge/v1/lab/cart-1/request/#")
    other = site.party(site.port, "cart-2", "two", "edge/v1/lab/#")
    told = ["state", "findings/a", "coverage/a", "labels/a", "response/ping", "health", "results/a"]
    for name in told:
        cart.say(f"edge/v1/lab/cart-1/{name}", name.encode(), retain=name == "state")
    cart.say("edge/v1/lab/cart-2/findings/a", b"forged")
    cart.say("edge/v1/lab/cart-1/private", b"inside")
    cart.say("edge/v1/lab/cart-1/findings/b", b"last")
    wait_until(lambda: ("edge/v1/lab/cart-1/findings/b", b"last") in [h[:2] for h in site.watcher.heard])
    at_the_fleet = [topic.removeprefix("edge/v1/lab/") for topic, _, _ in site.watcher.heard]
    assert set(at_the_fleet) == {"bridge", *(f"cart-1/{name}" for name in [*told, "findings/b"])}
    site.watcher.say("edge/v1/lab/cart-1/request/ping", b"are you there")
    wait_until(lambda: [h[:2] for h in cart.heard] == [("edge/v1/lab/cart-1/request/ping", b"are you there")])
    assert other.heard == []


def test_no_one_without_an_account_gets_in(site):
    refused = []
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.on_connect = lambda _c, _d, _f, code, _p: refused.append(code.is_failure)
    client.connect("localhost", site.port)
    client.loop_start()
    wait_until(lambda: refused)
    client.disconnect()
    client.loop_stop()
    assert refused[0] is True


def test_every_line_that_must_be_changed_says_so():
    text = (FOLDER / "site-bridge.conf").read_text()
    for setting in ("address", "remote_username", "bridge_cafile", "listener"):
        before = text[: re.search(rf"^{setting} ", text, re.MULTILINE).start()].splitlines()[-2:]
        assert any("CHANGE" in line for line in before), setting
