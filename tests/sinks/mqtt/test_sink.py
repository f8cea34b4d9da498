"""The MQTT sink against a real mosquitto: will, state, losses, refusals, TLS."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from brokers import Subscriber, make_certificates, wait_until
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode
from sample_messages import OFFLINE, STATE, outgoing

from edge.config.settings import SinkSettings
from edge.contracts.ports import Incoming, Outgoing
from edge.sinks.mqtt.connection import BACKLOG_QUEUE_LIMIT, RECEIVED_LIMIT, BrokerMessage
from edge.sinks.mqtt.connection_end import ConnectionEnd
from edge.sinks.mqtt.sink import MqttSink

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from brokers import Mosquitto

    from edge.contracts.ports import SinkIdentity

pytestmark = pytest.mark.broker


def wait_acked(sink: MqttSink, count: int) -> list[int]:
    acked: list[int] = []
    wait_until(lambda: len(acked.extend(sink.acked()) or acked) >= count)
    return acked


def test_state_is_retained_and_found_by_who_comes_later(broker: Mosquitto, make: Callable[..., MqttSink]) -> None:
    sink = make(broker.uri)
    sink.send(STATE)
    wait_until(lambda: sink.session and sink._state_subscribed)  # it was acknowledged
    late = Subscriber(broker.port)
    wait_until(lambda: late.heard)
    assert (late.heard[0].topic, late.heard[0].retain, late.heard[0].body) == (
        "edge/v1/site/cart/state", True, STATE.body,
    )  # fmt: skip
    late.close()


WILL_PROGRAM = """
import sys, time
from edge.config.settings import SinkSettings
from edge.contracts.ports import Outgoing, SinkIdentity
from edge.contracts.topics import Topics
from edge.sinks.mqtt.sink import MqttSink
sink = MqttSink(SinkSettings(uri=sys.argv[1]), SinkIdentity(Topics("site", "cart"), "run", b'{"status":"offline"}'))
sink.open()
while not sink.send(Outgoing("state", b'{"run_id":"run","status":"online"}', None, 1, True)):
    time.sleep(0.01)
while True:
    sink.acked()
    time.sleep(0.05)
