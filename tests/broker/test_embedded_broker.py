"""The embedded broker: either kind starts, serves our sink, and leaves nothing behind."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from brokers import MOSQUITTO, wait_until
from sample_messages import OFFLINE, STATE, outgoing

from edge.broker.embedded_broker import start_broker
from edge.config.settings import SinkSettings
from edge.contracts.errors import DeviceError
from edge.contracts.ports import SinkIdentity
from edge.contracts.topics import Topics
from edge.sinks.mqtt.sink import MqttSink

if TYPE_CHECKING:
    from pathlib import Path

KINDS = [
    pytest.param("mosquitto", marks=[pytest.mark.broker, pytest.mark.skipif(MOSQUITTO is None, reason="no mosquitto")]),
    pytest.param(
        "iotcore", marks=pytest.mark.skipif(importlib.util.find_spec("iotcore") is None, reason="no iotcore here")
    ),
]


def search_path(kind: str, folder: Path) -> str | None:
    return str(folder) if kind == "iotcore" else None


@pytest.mark.parametrize("kind", KINDS)
def test_our_sink_is_served_and_state_retained(kind: str, tmp_path: Path) -> None:
    with start_broker(search_path(kind, tmp_path)) as broker:
        assert broker.name == kind
        identity = SinkIdentity(Topics("site", "cart"), "run", b"{}")
        sink = MqttSink(SinkSettings(uri=broker.uri), identity)
        sink.open()
        wait_until(lambda: sink.session)
        assert sink.send(STATE)
        assert all(sink.send(outgoing(seq)) for seq in range(1, 11))
        acked: list[int] = []
        wait_until(lambda: len(acked.extend(sink.acked()) or acked) == 10)
        assert sorted(acked) == list(range(1, 11))
        wait_until(lambda: sink._state_subscribed)  # our own state came back, retained
        sink.send(OFFLINE)
        sink.close(2)
    broker.stop()


PROGRAM = """
import sys, time
from edge.broker.embedded_broker import start_broker
broker = start_broker(sys.argv[1] or None)
print(broker.port, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("kind", KINDS)
def test_it_ends_with_whoever_started_it(kind: str, tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, search_path(kind, tmp_path) or ""], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    port = int(parent.stdout.readline())
    assert listening(port)
    parent.kill()
    parent.communicate()
    wait_until(lambda: not listening(port))


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_broker_that_does_not_start_is_a_clear_error(tmp_path: Path) -> None:
    fake = tmp_path / "mosquitto"
    fake.write_text("#!/bin/sh\necho 'Error: no such thing' >&2\nexit 1\n")
    fake.chmod(0o755)
    with pytest.raises(DeviceError, match="mosquitto broker does not start: Error: no such thing") as error:
        start_broker(str(tmp_path))
    assert "--sink" in error.value.hint


def test_without_any_broker_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DeviceError, match="neither mosquitto nor iotcore") as error:
        start_broker(str(tmp_path))
    assert "[demo]" in error.value.hint
