"""Verdicts and answers of the delivery ledger: new, duplicate, missing, repaired, expired, stale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from device_messages import DeviceMessages
from hypothesis import given
from hypothesis import strategies as st

from edge.fleet.ledger import Arrival, Ledger, RejectedCounts
from edge.schema import examples

if TYPE_CHECKING:
    import random


def test_a_message_is_new_once_and_a_duplicate_ever_after(device: DeviceMessages) -> None:
    assert device.finding(1) is Arrival.NEW
    assert device.coverage(2) is Arrival.NEW
    assert device.finding(1) is Arrival.DUPLICATE
    assert device.coverage(2, replayed=True) is Arrival.DUPLICATE
    assert device.device_ledger.duplicates == 2
    assert device.device_ledger.received("epoch-a") == 2
    assert device.device_ledger.violations == 0


def test_a_hole_is_missing_is_asked_for_and_is_repaired(device: DeviceMessages) -> None:
    device.state(1)
    device.finding(1)
    device.finding(4)
    assert device.device_ledger.missing() == {"epoch-a": [(2, 3)]}
    assert device.device_ledger.requestable() == {"epoch-a": [(2, 3)]}
    assert device.finding(2, replayed=True) is Arrival.REPAIRED
    assert device.device_ledger.missing() == {"epoch-a": [(3, 3)]}
    assert device.device_ledger.repaired() == {"epoch-a": [(2, 2)]}
    assert device.coverage(3, replayed=True) is Arrival.REPAIRED
    assert device.device_ledger.missing() == {}
    assert device.device_ledger.requestable() == {}


def test_state_and_health_tell_of_messages_that_nothing_came_after(device: DeviceMessages) -> None:
    device.finding(1)
    assert device.device_ledger.missing() == {}
    assert device.health(4) is Arrival.NOTED
    assert device.device_ledger.missing() == {"epoch-a": [(2, 3)]}
    assert device.state(6) is Arrival.NOTED
    assert device.device_ledger.missing() == {"epoch-a": [(2, 5)]}
    assert device.device_ledger.next_seq("epoch-a") == 6


def test_what_is_no_longer_kept_cannot_be_asked_for(device: DeviceMessages) -> None:
    device.state(20, oldest_kept=8)
    for seq in (1, 2, 6, 12):
        device.finding(seq)
    assert device.device_ledger.missing() == {"epoch-a": [(3, 5), (7, 11), (13, 19)]}
    assert device.device_ledger.requestable() == {"epoch-a": [(8, 11), (13, 19)]}
    device.health(20, outbox_oldest_kept=None)
    assert device.device_ledger.requestable() == {}


def test_what_the_device_gave_up_is_expired_and_not_missing(device: DeviceMessages) -> None:
    device.finding(1)
    device.state(10, expired=[(2, 5)])
    assert device.device_ledger.missing() == {"epoch-a": [(6, 9)]}
    assert device.device_ledger.expired() == {"epoch-a": [(2, 5)]}
    device.finding(3, replayed=True)
    assert device.device_ledger.expired() == {"epoch-a": [(2, 2), (4, 5)]}


def test_epochs_stand_side_by_side_and_the_present_one_is_asked_for_first(device: DeviceMessages) -> None:
    device.state(5)
    device.finding(4)
    device.epoch = "epoch-b"
    device.state(3)
    assert device.device_ledger.epochs() == ["epoch-a", "epoch-b"]
    assert device.device_ledger.missing() == {"epoch-a": [(1, 3)], "epoch-b": [(1, 2)]}
    assert list(device.device_ledger.requestable().items()) == [("epoch-b", [(1, 2)]), ("epoch-a", [(1, 3)])]
    device.epoch = "epoch-a"
    assert device.finding(2, replayed=True) is Arrival.REPAIRED
    assert device.device_ledger.missing()["epoch-a"] == [(1, 1), (3, 3)]
    assert device.device_ledger.received("never heard of") == 0


def test_the_same_numbers_of_two_devices_are_two_messages() -> None:
    ledger = Ledger()
    left, right = DeviceMessages(ledger, device="left"), DeviceMessages(ledger, device="right")
    elsewhere = DeviceMessages(ledger, site="clinic-b", device="left")
    assert [each.finding(1) for each in (left, right, elsewhere)] == [Arrival.NEW] * 3
    assert set(ledger.devices()) == {("clinic-a", "left"), ("clinic-a", "right"), ("clinic-b", "left")}


def test_order_is_held_per_stream_and_lane(device: DeviceMessages) -> None:
    device.finding(5, stream="left")
    device.finding(3, stream="right")
    device.finding(1, stream="left", replayed=True)
    assert device.device_ledger.violations == 0
    device.finding(2, stream="right")
    assert device.device_ledger.violations == 1
    device.finding(2, stream="right")
    assert device.device_ledger.violations == 1, "a duplicate is no news, late or not"


def test_replay_may_begin_again_after_a_reconnection_or_a_request_but_live_never_goes_back(
    device: DeviceMessages,
) -> None:
    device.state(20)
    device.finding(5, replayed=True)
    device.finding(3, replayed=True)
    assert device.device_ledger.violations == 1
    device.state(20)
    device.finding(2, replayed=True)
    for number, kind in enumerate(("request", "response")):
        assert device.ledger.feed(f"edge/v1/clinic-a/cart-7/{kind}/findings/resend", b'{"id":"1"}') is Arrival.NOTED
        device.finding(11 - number, replayed=True)
    assert device.device_ledger.violations == 1
    device.finding(19)
    device.state(20)
    device.finding(18)
    assert device.device_ledger.violations == 2


def test_time_decides_nothing(device: DeviceMessages) -> None:
    device.finding(1, at="2030-01-01T00:00:00Z", mono_ns=9)
    device.finding(2, at="1970-01-01T00:00:00Z", mono_ns=1)
    assert device.device_ledger.violations == 0
    assert device.device_ledger.missing() == {}


def test_the_will_of_an_earlier_run_is_stale(device: DeviceMessages) -> None:
    device.state(1)
    device.run_id = "run-2"
    device.state(1)
    assert device.will("run-1") is Arrival.STALE
    assert device.device_ledger.run_id == "run-2"
    assert device.will("run-2") is Arrival.NOTED


def test_a_device_that_is_known_by_its_will_alone(device: DeviceMessages) -> None:
    assert device.will("run-1", retained=True) is Arrival.NOTED
    assert device.device_ledger.missing() == {}
    assert device.device_ledger.requestable() == {}


def test_who_came_later_counts_from_there() -> None:
    device = DeviceMessages(Ledger(whole=False))
    device.state(100, retained=True)
    assert device.device_ledger.missing() == {}, "a retained state is old: that much has been made since is not known"
    device.finding(5000)
    device.health(5003)
    assert device.device_ledger.missing() == {"epoch-a": [(5001, 5002)]}
    assert device.finding(4999, replayed=True) is Arrival.NEW
    assert device.finding(5001, replayed=True) is Arrival.REPAIRED
    device.epoch = "epoch-b"
    device.state(3)
    assert device.device_ledger.missing()["epoch-b"] == [(1, 2)], "of a new epoch we heard the beginning"


def test_an_older_state_does_not_take_back_what_is_known(device: DeviceMessages) -> None:
    device.health(10, outbox_oldest_kept=7)
    device.state(4, retained=True, oldest_kept=1)
    assert device.device_ledger.next_seq("epoch-a") == 10
    assert device.device_ledger.requestable() == {"epoch-a": [(7, 9)]}


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("edge/v1/clinic-a/cart-7/state", b""),
        ("edge/v1/clinic-a/cart-7/state/more", b"{}"),
        ("edge/v1/clinic-a/cart-7/results/cart", b"{}"),
        ("edge/v1/clinic-a/cart-7/request/findings/resend", b"{}"),
        ("edge/v1/clinic-a", b"{}"),
        ("somewhere/else", b"{}"),
        ("", b""),
    ],
)
def test_what_is_not_ours(topic: str, payload: bytes) -> None:
    ledger = Ledger()
    assert ledger.feed(topic, payload) is Arrival.NOT_OURS
    assert not ledger.devices()
    assert list(ledger.rejected().values()) == [RejectedCounts()]


def test_a_message_on_the_topic_of_another_is_foreign(device: DeviceMessages) -> None:
    assert device.finding(1, device="cart-8") is Arrival.FOREIGN
    assert device.feed("findings/left", examples.finding()) is Arrival.FOREIGN
    assert device.feed("coverage/cart-1", examples.finding()) is Arrival.FOREIGN
    assert device.feed("state", msgspec.structs.replace(examples.state(), device="left")) is Arrival.FOREIGN
    assert device.feed("health", msgspec.structs.replace(examples.health(), device="")) is Arrival.FOREIGN
    assert not device.ledger.devices()
    assert device.ledger.rejected()["clinic-a", "cart-7"] == RejectedCounts(foreign=5)


@given(st.integers(1, 60), st.sets(st.integers(1, 60)), st.sets(st.integers(1, 60)), st.randoms(use_true_random=False))
def test_the_account_is_right_whatever_was_lost_repeated_and_shuffled(
    made: int, lost: set[int], repeated: set[int], dice: random.Random
) -> None:
    device = DeviceMessages(Ledger())
    sent = [seq for seq in range(1, made + 1) if seq not in lost]
    again = [seq for seq in sent if seq in repeated]
    everything = sent + again
    dice.shuffle(everything)
    verdicts = [device.finding(seq) for seq in everything]
    device.state(made + 1)
    gone = lost & set(range(1, made + 1))
    missing = [n for first, last in device.device_ledger.missing().get("epoch-a", []) for n in range(first, last + 1)]
    assert set(missing) == gone
    assert len(missing) == len(gone)
    assert device.device_ledger.duplicates == len(again) == verdicts.count(Arrival.DUPLICATE)
    assert device.device_ledger.received("epoch-a") == len(sent)
    for seq in gone:
        assert device.finding(seq, replayed=True) is Arrival.REPAIRED
    assert device.device_ledger.missing() == {}
    assert device.device_ledger.received_ranges("epoch-a") == [(1, made)]


def test_a_million_messages_cost_a_range_each_gap(device: DeviceMessages) -> None:
    device.state(1_000_001)
    for seq in range(1, 2001):
        if seq % 500:
            device.coverage(seq)
    assert len(device.device_ledger.received_ranges("epoch-a")) == 4
    assert device.device_ledger.missing() == {"epoch-a": [(500, 500), (1000, 1000), (1500, 1500), (2000, 1_000_000)]}
