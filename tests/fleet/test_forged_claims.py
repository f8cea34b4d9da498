"""What a device claims of itself, or somebody in its name, is believed only as far as it can be true."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from device_messages import DeviceMessages
from hypothesis import given
from hypothesis import strategies as st

from edge.fleet import device_ledger, epoch_account, expired_claims
from edge.fleet import ledger as ledger_module
from edge.fleet.epoch_account import LEAP
from edge.fleet.expired_claims import (
    CLAIM_RANGES,
    CONTRADICTIONS,
    LISTED_RANGES,
)
from edge.fleet.ledger import NO_DEVICE, Arrival, Ledger
from edge.fleet.ledger_messages import SEQ_LIMIT
from edge.schema import examples

if TYPE_CHECKING:
    from collections.abc import Callable

HUGE = 1 << 62


@pytest.fixture
def holed(device: DeviceMessages) -> DeviceMessages:
    """A device of which 3 is missing, and 5 was made last."""
    for seq in (1, 2, 4, 5):
        device.finding(seq)
    return device


def claim(device: DeviceMessages, **outbox: Any) -> Arrival:
    """A state whose claim of the outbox is anything."""
    fields = msgspec.to_builtins(examples.state()) | {"device": device.device, "run_id": device.run_id}
    fields["outbox"] = {"epoch": device.epoch, "oldest_kept": 1, "next_seq": 6, "expired": []} | outbox
    body = msgspec.json.encode(fields)
    return device.ledger.feed(f"edge/v1/{device.site}/{device.device}/state", body)


def claim_by_health(device: DeviceMessages, **outbox: Any) -> Arrival:
    """A health whose claim of the outbox is anything."""
    fields = msgspec.to_builtins(examples.health()) | {"device": device.device}
    fields |= {"outbox_epoch": device.epoch, "outbox_oldest_kept": 1, "outbox_next_seq": 6, "outbox_expired": []}
    fields |= {f"outbox_{name}": value for name, value in outbox.items()}
    return device.ledger.feed(f"edge/v1/{device.site}/{device.device}/health", msgspec.json.encode(fields))


IMPOSSIBLE: dict[str, dict[str, Any]] = {
    "expired beyond what was made": {"expired": [[1, HUGE]]},
    "expired up to the next": {"expired": [[1, 6]]},
    "expired beyond 64 bits": {"expired": [[1, 1 << 70]]},
    "expired from zero": {"expired": [[0, 4]]},
    "expired negative": {"expired": [[-HUGE, 4]]},
    "expired backwards": {"expired": [[4, 2]]},
    "expired in floats": {"expired": [[1.0, 5.0]]},
    "expired of three": {"expired": [[1, 2, 3]]},
    "expired in text": {"expired": "1-5"},
    "expired by object": {"expired": {"1": 5}},
    "too many ranges": {"expired": [[3, 3]] * (CLAIM_RANGES + 1)},
    "next far away": {"next_seq": HUGE, "expired": [[1, HUGE - 1]]},
    "next at the limit": {"next_seq": SEQ_LIMIT, "expired": [[1, SEQ_LIMIT - 1]]},
    "next beyond 64 bits": {"next_seq": 1 << 80, "expired": [[1, 5]]},
    "next a leap away": {"next_seq": 6 + LEAP + 1, "expired": [[1, 5]]},
    "next negative": {"next_seq": -6, "expired": [[1, 5]]},
    "next zero": {"next_seq": 0, "expired": [[1, 5]]},
    "next a float": {"next_seq": 6.0, "expired": [[1, 5]]},
    "next a truth": {"next_seq": True, "expired": [[1, 5]]},
    "epoch a number": {"epoch": 7, "expired": [[1, 5]]},
    "epoch too long": {"epoch": "e" * 65, "expired": [[1, 5]]},
    "kept what was not made": {"oldest_kept": HUGE},
    "kept negative": {"oldest_kept": -1},
}


@pytest.mark.parametrize("outbox", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
@pytest.mark.parametrize("send", [claim, claim_by_health])
def test_a_claim_that_cannot_be_true_hides_nothing_and_is_counted(
    holed: DeviceMessages, send: Callable[..., Arrival], outbox: dict[str, Any]
) -> None:
    assert send(holed, **outbox) is Arrival.NOTED, "the rest of the message counts"
    one = holed.device_ledger
    assert one.missing() == {"epoch-a": [(3, 3)]}
    assert one.expired() == {}
    assert one.next_seq("epoch-a") == 6
    assert one.implausible == 1
    send(holed)
    assert (one.implausible, one.requestable()) == (1, {"epoch-a": [(3, 3)]})


def test_of_a_list_of_ranges_the_possible_ones_count(holed: DeviceMessages) -> None:
    claim(holed, expired=[[3, 3], [1, HUGE], [6, 9], [-1, 1]])
    assert holed.device_ledger.missing() == {}
    assert holed.device_ledger.expired() == {"epoch-a": [(3, 3)]}
    assert holed.device_ledger.implausible == 3


@pytest.mark.parametrize("seq", [0, -1, HUGE, 1 << 70, 1.0, "1", None, True, SEQ_LIMIT + 1])
def test_a_message_with_a_number_that_is_none_is_unreadable(holed: DeviceMessages, seq: Any) -> None:
    fields = msgspec.to_builtins(examples.finding()) | {"device": "cart-7", "stream": "cart", "epoch": "epoch-a"}
    body = msgspec.json.encode(fields | {"seq": seq})
    assert holed.ledger.feed("edge/v1/clinic-a/cart-7/findings/cart", body) is Arrival.UNREADABLE
    assert holed.ledger.rejected()["clinic-a", "cart-7"].unreadable == 1
    assert holed.device_ledger.next_seq("epoch-a") == 6


def test_one_number_far_away_is_not_believed_and_a_second_near_it_is(holed: DeviceMessages) -> None:
    """One forged message makes no million million missing; a device that was unheard for months is followed."""
    far = 6 + 5 * LEAP
    assert holed.finding(far) is Arrival.IMPLAUSIBLE
    assert holed.device_ledger.missing() == {"epoch-a": [(3, 3)]}
    assert holed.finding(6) is Arrival.NEW
    assert holed.finding(far + 1) is Arrival.NEW
    assert holed.device_ledger.missing() == {"epoch-a": [(3, 3), (7, far)]}
    assert holed.finding(far, replayed=True) is Arrival.REPAIRED
    assert holed.device_ledger.implausible == 1


def test_a_retained_claim_far_away_confirms_nothing_however_often_it_comes(holed: DeviceMessages) -> None:
    for _ in range(5):
        holed.state(6 + 5 * LEAP, retained=True, expired=[(1, 5)])
    assert holed.device_ledger.missing() == {"epoch-a": [(3, 3)]}


def test_a_claim_within_reach_is_taken_back_when_later_ones_contradict_it(holed: DeviceMessages) -> None:
    """It would hide the holes to come: those numbers are not made yet."""
    holed.state(1000, expired=[(6, 999)])
    assert holed.device_ledger.next_seq("epoch-a") == 1000
    for _ in range(CONTRADICTIONS):
        holed.health(6)
    assert holed.device_ledger.next_seq("epoch-a") == 6
    assert holed.device_ledger.expired() == {}
    assert holed.device_ledger.implausible == 1
    holed.finding(8)
    assert holed.device_ledger.missing() == {"epoch-a": [(3, 3), (6, 7)]}


def test_a_state_that_is_overtaken_by_a_health_contradicts_nothing(holed: DeviceMessages) -> None:
    for next_seq in range(20, 40, 2):
        holed.health(next_seq)
        holed.state(next_seq - 5)
    assert holed.device_ledger.next_seq("epoch-a") == 38
    assert holed.device_ledger.implausible == 0


@pytest.mark.parametrize("healed_by", ["finding", "health"])
def test_where_counting_began_by_a_forged_claim_it_begins_anew_by_what_comes(healed_by: str) -> None:
    device = DeviceMessages(Ledger(whole=False))
    device.health(1 << 30)
    if healed_by == "health":
        for _ in range(CONTRADICTIONS):
            device.health(100)
    for seq in (100, 102):
        device.finding(seq)
    device.coverage(103)
    assert (101, 101) in device.device_ledger.missing()["epoch-a"]
    for _ in range(CONTRADICTIONS):
        device.health(104)
    assert device.device_ledger.missing() == {"epoch-a": [(101, 101)]}


@given(st.lists(st.tuples(st.integers(-5, 40), st.integers(-5, 40)), max_size=8), st.integers(-5, 40))
def test_no_claim_hides_what_the_device_may_still_make(ranges: list[tuple[int, int]], next_seq: int) -> None:
    device = DeviceMessages(Ledger())
    device.finding(5)
    claim(device, next_seq=next_seq, expired=ranges)
    one = device.device_ledger
    gone = {n for first, last in one.expired().get("epoch-a", []) for n in range(first, last + 1)}
    assert all(1 <= n < next_seq for n in gone)
    missing = {n for first, last in one.missing().get("epoch-a", []) for n in range(first, last + 1)}
    assert missing | gone | {5} >= set(range(1, max(next_seq, 6)))


def test_ever_new_epochs_streams_and_ranges_are_limited(
    device: DeviceMessages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_ledger, "EPOCHS_LIMIT", 3)
    monkeypatch.setattr(epoch_account, "STREAMS", 2)
    monkeypatch.setattr(epoch_account, "RECEIVED_RANGES", 6)
    monkeypatch.setattr(expired_claims, "EXPIRED_RANGES", 2)
    assert [device.finding(seq, stream=f"s-{seq}") for seq in range(1, 6)] == [Arrival.NEW] * 4 + [Arrival.IMPLAUSIBLE]
    verdicts = [device.finding(seq, stream="s-1") for seq in (6, 8, 10, 12, 14, 16, 18, 7, 15)]
    assert verdicts == [Arrival.NEW] * 5 + [Arrival.IMPLAUSIBLE] * 2 + [Arrival.NEW] * 2
    device.state(20, expired=[(5, 5), (9, 9), (17, 17)])
    assert device.device_ledger.expired() == {"epoch-a": [(5, 5), (9, 9)]}
    assert device.device_ledger.implausible == 4
    for name in ("epoch-b", "epoch-c", "epoch-d"):
        device.epoch = name
        device.finding(1)
    device.state(2)
    assert device.device_ledger.epochs() == ["epoch-a", "epoch-b", "epoch-c"]
    assert device.device_ledger.implausible == 6


def test_ever_new_devices_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "DEVICES_LIMIT", 3)
    ledger = Ledger()
    for number in range(6):
        DeviceMessages(ledger, device=f"cart-{number}").finding(1)
        ledger.feed(f"edge/v1/s/noise-{number}/state", b"\xff")
    assert len(ledger.devices()) == 3
    assert len(ledger.rejected()) == 3
    assert ledger.rejected()[NO_DEVICE].unreadable == 7


@pytest.mark.parametrize(
    "name", ["Cart", "cart_7", "c" * 33, "cart 7", "cart\ufffd", "\x1b[2J", "cart\n", "+", "$", "ü"]
)
def test_a_topic_with_other_than_names_is_unreadable(name: str) -> None:
    ledger = Ledger()
    for topic in (f"edge/v1/{name}/cart-7/state", f"edge/v1/s/{name}/health", f"edge/v1/s/cart-7/findings/{name}"):
        assert ledger.feed(topic, msgspec.json.encode(examples.state())) is Arrival.UNREADABLE
    assert not ledger.devices()
    assert sum(counts.unreadable for counts in ledger.rejected().values()) == 3


def test_a_forged_range_that_the_device_does_not_name_is_taken_back(holed: DeviceMessages) -> None:
    """One message said that all was expired; the device itself goes on saying that nothing is."""
    claim(holed, expired=[[1, 5]])
    assert holed.device_ledger.missing() == {}
    for _ in range(CONTRADICTIONS):
        claim_by_health(holed)
    assert holed.device_ledger.missing() == {holed.epoch: [(3, 3)]}
    assert holed.device_ledger.expired() == {}


def test_what_the_device_goes_on_naming_stays_expired(holed: DeviceMessages) -> None:
    for next_seq in range(6, 12):
        claim_by_health(holed, next_seq=next_seq, expired=[[3, 3]])
    assert holed.device_ledger.expired() == {holed.epoch: [(3, 3)]}


def test_overtaken_messages_take_nothing_back(holed: DeviceMessages) -> None:
    claim(holed, expired=[[3, 3]])
    for expired in ([], [[3, 3]], [], [[3, 3]]):
        claim_by_health(holed, expired=expired)
    assert holed.device_ledger.expired() == {holed.epoch: [(3, 3)]}


def test_a_device_that_can_name_no_more_ranges_leaves_the_oldest_out(device: DeviceMessages) -> None:
    device.finding(1)
    device.finding(5000)
    ranges = [[first, first] for first in range(3, 2 * LISTED_RANGES + 5, 2)]
    claim_by_health(device, next_seq=5001, expired=ranges[:LISTED_RANGES])
    for _ in range(CONTRADICTIONS + 1):
        claim_by_health(device, next_seq=5001, expired=ranges[-LISTED_RANGES:])
    assert len(device.device_ledger.expired()[device.epoch]) == len(ranges)