"""


def test_the_broker_says_the_will_when_the_process_is_killed(broker: Mosquitto, subscriber: Subscriber) -> None:
    process = subprocess.Popen([sys.executable, "-c", WILL_PROGRAM, broker.uri])
    try:
        wait_until(lambda: subscriber.on("/state"))
    finally:
        process.kill()
        process.wait()
    wait_until(lambda: len(subscriber.on("/state")) == 2)
    assert [heard.json["status"] for heard in subscriber.on("/state")] == ["online", "offline"]


def test_a_clean_end_leaves_our_own_offline_state_and_no_will(
    broker: Mosquitto, subscriber: Subscriber, make: Callable[..., MqttSink]
) -> None:
    sink = make(broker.uri)
    sink.send(STATE)
    sink.send(OFFLINE)
    sink.close(5)
    sink.close(5)
    late = Subscriber(broker.port)
    wait_until(lambda: late.heard)
    late.close()
    assert late.heard[0].body == OFFLINE.body
    assert [heard.body for heard in subscriber.on("/state")] == [STATE.body, OFFLINE.body]


def test_what_was_under_way_when_the_broker_died_is_given_back(
    broker: Mosquitto, make: Callable[..., MqttSink]
) -> None:
    sink = make(broker.uri, inflight=10)
    os.kill(broker.pid, signal.SIGSTOP)  # it takes bytes, but answers nothing
    old = [seq for seq in range(1, 500) if sink.send(replace(outgoing(seq), late=True))]
    assert old == list(range(1, 11 + BACKLOG_QUEUE_LIMIT))  # ten in flight, and a full backlog queue
    live = [seq for seq in range(500, 600) if sink.send(outgoing(seq))]
    assert live == list(range(500, 510))  # for which the backlog queue leaves room
    taken = old + live
    broker.kill()
    returned: list[int] = []
    wait_until(lambda: len(returned.extend(sink.returned()) or returned) == len(taken))
    assert sorted(returned) == taken
    assert not sink.acked()
    assert not sink.send(outgoing(1))
    wait_until(lambda: set(sink.problems()) & {"connection_lost", "unreachable"})
    broker.start()
    wait_until(lambda: sink.session == 2)
    assert sink.problems() == []
    assert sink.send(outgoing(1))
    assert wait_acked(sink, 1) == [1]


def test_bad_credentials_are_a_problem_not_an_error(
    mosquitto: Callable[..., Mosquitto], make: Callable[..., MqttSink], tmp_path: Path
) -> None:
    broker = mosquitto(users={"cart": "secret"})
    (tmp_path / "right").write_text("secret\n")
    (tmp_path / "wrong").write_text("guess\n")
    bad = make(broker.uri, wait=False, username="cart", password_file=str(tmp_path / "wrong"))
    wait_until(lambda: list(bad.problems()) in (["bad_credentials"], ["not_authorised"]))
    assert make(broker.uri, username="cart", password_file=str(tmp_path / "right")).problems() == []
    in_uri = make(f"mqtt://cart:secret@127.0.0.1:{broker.port}")
    assert "secret" not in in_uri.name + repr(vars(in_uri)["_credentials"])


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_both_versions_are_spoken(
    broker: Mosquitto,
    subscriber: Subscriber,
    make: Callable[..., MqttSink],
    protocol: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    sink = make(broker.uri, protocol=protocol)
    sink.send(STATE)
    sink.send(outgoing(5))
    assert wait_acked(sink, 1) == [5]
    wait_until(lambda: len(subscriber.heard) == 2)
    assert f"connected (MQTT {protocol}" in caplog.text
    assert ("cannot say what the broker's access list refuses" in caplog.text) == (protocol == "3.1.1")


ACL = "topic readwrite edge/v1/+/+/state\ntopic write edge/v1/+/+/findings/#\n"


def test_a_refused_topic_is_given_back_and_does_not_stop_the_others(
    mosquitto: Callable[..., Mosquitto], make: Callable[..., MqttSink]
) -> None:
    sink = make(mosquitto(acl=ACL).uri)
    assert sink.send(outgoing(1, "coverage/cart-1"))
    returned: list[int] = []
    wait_until(lambda: returned.extend(sink.returned()) or returned)
    assert returned == [1]
    assert sink.problems() == ["refused"]
    assert sink.send(outgoing(1, "coverage/cart-1"))  # waits here for another try
    assert sink.send(outgoing(2, "findings/cart-1"))
    assert wait_acked(sink, 1) == [2]
    wait_until(lambda: returned.extend(sink.returned()) or len(returned) >= 2)  # the pause is over
    assert returned == [1, 1]


def test_without_a_subscriber_a_finding_stays_pending_where_that_is_asked_for(
    broker: Mosquitto, make: Callable[..., MqttSink]
) -> None:
    careless = make(broker.uri)
    careless.send(outgoing(1))
    assert wait_acked(careless, 1) == [1]
    careless.close(1)
    sink = make(broker.uri, require_subscriber=True)
    sink.send(outgoing(1))
    wait_until(sink.returned)
    assert sink.problems() == ["no_subscriber"]
    listener = Subscriber(broker.port)
    wait_until(lambda: (sink.send(outgoing(1)) and 1 in (*sink.acked(), *sink.acked())) or sink.returned() == [0])
    listener.close()


def test_what_the_broker_cannot_take_waits_without_losing_the_connection(
    mosquitto: Callable[..., Mosquitto], make: Callable[..., MqttSink]
) -> None:
    sink = make(mosquitto(lines="max_packet_size 2000").uri)
    assert sink.send(Outgoing("findings/a", b'"' + b"x" * 3000 + b'"', 1))
    assert sink.send(outgoing(2))
    assert wait_acked(sink, 1) == [2]
    assert sink.problems() == ["message_too_large"]
    assert sink.session == 1


def test_two_devices_of_one_name_do_not_go_unnoticed(broker: Mosquitto, make: Callable[..., MqttSink]) -> None:
    sinks = [make(broker.uri), make(broker.uri)]
    wait_until(lambda: any("connection_unstable" in sink.problems() for sink in sinks))


def test_our_state_is_said_again_when_somebody_else_speaks_for_us(
    broker: Mosquitto, subscriber: Subscriber, make: Callable[..., MqttSink]
) -> None:
    sink = make(broker.uri)
    sink.send(STATE)
    wait_until(lambda: sink.session and sink._state_subscribed)
    wait_until(lambda: len(subscriber.on("/state")) == 1)
    subscriber.publish("edge/v1/site/cart/state", b'{"run_id":"older","status":"offline"}', retain=True)
    wait_until(lambda: sink.session and len(subscriber.on("/state")) == 3)
    assert subscriber.on("/state")[-1].body == STATE.body


# paho leaves the socket of a failed handshake to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_tls_with_our_own_authority_and_client_certificate(
    mosquitto: Callable[..., Mosquitto], make: Callable[..., MqttSink], tmp_path: Path
) -> None:
    pems = make_certificates(tmp_path / "pems")
    broker = mosquitto(tls=pems, client_certificates=True)
    ours = {"ca_file": str(pems.ca), "cert_file": str(pems.client), "key_file": str(pems.client_key)}
    sink = make(broker.uri, **ours)
    assert sink.send(outgoing(3))
    assert wait_acked(sink, 1) == [3]
    assert sink.name == f"mqtts://localhost:{broker.port}"
    untrusting = make(broker.uri, wait=False)  # the system's authorities do not know this broker's
    wait_until(lambda: untrusting.problems() == [ConnectionEnd.TLS_FAILED.value])


def test_another_root_and_a_sink_that_nothing_waits_for(
    broker: Mosquitto, subscriber: Subscriber, make: Callable[..., MqttSink]
) -> None:
    elsewhere = Subscriber(broker.port, "hall/7/#")
    sink = make(broker.uri, root="hall/7", durable=False)
    assert sink.durable is False
    sink.send(outgoing(1))
    wait_until(lambda: elsewhere.heard)
    assert elsewhere.heard[0].topic == "hall/7/site/cart/coverage/cart-1"
    elsewhere.close()


def test_what_is_said_to_us_is_heard_but_not_what_was_kept_from_earlier_nor_after_close(
    broker: Mosquitto, subscriber: Subscriber, identity: SinkIdentity
) -> None:
    subscriber.publish("edge/v1/site/cart/request/old", b"x", retain=True)
    sink = MqttSink(SinkSettings(uri=broker.uri), identity)
    sink.listen("request")
    sink.open()
    wait_until(lambda: sink.session)
    heard: list[Incoming] = []

    def asked() -> bool:
        subscriber.publish("edge/v1/site/cart/request/a/b", b"\xff")
        subscriber.publish("edge/v1/site/other/request/ping", b"not for us")
        heard.extend(sink.heard())
        return bool(heard)

    wait_until(asked)
    assert set(heard) == {Incoming("request/a/b", b"\xff")}
    sink.close(1)


def test_of_a_flood_the_newest_are_heard_and_answers_never_outrun_what_the_broker_takes(
    broker: Mosquitto, subscriber: Subscriber, make: Callable[..., MqttSink]
) -> None:
    sink = make(broker.uri)
    sent = 0
    for _ in range(500):
        sent += sink.send(Outgoing("response/ping", b"{}", None, qos=1))
    assert 1 <= sent < 500
    wait_until(lambda: len(subscriber.on("response/ping")) == sent)
    assert sink.session == 1
    for i in range(RECEIVED_LIMIT + 50):
        sink._handle_received(BrokerMessage("edge/v1/site/cart/request/x", b"%d" % i, False))
    assert [int(one.body) for one in sink.heard()] == list(range(50, RECEIVED_LIMIT + 50))


def test_a_broker_that_does_not_let_us_hear_is_told_of(broker: Mosquitto, make: Callable[..., MqttSink]) -> None:
    sink = make(broker.uri)
    connection = sink._connection
    assert connection is not None
    for mid, topic in ((1001, "edge/v1/site/cart/state"), (1002, "edge/v1/site/cart/request/#")):
        assert sink.problems() == []
        connection._pending_subscriptions[mid] = topic
        connection._on_subscribe(connection._client, None, mid, [ReasonCode(PacketTypes.SUBACK, identifier=0x87)], None)
    assert sink.problems() == ["subscription_refused"]
