"""Choosing the MQTT version and client identifier: the rules, and the sink against a scripted broker."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest
from brokers import wait_until

from edge.sinks.mqtt.connection_end import ConnectionEnd
from edge.sinks.mqtt.protocol_version import FALLBACK_ORDER, ProtocolVersionChooser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edge.sinks.mqtt.sink import MqttSink

FIVE, FIVE_SLASH_FREE, THREE, THREE_SLASH_FREE = FALLBACK_ORDER


def test_an_explicit_refusal_of_the_version_moves_on_at_once() -> None:
    chooser = ProtocolVersionChooser()
    assert chooser.current == FIVE
    assert chooser.failed(ConnectionEnd.BAD_VERSION)
    assert chooser.current == THREE
    assert not chooser.failed(ConnectionEnd.BAD_VERSION)  # and back, after a pause
    assert chooser.current == FIVE


def test_closing_unanswered_goes_through_the_fallback_order_and_leaves_version_5_after_the_second_time() -> None:
    chooser = ProtocolVersionChooser()
    spoken, more = [], []
    for _ in range(5):
        spoken.append(chooser.current)
        more.append(chooser.failed(ConnectionEnd.CLOSED_UNANSWERED))
    assert spoken == [FIVE, FIVE_SLASH_FREE, THREE, THREE_SLASH_FREE, FIVE]
    assert more == [True, True, True, False, True]  # after a round, a pause


@pytest.mark.parametrize(
    "end",
    [
        ConnectionEnd.UNREACHABLE,
        ConnectionEnd.UNKNOWN_HOST,
        ConnectionEnd.NO_ANSWER,
        ConnectionEnd.BAD_CREDENTIALS,
        ConnectionEnd.LOST,
    ],
)
def test_nothing_else_moves_on(end: ConnectionEnd) -> None:
    chooser = ProtocolVersionChooser()
    assert not any(chooser.failed(end) for _ in range(10))
    assert chooser.current == FIVE


def test_what_worked_is_remembered_through_closes_but_not_through_a_refusal() -> None:
    chooser = ProtocolVersionChooser()
    chooser.accepted()
    assert not any(chooser.failed(ConnectionEnd.CLOSED_UNANSWERED) for _ in range(10))
    assert chooser.current == FIVE
    assert chooser.failed(ConnectionEnd.BAD_VERSION)
    assert chooser.current == THREE


def test_a_refused_identifier_is_tried_without_its_slash() -> None:
    chooser = ProtocolVersionChooser()
    assert chooser.failed(ConnectionEnd.BAD_CLIENT_ID)
    assert chooser.current == FIVE_SLASH_FREE
    assert not chooser.failed(ConnectionEnd.BAD_CLIENT_ID)
    assert chooser.current == FIVE_SLASH_FREE


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_a_configured_version_is_never_left(version: str) -> None:
    chooser = ProtocolVersionChooser(version)  # type: ignore[arg-type]
    for end in (
        ConnectionEnd.BAD_VERSION,
        ConnectionEnd.CLOSED_UNANSWERED,
        ConnectionEnd.CLOSED_UNANSWERED,
        ConnectionEnd.BAD_CLIENT_ID,
    ):
        chooser.failed(end)
        assert chooser.current.version == version


class ScriptedBroker:
    """Answers each CONNECT with the next of ``answers``; b"" closes. The last answer is for all that follow."""

    def __init__(self, answers: list[bytes]) -> None:
        self.answers = answers
        self.connects: list[tuple[int, bytes]] = []
        """(protocol level, client identifier)."""
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            packet = client.recv(4096).partition(b"\x00\x04MQTT")[2]
            level = packet[0]  # then flags and keep-alive, and in version 5 properties, whose length is one byte here
            rest = packet[4:] if level == 4 else packet[4 + 1 + packet[4] :]
            self.connects.append((level, rest[2 : 2 + rest[1]]))
            answer = self.answers[min(len(self.connects), len(self.answers)) - 1]
            with client:
                if answer:
                    client.sendall(answer)
                    while client.recv(4096):  # one client at a time, until it goes
                        pass

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()


YES_5, YES_3 = b"\x20\x03\x00\x00\x00", b"\x20\x02\x00\x00"
NO_SUCH_VERSION_5, NO_SUCH_VERSION_3 = b"\x20\x03\x00\x84\x00", b"\x20\x02\x00\x01"
BAD_ID_5 = b"\x20\x03\x00\x85\x00"
MALFORMED = b"\x20\x02\x00\x84"
TAKEN_OVER = YES_5 + b"\xe0\x01\x8e"


@pytest.fixture
def scripts() -> Iterator[list[ScriptedBroker]]:
    """Asked for before ``make``, so that sinks end before their brokers."""
    made: list[ScriptedBroker] = []
    yield made
    for one in made:
        one.close()


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([YES_5], [(5, b"site/cart")]),
        ([NO_SUCH_VERSION_5, YES_3], [(5, b"site/cart"), (4, b"site/cart")]),
        ([NO_SUCH_VERSION_3, YES_3], [(5, b"site/cart"), (4, b"site/cart")]),
        ([MALFORMED, MALFORMED, YES_3], [(5, b"site/cart"), (5, b"site_cart"), (4, b"site/cart")]),
        ([b"", YES_5], [(5, b"site/cart"), (5, b"site_cart")]),
        ([b"", b"", YES_3], [(5, b"site/cart"), (5, b"site_cart"), (4, b"site/cart")]),
        ([b""] * 3 + [YES_3], [(5, b"site/cart"), (5, b"site_cart"), (4, b"site/cart"), (4, b"site_cart")]),
        ([BAD_ID_5, YES_5], [(5, b"site/cart"), (5, b"site_cart")]),
    ],
)
def test_the_sink_finds_the_language_of_a_broker(
    scripts: list[ScriptedBroker],
    make: Callable[..., MqttSink],
    answers: list[bytes],
    expected: list[tuple[int, bytes]],
) -> None:
    broker = ScriptedBroker(answers)
    scripts.append(broker)
    make(f"mqtt://127.0.0.1:{broker.port}")
    assert broker.connects == expected


def test_a_client_identifier_of_ones_own(scripts: list[ScriptedBroker], make: Callable[..., MqttSink]) -> None:
    broker = ScriptedBroker([YES_5])
    scripts.append(broker)
    make(f"mqtt://127.0.0.1:{broker.port}?client_id=thing-7")
    assert broker.connects == [(5, b"thing-7")]


def test_a_session_that_is_taken_over_is_reported_and_not_fought_for(
    scripts: list[ScriptedBroker], make: Callable[..., MqttSink]
) -> None:
    broker = ScriptedBroker([TAKEN_OVER])
    scripts.append(broker)
    sink = make(f"mqtt://127.0.0.1:{broker.port}", wait=False)
    wait_until(lambda: "session_taken_over" in sink.problems())
    assert broker.connects == [(5, b"site/cart")]


def test_a_host_that_does_not_exist_and_a_port_where_nobody_is(make: Callable[..., MqttSink]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    for uri, word in (("mqtt://no-such-host.invalid", "unknown_host"), (f"mqtt://127.0.0.1:{port}", "unreachable")):
        sink = make(uri, wait=False)
        wait_until(lambda: list(sink.problems()) == [word])  # noqa: B023


def test_at_the_end_the_broker_may_close_first(make: Callable[..., MqttSink]) -> None:
    server = socket.create_server(("127.0.0.1", 0))
    said: list[str] = []

    def serve() -> None:
        client, _ = server.accept()
        client.recv(4096)
        client.sendall(YES_5)
        client.recv(4096)  # DISCONNECT, which a slow broker comes to only after it has sent what it still had
        try:
            for _ in range(5):
                client.sendall(b"\xd0\x00")
                time.sleep(0.02)
            said.append("heard to the end" if client.recv(4096) == b"" else "more came")
        except OSError as error:
            said.append(f"cut off: {error}")
        client.close()

    thread = threading.Thread(target=serve)
    thread.start()
    sink = make(f"mqtt://127.0.0.1:{server.getsockname()[1]}")
    sink.close(2)
    thread.join(10)
    server.close()
    assert said == ["heard to the end"]
