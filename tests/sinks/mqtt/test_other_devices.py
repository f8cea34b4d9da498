"""Two devices of one identity, access lists that forbid, a broker that is merely away: each is called what it is."""

from __future__ import annotations

import logging
import socket
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from brokers import Subscriber, wait_until
from sample_messages import outgoing

from edge.config.settings import SinkSettings
from edge.contracts.ports import Outgoing, SinkIdentity
from edge.contracts.topics import Topics
from edge.sinks.mqtt.sink import MqttSink
from edge.sinks.mqtt.state_watch import Speaker, StateWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from brokers import Mosquitto


def state(run_id: str, mono_ns: int, boot_id: str = "boot", at: str = "2026-01-01", status: str = "online") -> bytes:
    """Body of a ``state`` message, as far as it matters here."""
    return f'{{"run_id":"{run_id}","status":"{status}","boot_id":"{boot_id}","mono_ns":{mono_ns},"at":"{at}"}}'.encode()


def will(run_id: str, connection: int = 1) -> bytes:
    """Body of a last will: it has no time."""
    return f'{{"run_id":"{run_id}","status":"offline","connection":{connection}}}'.encode()


class Device:
    """A sink that says its state on each new connection, as the publisher does, and sends messages."""

    def __init__(self, uri: str, run_id: str, **settings: Any) -> None:
        self.sink = MqttSink(
            SinkSettings(uri=uri, **settings), SinkIdentity(Topics("site", "cart"), run_id, will(run_id))
        )
        self.connections = 0
        self._run_id = run_id
        self.sink.open()

    def turn(self) -> None:
        """One turn of the publisher's loop, as far as the connection is concerned."""
        session = self.sink.session
        if session in (0, self.connections):
            return
        if self.sink.send(Outgoing("state", state(self._run_id, time.monotonic_ns()), None, 1, True)):
            self.connections = session

    def problems(self) -> set[str]:
        """Problem words of the sink, after one turn."""
        self.turn()
        return set(self.sink.problems())


@pytest.fixture
def device() -> Iterator[Callable[..., Device]]:
    """Makes devices of one identity, each with a run of its own; they end with the test."""
    made: list[Device] = []

    def make(uri: str, run_id: str, **settings: Any) -> Device:
        made.append(Device(uri, run_id, **settings))
        return made[-1]

    yield make
    for one in made:
        one.sink.close(0.2)
        one.sink._reconnector.join(10)


@pytest.mark.broker
@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_both_of_two_devices_learn_of_each_other_and_stop_fighting(
    broker: Mosquitto, device: Callable[..., Device], protocol: str, caplog: pytest.LogCaptureFixture
) -> None:
    first = device(broker.uri, "run-a", protocol=protocol)
    wait_until(lambda: first.turn() or first.connections)
    second = device(broker.uri, "run-b", protocol=protocol)
    both = (first, second)
    wait_until(lambda: {"session_taken_over"} <= first.problems() & second.problems(), 30)
    wait_until(lambda: [one.turn() for one in both] and sum(bool(one.sink.session) for one in both) == 1, 30)
    assert "connection_unstable" not in first.problems() | second.problems()
    assert {first.connections, second.connections} <= set(range(5))  # the one that was lost waits for long
    assert "another device has our identity site/cart" in caplog.text


@pytest.mark.broker
@pytest.mark.slow
def test_a_broker_that_restarts_often_is_no_other_device(
    mosquitto: Callable[..., Mosquitto], device: Callable[..., Device], caplog: pytest.LogCaptureFixture
) -> None:
    broker = mosquitto()
    one = device(broker.uri, "run-a")
    for session in range(1, 6):
        wait_until(lambda: one.turn() or one.connections == session)  # noqa: B023
        broker.kill()
        wait_until(lambda: "unreachable" in one.problems())
        broker.start()
    wait_until(lambda: one.turn() or one.connections == 6)
    assert one.problems() == set()
    assert "another" not in caplog.text


@pytest.mark.broker
def test_what_an_earlier_run_left_is_no_other_device(
    broker: Mosquitto, subscriber: Subscriber, device: Callable[..., Device]
) -> None:
    subscriber.publish("edge/v1/site/cart/state", state("run-0", 500), retain=True)
    one = device(broker.uri, "run-a")
    wait_until(lambda: one.turn() or one.sink._state_subscribed)
    subscriber.publish("edge/v1/site/cart/state", state("run-0", 600), retain=True)  # as a bridge brings it, late
    wait_until(lambda: one.turn() or len(subscriber.on("/state")) == 4)  # ours is said again
    assert one.problems() == set()


@pytest.mark.broker
def test_another_device_that_has_another_client_identifier_is_noticed_too(
    broker: Mosquitto, device: Callable[..., Device]
) -> None:
    first = device(broker.uri, "run-a")
    wait_until(lambda: first.turn() or first.sink._state_subscribed)
    second = device(f"{broker.uri}?client_id=other", "run-b")
    wait_until(lambda: second.turn() or "session_taken_over" in first.problems())


EARLIER = state("run-0", 10)


