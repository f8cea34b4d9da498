"""Requests over MQTT: which are answered, how often, with what; and none unless it is switched on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from brokers import Subscriber, wait_until
from fake_clock import FakeClock
from hypothesis import given, settings
from hypothesis import strategies as st
from publisher_harness import REPORT, PublisherChild, PublisherThread
from sample_messages import make_message

from edge.app.envelope import EnvelopeMaker
from edge.config.settings import RequestSettings, SinkSettings, StreamSettings
from edge.contracts.ports import Incoming
from edge.contracts.request import Response
from edge.daemon.publisher.requests import RequestHandler
from edge.outbox.reader import OutboxReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from brokers import Mosquitto

ALL = RequestSettings(enabled=True, commands=("ping", "health", "findings/resend", "config/get"))


def make_handler(clock: FakeClock | None = None, **changes: Any) -> RequestHandler:
    """A request handler with three commands, one of which answers."""

    def fail(sink: str, args: dict[str, Any]) -> dict[str, Any]:
        raise RuntimeError("secret")

    commands = {"ping": lambda _sink, args: {"args": args}, "health": fail, "config/get": fail}
    wanted = RequestSettings(enabled=True, **changes)
    return RequestHandler(wanted, EnvelopeMaker("cart", "run"), commands, clock or FakeClock(0.0))


def send_request(handler: RequestHandler, command: str, body: Any, sink: str = "a") -> Response | None:
    """The response of ``handler`` to one request, checked for what holds of every response; None: there is none."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    said = handler.answer(Incoming(f"request/{command}", raw), sink)
    if said is None:
        return None
    response = msgspec.json.decode(said.body, type=Response)
    assert said.suffix == f"response/{response.command}"
    assert (said.qos, said.retain, said.seq) == (1, False, None)
    assert said.late == (command == "findings/resend")  # in the lane whose order begins anew with it
    assert response.ok == (response.error is None)
    return response


def id_and_error(response: Response | None) -> tuple[str, str | None]:
    assert response is not None
    return response.id, response.error


def test_an_answer_echoes_the_id_and_carries_the_result() -> None:
    response = send_request(make_handler(), "ping", {"id": "q1", "args": {"a": [1]}, "from_the_future": 1})
    assert response is not None
    assert (response.id, response.command, response.ok, response.result) == ("q1", "ping", True, {"args": {"a": [1]}})


def test_the_same_request_is_answered_once_within_a_minute_and_per_asking_side() -> None:
    clock = FakeClock(0.0)
    handler = make_handler(clock)
    assert send_request(handler, "ping", {"id": "q"}) is not None
    assert send_request(handler, "ping", {"id": "q"}) is None
    assert send_request(handler, "ping", {"id": "q"}, sink="b") is not None
    assert send_request(handler, "nothing", {"id": "q"}) is not None
    clock.now = 61
    assert send_request(handler, "ping", {"id": "q"}) is not None


@pytest.mark.parametrize(
    ("command", "body", "expected"),
    [
        ("config/get", {"id": "q"}, ("q", "forbidden")),  # it is not among the defaults
        ("model/install", {"id": "q"}, ("q", "unknown_command")),
        ("findings/resend", {"id": "q"}, ("q", "unknown_command")),  # this desk has none
        ("ping", b"", ("", "invalid")),
        ("ping", b"\xff\xfe", ("", "invalid")),
        ("ping", b"[" * 4000, ("", "invalid")),
        ("ping", [], ("", "invalid")),
        ("ping", {}, ("", "missing_id")),
        ("ping", {"id": ""}, ("", "invalid")),
        ("ping", {"id": 7}, ("", "invalid")),
        ("ping", {"id": "x" * 65}, ("", "invalid")),
        ("ping", {"id": "q", "args": []}, ("q", "invalid")),
        ("ping", {"id": "q", "args": {"a": "x" * 5000}}, ("", "too_large")),
        ("health", {"id": "q"}, ("q", "failed")),
    ],
)
def test_what_is_wrong_is_answered_with_one_word(command: str, body: Any, expected: tuple[str, str]) -> None:
    assert id_and_error(send_request(make_handler(), command, body)) == expected


