"""Checks of brokers and files that receive messages, and of those that do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from brokers import make_certificates, wait_until

from edge.config.settings import Settings, SinkSettings
from edge.doctor.sinks import check_sinks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from brokers import Mosquitto, Subscriber

    from edge.doctor.check import Check


def receivers(*uris: str, **sink: Any) -> list[Check]:
    sinks = [SinkSettings(uri=uri, **sink) for uri in uris]
    return list(check_sinks(Settings(site="lab", device="cart", sinks=sinks)))


@pytest.mark.broker
def test_a_broker_acknowledges_one_message(broker: Mosquitto, subscriber: Subscriber) -> None:
    (check,) = receivers(broker.uri)
    assert check.mark == "ok", check
    assert "not encrypted, MQTT 5" in check.text
    wait_until(lambda: [heard.topic for heard in subscriber.heard] == ["edge/v1/lab/cart/check"])
    (older,) = receivers(broker.uri, protocol="3.1.1")
    assert (older.mark, "3.1.1" in older.text) == ("warning", True)


# paho leaves the socket of a failed handshake to the garbage collector
@pytest.mark.broker
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_broker_over_tls_and_one_that_does_not_let_us(mosquitto: Callable[..., Mosquitto], tmp_path: Path) -> None:
    pems = make_certificates(tmp_path / "pems")
    encrypted = mosquitto(tls=pems)
    (check,) = receivers(encrypted.uri, ca_file=str(pems.ca))
    assert (check.mark, "over TLS" in check.text) == ("ok", True)
    (check,) = receivers(encrypted.uri)
    assert (check.mark, check.exit_code) == ("wrong", 6)
    strict = mosquitto(acl="topic write edge/v1/lab/other/#\n")
    (check,) = receivers(strict.uri)
    assert (check.mark, check.exit_code) == ("wrong", 6)
    assert "does not let us publish" in check.text


def test_other_receivers(tmp_path: Path) -> None:
    assert [check.mark for check in receivers()] == ["absent"]
    assert [check.mark for check in receivers(f"jsonl://{tmp_path}/out.jsonl")] == ["ok"]
    assert list(tmp_path.iterdir()) == []
    (folder,) = receivers(f"jsonl://{tmp_path}")
    (nowhere,) = receivers(f"jsonl://{tmp_path}/none/out.jsonl")
    (nobody,) = receivers("mqtt://127.0.0.1:1")
    (unknown,) = receivers("nonesuch://")
    assert [check.exit_code for check in (folder, nowhere, nobody, unknown)] == [6, 6, 6, 3]