def test_who_spoke_on_our_topic() -> None:
    watch = StateWatch("run-a")
    watch.connect(first=True, after_loss=False)
    assert watch.judge(state("run-0", 99, "other boot", at="2030"), retained=True) is Speaker.PAST  # a wrong clock
    watch.publish(state("run-a", 100))
    assert watch.judge(state("run-a", 100), retained=False) is Speaker.OURS
    assert watch.judge(will("run-a"), retained=False) is Speaker.PAST
    assert watch.judge(will("run-0"), retained=False) is Speaker.PAST  # half-open until now
    assert watch.judge(EARLIER, retained=False) is Speaker.PAST
    for body in (b"", b"\xff", b"[]", b"null", b'{"run_id":7}', b"{}", b'{"mono_ns":"x","run_id":"q"}'):
        assert watch.judge(body, retained=False) is Speaker.PAST
        assert watch.judge(body, retained=True) is Speaker.PAST
    assert watch.judge(state("run-b", 101), retained=False) is Speaker.OTHER
    assert watch.judge(state("run-b", 101), retained=False) is Speaker.PAST  # the same again is no news
    assert watch.judge(state("run-b", 102), retained=False) is Speaker.OTHER


def test_what_is_retained_on_a_later_connection_tells_who_was_there_meanwhile() -> None:
    watch = StateWatch("run-a")
    watch.connect(first=True, after_loss=False)
    assert watch.judge(will("run-0"), retained=True) is Speaker.PAST
    watch.publish(state("run-a", 100))
    watch.connect(first=False, after_loss=True)
    assert watch.judge(will("run-a"), retained=True) is Speaker.PAST
    assert watch.judge(will("run-0"), retained=True) is Speaker.PAST  # of an older store
    assert watch.judge(will("run-0", 2), retained=True) is Speaker.OTHER  # it has connected again since
    assert watch.judge(EARLIER, retained=True) is Speaker.PAST
    assert watch.judge(state("run-b", 101), retained=True) is Speaker.OTHER
    assert watch.judge(state("run-c", 1, "another machine", at="2026-01-02"), retained=True) is Speaker.OTHER
    assert watch.judge(will("run-d"), retained=True) is Speaker.OTHER
    watch.connect(first=False, after_loss=False)  # the broker had been away: what store it came back with is not known
    assert watch.judge(will("run-e"), retained=True) is Speaker.PAST


def test_runs_that_were_seen_are_forgotten_at_last() -> None:
    watch = StateWatch("run-a")
    for number in range(1000):
        watch.judge(will(f"run-{number}"), retained=False)
    assert len(watch._known) <= 100


class ForbiddingBroker:
    """A broker whose access list forbids findings: it closes, with ``goodbye`` before, as soon as one is published."""

    def __init__(self, goodbye: bytes, version: str) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.uri = f"mqtt://127.0.0.1:{self._server.getsockname()[1]}"
        self._goodbye, self._five = goodbye, version == "5"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            with client:
                client.recv(4096)
                client.sendall(b"\x20\x03\x00\x00\x00" if self._five else b"\x20\x02\x00\x00")
                while data := client.recv(4096):
                    if b"/findings/" in data:
                        client.sendall(self._goodbye)
                        break

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(10)


@pytest.fixture
def forbidding() -> Iterator[Callable[[bytes, str], ForbiddingBroker]]:
    """Makes such brokers. Asked for before ``device``, so that devices end before them."""
    made: list[ForbiddingBroker] = []

    def make(goodbye: bytes, version: str) -> ForbiddingBroker:
        made.append(ForbiddingBroker(goodbye, version))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize(
    ("goodbye", "version", "word"),
    [(b"", "3.1.1", "refused"), (b"", "5", "refused"), (b"\xe0\x02\x87\x00", "5", "not_authorised")],
)
def test_a_broker_that_closes_on_findings_is_asked_for_its_access_list(
    forbidding: Callable[[bytes, str], ForbiddingBroker],
    device: Callable[..., Device],
    caplog: pytest.LogCaptureFixture,
    goodbye: bytes,
    version: str,
    word: str,
) -> None:
    broker = forbidding(goodbye, version)
    one = device(broker.uri, "run-a", protocol=version)

    def reported() -> bool:
        if one.sink.session:
            one.sink.send(replace(outgoing(one.sink.session), suffix="findings/cart-1"))
        return word in one.problems()

    wait_until(reported, 30)
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert any("access list (ACL)" in text for text in errors)
    assert "another" not in caplog.text


@pytest.mark.broker
def test_a_refusal_by_access_list_is_called_that(
    mosquitto: Callable[..., Mosquitto], device: Callable[..., Device], caplog: pytest.LogCaptureFixture
) -> None:
    one = device(mosquitto(acl="topic readwrite edge/v1/+/+/state\n").uri, "run-a")
    wait_until(lambda: one.turn() or one.connections)
    one.sink.send(outgoing(1, "findings/cart-1"))
    wait_until(lambda: one.problems() == {"refused"})
    assert "access list (ACL) does not let this device publish on edge/v1/site/cart/findings/cart-1" in caplog.text