@pytest.mark.parametrize(
    ("body", "error", "detail"),
    [
        ({}, "missing_id", "`id` is missing"),
        ({"args": {}}, "missing_id", "`id` is missing"),
        ({"id": 7}, "invalid", "`$.id`"),
        ({"id": "q", "args": []}, "invalid", "`$.args`"),
        (b"{", "invalid", "JSON"),
        (b"\xff", "invalid", "JSON"),
        ({"id": "q", "args": {"a": "x" * 5000}}, "too_large", "4096"),
    ],
)
def test_what_is_wrong_with_a_request_is_said_in_words(body: Any, error: str, detail: str) -> None:
    response = send_request(make_handler(), "ping", body)
    assert response is not None
    assert response.error == error
    assert response.detail is not None
    assert detail in response.detail


@pytest.mark.parametrize("command", ["", "a b", "../x", "é", "x" * 33, "a/b/c/d/e", "a//b", "A", "\n"])
def test_what_can_be_no_command_is_answered_on_a_topic_of_ours(command: str) -> None:
    response = send_request(make_handler(), command, {"id": "q"})
    assert id_and_error(response) == ("q", "unknown_command")
    assert response is not None
    assert response.command == "unknown"


def test_over_the_rate_requests_are_refused_and_time_makes_room() -> None:
    clock = FakeClock(0.0)
    handler = make_handler(clock, per_minute=3)
    words = [id_and_error(send_request(handler, "ping", {"id": str(i)}))[1] for i in range(5)]
    assert words == [None, None, None, "too_many", "too_many"]
    clock.now = 20
    assert id_and_error(send_request(handler, "ping", {"id": "later"})) == ("later", None)
    assert id_and_error(send_request(handler, "ping", {"id": "too soon"})) == ("too soon", "too_many")


def test_refusals_have_a_rate_too_and_what_was_not_even_refused_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock(0.0)
    handler = make_handler(clock, per_minute=3)
    words = [
        said and id_and_error(said)[1] for i in range(500) for said in [send_request(handler, "ping", {"id": str(i)})]
    ]
    assert words == [None] * 3 + ["too_many"] * 3 + [None] * 494
    assert len(caplog.records) == 3
    clock.now = 20
    assert id_and_error(send_request(handler, "ping", {"id": "a"})) == ("a", None)
    assert id_and_error(send_request(handler, "ping", {"id": "b"})) == ("b", "too_many")
    assert "494 requests" in caplog.text


def test_what_is_too_large_costs_as_much_as_what_is_not() -> None:
    handler = make_handler(per_minute=2)
    assert [id_and_error(send_request(handler, "ping", b"x" * 5000))[1] for _ in range(3)] == [
        "too_large",
        "too_large",
        "too_many",
    ]


def test_what_was_too_many_may_be_asked_again_with_its_id() -> None:
    clock = FakeClock(0.0)
    handler = make_handler(clock, per_minute=1)
    send_request(handler, "ping", {"id": "first"})
    assert id_and_error(send_request(handler, "ping", {"id": "q"})) == ("q", "too_many")
    clock.now = 60
    assert id_and_error(send_request(handler, "ping", {"id": "q"})) == ("q", None)
    clock.now = 119
    assert send_request(handler, "ping", {"id": "q"}) is None


@pytest.mark.parametrize("per_minute", [60, 3000])
def test_no_flood_lets_the_same_request_be_carried_out_twice(per_minute: int) -> None:
    handler = make_handler(per_minute=per_minute)
    assert id_and_error(send_request(handler, "ping", {"id": "q"})) == ("q", None)
    for i in range(2000):
        send_request(handler, "junk", {"id": str(i)})
    assert send_request(handler, "ping", {"id": "q"}) is None
    assert len(handler._answered) <= per_minute


@settings(max_examples=200, deadline=None)
@given(st.text(), st.binary() | st.builds(lambda v: json.dumps(v).encode(), st.dictionaries(st.text(), st.text())))
def test_whatever_comes_there_is_one_answer_and_it_is_well_formed(command: str, body: bytes) -> None:
    response = send_request(make_handler(), command, body)
    assert response is not None
    assert not response.ok or response.command == "ping"


