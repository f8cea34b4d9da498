"""A new kind of durable message counts like findings and coverage: neither a ledger nor a watch takes it for a hole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from device_messages import DeviceMessages
from hypothesis import given
from hypothesis import strategies as st

from edge.config.settings import SinkSettings
from edge.contracts import topics
from edge.contracts.names import is_name
from edge.fleet import durable_subscriptions
from edge.fleet.durable_subscriptions import FILTERS_AT_ONCE, DurableSubscriptions
from edge.fleet.fleet_overview import FleetOverview
from edge.fleet.fleet_watch import FleetWatch
from edge.fleet.ledger import Arrival, Ledger, RejectedCounts
from edge.fleet.simulated_device import SimulatedDevice
from edge.schema import examples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from brokers import Mosquitto, Subscriber

PREFIX = "edge/v1/clinic-a/cart-7"
NEW_TOPICS = (*topics.DURABLE_TOPICS, "x")


def new_kind(seq: int, **changes: Any) -> bytes:
    """A durable message of a schema that no consumer of today knows."""
    head = {"device": "cart-7", "stream": "cart", "epoch": "epoch-a", "seq": seq, "schema": "x/1", "what": {"ever": 1}}
    return msgspec.json.encode({k: v for k, v in {**head, **changes}.items() if v is not None})


# --- the ledger alone ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("suffix", ["x/cart", "x", "x/cart/more", "response/x", "results/cart", "findings/cart"])
def test_an_unknown_kind_is_no_hole_whatever_its_topic(device: DeviceMessages, suffix: str, announced: bool) -> None:
    device.state(1, **({"durable_topics": NEW_TOPICS} if announced else {}))
    device.finding(1)
    assert device.ledger.feed(f"{PREFIX}/{suffix}", new_kind(2)) is Arrival.NEW
    device.coverage(3)
    device.health(4)
    assert device.device_ledger.missing() == {}
    assert device.device_ledger.received("epoch-a") == 3
    assert device.ledger.feed(f"{PREFIX}/{suffix}", new_kind(2, replayed=True)) is Arrival.DUPLICATE
    assert device.ledger.feed(f"{PREFIX}/{suffix}", new_kind(2, what=2)) is Arrival.CONFLICTING
    device.health(6)
    assert device.device_ledger.requestable() == {"epoch-a": [(4, 5)]}
    assert device.ledger.feed(f"{PREFIX}/{suffix}", new_kind(4, replayed=True)) is Arrival.REPAIRED


@pytest.mark.parametrize("changes", [{"stream": None}, {"schema": None}, {"schema": "finding/2"}, {"schema": 7}])
def test_device_epoch_and_seq_are_enough(device: DeviceMessages, changes: dict[str, Any]) -> None:
    assert device.ledger.feed(f"{PREFIX}/x/cart", new_kind(1, **changes)) is Arrival.NEW
    assert device.ledger.feed(f"{PREFIX}/findings/cart", new_kind(2, **changes)) is Arrival.NEW


def test_what_is_on_other_topics_and_not_durable_is_not_ours(device: DeviceMessages) -> None:
    for body in (b"", b"\xff", b"[" * 100_000, b"{}", msgspec.json.encode(examples.result()), new_kind(0)):
        assert device.ledger.feed(f"{PREFIX}/x/cart", body) is Arrival.NOT_OURS
    assert device.ledger.feed("edge/v1/Clinic A/cart-7/x/cart", new_kind(1)) is Arrival.NOT_OURS
    assert device.ledger.feed(PREFIX, new_kind(1)) is Arrival.NOT_OURS
    assert device.ledger.feed(f"{PREFIX}/request/x", new_kind(1)) is Arrival.NOT_OURS, "others write there"
    assert not device.ledger.devices()


def test_on_a_topic_that_the_device_calls_durable_all_must_be_readable(device: DeviceMessages) -> None:
    device.state(1, durable_topics=NEW_TOPICS)
    assert device.ledger.feed(f"{PREFIX}/x/cart", b"{}") is Arrival.UNREADABLE
    assert device.ledger.feed(f"{PREFIX}/x/cart", new_kind(1, stream="A b")) is Arrival.UNREADABLE
    assert device.ledger.feed(f"{PREFIX}/x/cart", new_kind(1, device="cart-8")) is Arrival.FOREIGN
    assert device.ledger.feed(f"{PREFIX}/findings/cart", new_kind(1, stream="other")) is Arrival.FOREIGN
    assert device.ledger.rejected()["clinic-a", "cart-7"] == RejectedCounts(unreadable=2, foreign=2)


def test_a_state_that_names_none_has_findings_and_coverage(device: DeviceMessages) -> None:
    device.state(1)
    before = msgspec.to_builtins(examples.state())
    assert before.pop("durable_topics") == topics.DURABLE_TOPICS
    assert device.device_ledger.durable_topics == ("findings", "coverage")
    device.state(1, durable_topics=(*NEW_TOPICS, "x"))
    assert device.device_ledger.durable_topics == NEW_TOPICS
    device.will()
    assert device.device_ledger.durable_topics == NEW_TOPICS, "a last will does not say"
    old = {**before, "device": "cart-7", "run_id": "run-1"}
    assert device.ledger.feed(f"{PREFIX}/state", msgspec.json.encode(old)) is Arrival.NOTED
    assert device.device_ledger.durable_topics == topics.DURABLE_TOPICS
    assert device.device_ledger.implausible == 0


HOSTILE_NAMES = [
    "#", "+", "x/#", "x/+", "/x", "../cart-8", "cart-8/findings", "$SYS", "$share", "", "X", "x\n", "x\0", "x y", "ü",
    "y" * 33, "\ud7ff", "state", "health", "request", "response", "results",
]  # fmt: skip


@pytest.mark.parametrize(
    "claim",
    [
        *(["findings", each] for each in HOSTILE_NAMES),
        [f"x{n}" for n in range(topics.DURABLE_TOPICS_LIMIT + 1)],
        "x",
        {"x": 1},
        7,
        [7],
        [["x"]],
        [None],
    ],
    ids=repr,
)
def test_a_false_claim_of_topics_costs_the_claim_and_not_the_state(device: DeviceMessages, claim: Any) -> None:
    device.state(1, durable_topics=NEW_TOPICS)
    state = {**msgspec.to_builtins(examples.state()), "device": "cart-7", "run_id": "run-2", "durable_topics": claim}
    assert device.ledger.feed(f"{PREFIX}/state", msgspec.json.encode(state)) is Arrival.NOTED
    assert device.device_ledger.run_id == "run-2"
    assert device.device_ledger.durable_topics == NEW_TOPICS
    assert device.device_ledger.implausible == 1


def test_a_new_kind_is_not_shown_as_a_finding() -> None:
    overview = FleetOverview()
    DeviceMessages(overview).state(1)  # type: ignore[arg-type]  # feeds it as it would a ledger
    overview.feed(f"{PREFIX}/findings/cart", new_kind(1, malignancy=0.9))
    (row,) = overview.rows()
    assert (row.received, row.last_finding, row.unreadable) == (1, None, 0)


# --- its subscriptions --------------------------------------------------------------------------------------------


class FakeSubscriber:
    """A connection that notes what is subscribed to, and answers as it is told."""

    def __init__(self) -> None:
        self.sent: list[list[str]] = []
        self.answers: dict[int, bool] = {}

    def subscribe(self, filters: Sequence[str], qos: int) -> int:
        assert qos == 1
        self.sent.append(list(filters))
        return len(self.sent)

    def granted(self, number: int) -> bool | None:
        return self.answers.pop(number, None)


class Subscriptions:
    """Subscriptions of a watch without a broker, with devices that name topics."""

    def __init__(self) -> None:
        self.ledger, self.connection = Ledger(), FakeSubscriber()
        self.all = DurableSubscriptions(self.connection, self.ledger, "edge/v1")  # type: ignore[arg-type]

    def name(self, device: str, *named: str) -> None:
        DeviceMessages(self.ledger, device=device).state(1, durable_topics=named)
        self.all.update(("clinic-a", device))


def test_topics_are_subscribed_to_once_a_connection_and_below_the_devices_own_prefix() -> None:
    one = Subscriptions()
    one.name("cart-1", *NEW_TOPICS)
    assert not one.connection.sent, "the states are not all here yet"
    one.all.start()
    one.name("cart-1", *NEW_TOPICS)
    one.name("cart-2", "findings")
    one.name("cart-2", "y", "z")
    at = "edge/v1/clinic-a"
    assert one.connection.sent == [[f"{at}/cart-1/x/#"], [f"{at}/cart-2/y/#", f"{at}/cart-2/z/#"]]
    one.all.start()
    assert one.connection.sent[2:] == [[f"{at}/cart-1/x/#", f"{at}/cart-2/y/#", f"{at}/cart-2/z/#"]]


def test_what_was_counted_before_the_subscription_is_not_missing() -> None:
    """A device that comes while the watch runs: its state says how far it counted on topics that did not come here."""
    one = Subscriptions()
    one.all.start()
    key, state = ("clinic-a", "cart-1"), {**msgspec.to_builtins(examples.state()), "durable_topics": NEW_TOPICS}
    assert one.all.names_new(key, msgspec.json.encode(state))
    one.name("cart-1", *NEW_TOPICS)
    assert not one.all.names_new(key, msgspec.json.encode(state))
    assert one.all.pending(key)
    one.connection.answers = {1: True}
    one.all.step()
    assert not one.all.pending(key)
    for body in (b"", b"\xff", b"{}", msgspec.json.encode({**state, "durable_topics": ["#"]})):
        assert not one.all.names_new(key, body)


@pytest.mark.slow
@given(st.lists(st.lists(st.text(max_size=4) | st.sampled_from(["x", "y", *HOSTILE_NAMES]), max_size=20), max_size=20))
def test_no_claim_makes_a_subscription_elsewhere(claims: list[list[str]]) -> None:
    one = Subscriptions()
    one.all.start()
    for claim in claims:
        one.name("cart-1", *claim)
    filters = [each for some in one.connection.sent for each in some]
    assert len(filters) == len(set(filters)) <= topics.DURABLE_TOPICS_LIMIT
    for each in filters:
        edge, v1, site, device, name, rest = each.split("/")
        assert (edge, v1, site, device, rest) == ("edge", "v1", "clinic-a", "cart-1", "#")
        assert is_name(name)
        assert name not in topics.NEVER_DURABLE


def test_a_device_that_names_ever_others_costs_no_more_than_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Subscriptions()
    one.all.start()
    for n in range(100):
        one.name("cart-1", f"x{n}")
    one.name("cart-2", "x")
    assert len(one.connection.sent) == topics.DURABLE_TOPICS_LIMIT + 1
    (said,) = one.all.problems()
    assert said.startswith("1 devices name more topics")
    monkeypatch.setattr(durable_subscriptions, "SUBSCRIPTIONS_LIMIT", topics.DURABLE_TOPICS_LIMIT + 2)
    one.name("cart-3", "x", "y")
    one.name("cart-4", "x")
    assert one.connection.sent[-1] == ["edge/v1/clinic-a/cart-4/x/#"]
    assert one.all.problems()[0].startswith("2 devices")
    one.all.reset()
    assert not one.all.problems()


def test_many_are_subscribed_to_in_portions_and_a_refusal_is_narrowed_down() -> None:
    one = Subscriptions()
    for n in range(FILTERS_AT_ONCE + 1):
        one.name(f"cart-{n}", "x")
    one.all.start()
    assert [len(each) for each in one.connection.sent] == [FILTERS_AT_ONCE, 1]
    assert one.all.pending(("clinic-a", "cart-0"))
    one.connection.answers = {1: False, 2: True}
    one.all.step()
    assert len(one.connection.sent) == 2 + FILTERS_AT_ONCE, "one by one"
    assert not one.all.pending(("clinic-a", f"cart-{FILTERS_AT_ONCE}"))
    one.connection.answers = {n: n != 7 for n in range(3, 3 + FILTERS_AT_ONCE)}
    one.all.step()
    assert not one.all.pending(("clinic-a", "cart-0"))
    (said,) = one.all.problems()
    assert said.startswith("the broker refuses 1 topics")


def test_an_answer_that_the_broker_drops_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Subscriptions()
    one.all.start()
    one.name("cart-1", "x")
    one.all.step()
    assert len(one.connection.sent) == 1
    monkeypatch.setattr(durable_subscriptions, "ANSWER_S", -1.0)
    one.all.step()
    assert one.connection.sent == [["edge/v1/clinic-a/cart-1/x/#"]] * 2
    one.connection.answers = {2: True}
    one.all.step()
    assert not one.all.pending(("clinic-a", "cart-1"))
    assert not one.all.problems()


# --- over a broker ------------------------------------------------------------------------------------------------


class NewDevice:
    """A device of a later version: every second durable message is of an unknown kind, on a topic of its own."""

    def __init__(self, publish: Callable[..., None], name: str = "cart-7") -> None:
        self._publish, self._device = publish, SimulatedDevice("clinic-a", name)
        self._made = 0

    def tell_state(self) -> None:
        (message,) = self._device.state()
        body = {**msgspec.json.decode(message.body), "durable_topics": NEW_TOPICS}
        self._publish(message.topic, msgspec.json.encode(body), retain=True)

    def tell_health(self) -> None:
        for message in self._device.health():
            self._publish(message.topic, message.body)

    def send(self, number: int) -> None:
        for _ in range(number):
            (message,) = self._device.produce()
            topic, body = message.topic, msgspec.json.decode(message.body)
            self._made += 1
            if self._made % 2 == 0:
                prefix = self._device.topics.prefix
                topic, body = f"{prefix}/x/cart", {key: body[key] for key in ("device", "epoch", "seq", "stream")}
                body["schema"] = "x/1"
            self._publish(topic, msgspec.json.encode(body))


@pytest.fixture
def watch(broker: Mosquitto) -> Iterator[Callable[[], FleetWatch]]:
    made: list[FleetWatch] = []

    def make() -> FleetWatch:
        made.append(FleetWatch(SinkSettings(uri=broker.uri)))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.mark.broker
@pytest.mark.slow
def test_a_watch_subscribes_to_what_devices_name_and_asks_for_nothing(
    subscriber: Subscriber, watch: Callable[[], FleetWatch]
) -> None:
    """Devices that were there before the watch, and one that comes while it runs."""
    before, later = NewDevice(subscriber.publish), NewDevice(subscriber.publish, "cart-8")
    before.tell_state()
    before.send(10)
    one = watch()
    assert one.receive_until(lambda: one.states.settled, 30)
    later.tell_state()
    assert one.receive_until(lambda: len(one.overview.rows()) == 2, 30)
    assert one.receive_until(lambda: not one.durable.pending(("clinic-a", "cart-8")), 30)
    for each in (before, later):
        each.send(10)
        each.tell_health()
    assert one.receive_until(lambda: [row.received for row in one.overview.rows()] == [10, 10], 30)
    assert one.receive_until_complete(30)
    assert [row.missing for row in one.overview.rows()] == [{}, {}]
    assert one.request_missing() == 0
    assert not one.problems()
    assert not subscriber.on("request/findings/resend")


@pytest.mark.broker
@pytest.mark.slow
def test_after_a_lost_connection_the_topics_are_subscribed_to_again(
    broker: Mosquitto, subscriber: Subscriber, watch: Callable[[], FleetWatch]
) -> None:
    device = NewDevice(subscriber.publish)
    device.tell_state()
    one = watch()
    assert one.receive_until(lambda: one.states.settled, 30)
    subscriber.expect_loss()
    broker.kill()
    assert one.receive_until(lambda: not one.connection.connected, 30)
    broker.start()
    subscriber.wait_ready()
    assert one.receive_until(lambda: one.connection.session == 2 and one.states.settled, 30)
    device.tell_state()
    assert one.receive_until(lambda: bool(one.durable._filters), 30)
    assert one.receive_until(lambda: not one.durable.pending(("clinic-a", "cart-7")), 30)
    device.send(10)
    device.tell_health()
    assert one.receive_until(lambda: one.overview.rows()[0].received == 10, 30)
    assert one.receive_until_complete(30)
    assert one.overview.rows()[0].missing == {}