# --- in the publisher


def responses(one: PublisherThread, command: str, sink: int = 0) -> list[Response]:
    found = [json.dumps(body) for body in one.bodies(f"response/{command}", sink)]
    return [msgspec.json.decode(text, type=Response) for text in found]


def test_switched_off_nothing_is_listened_to_nor_promised(make_publisher: Callable[..., PublisherThread]) -> None:
    one = make_publisher()
    one.frame_link.report(REPORT)
    one.start()
    wait_until(one.states)
    assert one.sinks[0].listening == []
    assert "requests" not in one.states()[-1].capabilities


def test_switched_on_it_says_so_and_answers_who_asked(make_publisher: Callable[..., PublisherThread]) -> None:
    one = make_publisher("memory://one", "memory://two", requests=ALL)
    one.frame_link.report(REPORT)
    one.start()
    wait_until(lambda: one.states() and one.states(1))
    assert one.states()[-1].capabilities == ["findings", "requests"]
    one.sinks[1].say("request/ping", b'{"id":"p"}')
    one.sinks[1].say("request/health", b'{"id":"h"}')
    wait_until(lambda: responses(one, "health", 1))
    assert [r.id for r in responses(one, "ping", 1)] == ["p"]
    assert responses(one, "health", 1)[0].result["schema"] == "health/1"
    assert responses(one, "ping", 0) == []


def test_an_answer_waits_for_its_connection(make_publisher: Callable[..., PublisherThread]) -> None:
    one = make_publisher(requests=ALL)
    one.start()
    wait_until(one.states)
    one.sinks[0].disconnect()
    one.sinks[0].say("request/ping", b'{"id":"p"}')
    one.sinks[0].connect()
    wait_until(lambda: responses(one, "ping"))


def test_the_settings_come_without_secrets_names_and_paths(make_publisher: Callable[..., PublisherThread]) -> None:
    one = make_publisher(
        SinkSettings(uri="memory://one", username="user-x", ca_file="/secret/ca-x"),
        requests=ALL,
        streams=[
            StreamSettings(name="a", source="rtsp://user-x:pass-x@cart/path-x?token=tok-x"),
            StreamSettings(name="b", source="video:///secret/patient-x.mp4"),
        ],
        model="/secret/model-x.tflite",
    )
    one.start()
    wait_until(one.states)
    one.sinks[0].say("request/config/get", b'{"id":"c"}')
    result = wait_until(lambda: responses(one, "config/get"))[0].result["settings"]
    assert [stream["source"] for stream in result["streams"]] == ["rtsp://cart", "video:///…"]
    assert result["site"] == "site"
    assert result["requests"]["per_minute"] == 60
    text = json.dumps(result)
    assert "-x" not in text
    assert "secret" not in text
    assert "/state" not in text


def resend(epoch: str, first: Any, last: Any, name: str = "r") -> bytes:
    return json.dumps({"id": name, "args": {"epoch": epoch, "from": first, "to": last}}).encode()


def test_resend_sends_the_range_again_to_who_asked_marked_and_tells_what_is_gone(
    make_publisher: Callable[..., PublisherThread],
) -> None:
    one = make_publisher("memory://one", "memory://two", requests=ALL)
    one.start()
    for _ in range(10):
        one.frame_link.durable("coverage/cart-1", make_message())
    wait_until(lambda: all(len(one.bodies("coverage/cart-1", i)) == 10 for i in (0, 1)))
    outbox = OutboxReader(one.publisher.outbox.path)
    wait_until(lambda: outbox.depth().pending == 0)
    epoch = outbox.state().epoch
    outbox._db.execute("DELETE FROM entries WHERE seq = 5")
    one.sinks[0].say("request/findings/resend", resend(epoch, 3, 1000))
    wait_until(lambda: len(one.bodies("coverage/cart-1")) == 17)
    again = one.bodies("coverage/cart-1")[10:]
    assert [(body["seq"], body["replayed"], body["epoch"]) for body in again] == [
        (seq, True, epoch) for seq in (3, 4, 6, 7, 8, 9, 10)
    ]
    assert responses(one, "findings/resend")[0].result == {"queued": 7, "gone": [[5, 5]], "gone_count": 1}
    wait_until(lambda: outbox.depth().pending == 0)
    assert len(one.bodies("coverage/cart-1", 1)) == 10
    outbox.close()


def test_resend_refuses_what_it_cannot_do(make_publisher: Callable[..., PublisherThread]) -> None:
    one = make_publisher(requests=ALL)
    one.start()
    one.frame_link.durable("coverage/cart-1", make_message())
    epoch = wait_until(lambda: one.bodies("coverage/cart-1"))[0]["epoch"]
    asked = [
        resend("another", 1, 2, "1"), resend(epoch, 2, 1, "2"), resend(epoch, 0, 1, "3"), resend(epoch, "1", 2, "4"),
        b'{"id":"5"}', resend(epoch, 1, 10**30, "6"), resend(epoch, 5, 9, "7"),
        resend(epoch, 10**18 * 9, 10**18 * 9, "8"),
    ]  # fmt: skip
    for body in asked:
        one.sinks[0].say("request/findings/resend", body)
    wait_until(lambda: len(responses(one, "findings/resend")) == len(asked))
    details = {r.id: r.detail for r in responses(one, "findings/resend")}
    assert details["2"] == "`to` is lower than `from`"
    assert details["4"] == "expected `int`, got `str` - at `$.from`, in `args`"
    assert details["5"] == "`epoch` is missing in `args`"
    said = {r.id: r.error or r.result for r in responses(one, "findings/resend")}
    assert said == {
        "1": "unknown_epoch", "2": "invalid", "3": "invalid", "4": "invalid", "5": "missing_epoch",
        "6": {"queued": 1, "gone": [], "gone_count": 0},
        "7": {"queued": 0, "gone": [], "gone_count": 0}, "8": {"queued": 0, "gone": [], "gone_count": 0},
    }  # fmt: skip


# --- with a real broker


@pytest.mark.broker
@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_over_a_broker_requests_are_answered_once_each_also_after_a_reconnect(
    mosquitto: Callable[..., Mosquitto], make_publisher_process: Callable[..., PublisherChild], protocol: Any
) -> None:
    broker = mosquitto()
    subscriber = Subscriber(broker.port)
    subscriber.publish("edge/v1/site/cart/request/ping", b'{"id":"old"}', retain=True)
    one = make_publisher_process(SinkSettings(uri=broker.uri, protocol=protocol), requests=ALL)
    one.frame_link.report(REPORT)
    for _ in range(5):
        one.frame_link.durable("coverage/cart-1", make_message())
    wait_until(lambda: len(subscriber.on("coverage/cart-1")) == 5 and subscriber.on("/state"))
    assert "requests" in subscriber.on("/state")[-1].json["capabilities"]
    for i in range(30):
        subscriber.publish("edge/v1/site/cart/request/ping", b'{"id":"%d"}' % i)
    wait_until(lambda: len(subscriber.on("response/ping")) >= 30)
    assert [heard.json["id"] for heard in subscriber.on("response/ping")] == [str(i) for i in range(30)]

    subscriber.expect_loss()
    broker.kill()
    broker.start()
    subscriber.wait_ready()
    states = len(subscriber.on("/state"))
    wait_until(lambda: len(subscriber.on("/state")) > states or subscriber.on("/state")[-1].json["status"] == "online")
    epoch = subscriber.on("coverage/cart-1")[0].json["epoch"]

    def resent() -> bool:
        name = f"r{len(subscriber.heard)}"
        subscriber.publish("edge/v1/site/cart/request/findings/resend", resend(epoch, 2, 4, name))
        return bool(subscriber.on("response/findings/resend"))

    wait_until(resent)
    wait_until(lambda: len(subscriber.on("coverage/cart-1")) >= 8)
    assert {heard.json["seq"] for heard in subscriber.on("coverage/cart-1")[5:]} == {2, 3, 4}
    assert all(heard.json["replayed"] for heard in subscriber.on("coverage/cart-1")[5:])
    subscriber.close()
