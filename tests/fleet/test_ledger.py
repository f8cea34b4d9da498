"""What the ledger says of what it was fed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paper_device import Paper

from edge.fleet.ledger import Ledger, Verdict

if TYPE_CHECKING:
    import random


def test_a_message_is_new_once_and_a_duplicate_ever_after(paper: Paper) -> None:
    assert paper.finding(1) is Verdict.NEW
    assert paper.coverage(2) is Verdict.NEW
    assert paper.finding(1) is Verdict.DUPLICATE
    assert paper.coverage(2, replayed=True) is Verdict.DUPLICATE
    assert paper.account.duplicates == 2
    assert paper.account.received("epoch-a") == 2
    assert paper.account.violations == 0


def test_a_hole_is_missing_is_asked_for_and_is_repaired(paper: Paper) -> None:
    paper.state(1)
    paper.finding(1)
    paper.finding(4)
    assert paper.account.missing() == {"epoch-a": [(2, 3)]}
    assert paper.account.to_ask() == {"epoch-a": [(2, 3)]}
    assert paper.finding(2, replayed=True) is Verdict.REPAIRED
    assert paper.account.missing() == {"epoch-a": [(3, 3)]}
    assert paper.account.repaired() == {"epoch-a": [(2, 2)]}
    assert paper.coverage(3, replayed=True) is Verdict.REPAIRED
    assert paper.account.missing() == {}
    assert paper.account.to_ask() == {}


def test_state_and_health_tell_of_messages_that_nothing_came_after(paper: Paper) -> None:
    paper.finding(1)
    assert paper.account.missing() == {}
    assert paper.health(4) is Verdict.NOTED
    assert paper.account.missing() == {"epoch-a": [(2, 3)]}
    assert paper.state(6) is Verdict.NOTED
    assert paper.account.missing() == {"epoch-a": [(2, 5)]}
    assert paper.account.next_seq("epoch-a") == 6


def test_what_is_no_longer_kept_cannot_be_asked_for(paper: Paper) -> None:
    paper.state(20, oldest_kept=8)
    for seq in (1, 2, 6, 12):
        paper.finding(seq)
    assert paper.account.missing() == {"epoch-a": [(3, 5), (7, 11), (13, 19)]}
    assert paper.account.to_ask() == {"epoch-a": [(8, 11), (13, 19)]}
    paper.health(20, outbox_oldest_kept=None)
    assert paper.account.to_ask() == {}


def test_what_the_device_gave_up_is_expired_and_not_missing(paper: Paper) -> None:
    paper.finding(1)
    paper.state(10, expired=[(2, 5)])
    assert paper.account.missing() == {"epoch-a": [(6, 9)]}
    assert paper.account.expired() == {"epoch-a": [(2, 5)]}
    paper.finding(3, replayed=True)
    assert paper.account.expired() == {"epoch-a": [(2, 2), (4, 5)]}


def test_epochs_stand_side_by_side_and_only_the_present_one_is_asked_for(paper: Paper) -> None:
    paper.state(5)
    paper.finding(4)
    paper.epoch = "epoch-b"
    paper.state(3)
    assert paper.account.epochs() == ["epoch-a", "epoch-b"]
    assert paper.account.missing() == {"epoch-a": [(1, 3)], "epoch-b": [(1, 2)]}
    assert paper.account.to_ask() == {"epoch-b": [(1, 2)]}
    paper.epoch = "epoch-a"
    assert paper.finding(2, replayed=True) is Verdict.REPAIRED
    assert paper.account.missing()["epoch-a"] == [(1, 1), (3, 3)]
    assert paper.account.received("never heard of") == 0


def test_the_same_numbers_of_two_devices_are_two_messages() -> None:
    ledger = Ledger()
    left, right = Paper(ledger, device="left"), Paper(ledger, device="right")
    elsewhere = Paper(ledger, site="clinic-b", device="left")
    assert [each.finding(1) for each in (left, right, elsewhere)] == [Verdict.NEW] * 3
    assert set(ledger.devices()) == {("clinic-a", "left"), ("clinic-a", "right"), ("clinic-b", "left")}


def test_order_is_held_per_stream_and_lane(paper: Paper) -> None:
    paper.finding(5, stream="left")
    paper.finding(3, stream="right")
    paper.finding(1, stream="left", replayed=True)
    assert paper.account.violations == 0
    paper.finding(2, stream="right")
    assert paper.account.violations == 1
    paper.finding(2, stream="right")
    assert paper.account.violations == 1, "a duplicate is no news, late or not"


def test_replay_may_begin_again_after_a_reconnection_or_a_request_but_live_never_goes_back(paper: Paper) -> None:
    paper.state(20)
    paper.finding(5, replayed=True)
    paper.finding(3, replayed=True)
    assert paper.account.violations == 1
    paper.state(20)
    paper.finding(2, replayed=True)
    for number, kind in enumerate(("request", "response")):
        assert paper.ledger.feed(f"edge/v1/clinic-a/cart-7/{kind}/findings/resend", b'{"id":"1"}') is Verdict.NOTED
        paper.finding(11 - number, replayed=True)
    assert paper.account.violations == 1
    paper.finding(19)
    paper.state(20)
    paper.finding(18)
    assert paper.account.violations == 2


def test_time_decides_nothing(paper: Paper) -> None:
    paper.finding(1, at="2030-01-01T00:00:00Z", mono_ns=9)
    paper.finding(2, at="1970-01-01T00:00:00Z", mono_ns=1)
    assert paper.account.violations == 0
    assert paper.account.missing() == {}


def test_the_will_of_an_earlier_run_is_stale(paper: Paper) -> None:
    paper.state(1)
    paper.run_id = "run-2"
    paper.state(1)
    assert paper.will("run-1") is Verdict.STALE
    assert paper.account.run_id == "run-2"
    assert paper.will("run-2") is Verdict.NOTED


def test_a_device_that_is_known_by_its_will_alone(paper: Paper) -> None:
    assert paper.will("run-1", retained=True) is Verdict.NOTED
    assert paper.account.missing() == {}
    assert paper.account.to_ask() == {}


def test_who_came_later_counts_from_there() -> None:
    paper = Paper(Ledger(whole=False))
    paper.state(100, retained=True)
    assert paper.account.missing() == {}, "a retained state is old: that much has been made since is not known"
    paper.finding(5000)
    paper.health(5003)
    assert paper.account.missing() == {"epoch-a": [(5001, 5002)]}
    assert paper.finding(4999, replayed=True) is Verdict.NEW
    assert paper.finding(5001, replayed=True) is Verdict.REPAIRED
    paper.epoch = "epoch-b"
    paper.state(3)
    assert paper.account.missing()["epoch-b"] == [(1, 2)], "of a new epoch we heard the beginning"


def test_an_older_state_does_not_take_back_what_is_known(paper: Paper) -> None:
    paper.health(10, outbox_oldest_kept=7)
    paper.state(4, retained=True, oldest_kept=1)
    assert paper.account.next_seq("epoch-a") == 10
    assert paper.account.to_ask() == {"epoch-a": [(7, 9)]}


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("edge/v1/clinic-a/cart-7/findings/cart", b"\xff"),
        ("edge/v1/clinic-a/cart-7/findings/cart", b"[]"),
        ("edge/v1/clinic-a/cart-7/findings/cart", b'{"schema":"finding/2"}'),
        ("edge/v1/clinic-a/cart-7/state", b""),
        ("edge/v1/clinic-a/cart-7/state", b'{"device":"other","run_id":"r","schema":"state/1"}'),
        ("edge/v1/clinic-a/cart-7/health", b'{"device":"other","schema":"health/1"}'),
        ("edge/v1/clinic-a/cart-7/health", b'{"device":"cart-7","schema":"health/1","outbox_next_seq":0}'),
        ("edge/v1/clinic-a/cart-7/results/cart", b"{}"),
        ("edge/v1/clinic-a/cart-7/request/findings/resend", b"{}"),
        ("edge/v1/clinic-a", b"{}"),
        ("somewhere/else", b"{}"),
        ("", b""),
    ],
)
def test_what_is_not_ours(topic: str, payload: bytes) -> None:
    ledger = Ledger()
    assert ledger.feed(topic, payload) is Verdict.NOT_OURS
    assert not ledger.devices()


def test_a_message_on_the_topic_of_another_is_not_ours(paper: Paper) -> None:
    assert paper.finding(1, device="cart-8") is Verdict.NOT_OURS
    assert paper.finding(0) is Verdict.NOT_OURS
    assert paper.finding(1, epoch="") is Verdict.NOT_OURS
    assert not paper.ledger.devices()


@given(st.binary(max_size=40) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(msgspec.json.encode))
def test_nothing_that_is_fed_can_break_it(payload: bytes) -> None:
    ledger = Ledger()
    for suffix in ("state", "health", "findings/a", "coverage/a", "request/findings/resend"):
        assert ledger.feed(f"edge/v1/s/d/{suffix}", payload) is Verdict.NOT_OURS


@given(st.integers(1, 60), st.sets(st.integers(1, 60)), st.sets(st.integers(1, 60)), st.randoms(use_true_random=False))
def test_the_account_is_right_whatever_was_lost_repeated_and_shuffled(
    made: int, lost: set[int], repeated: set[int], dice: random.Random
) -> None:
    paper = Paper(Ledger())
    sent = [seq for seq in range(1, made + 1) if seq not in lost]
    again = [seq for seq in sent if seq in repeated]
    everything = sent + again
    dice.shuffle(everything)
    verdicts = [paper.finding(seq) for seq in everything]
    paper.state(made + 1)
    gone = lost & set(range(1, made + 1))
    missing = [n for first, last in paper.account.missing().get("epoch-a", []) for n in range(first, last + 1)]
    assert set(missing) == gone
    assert len(missing) == len(gone)
    assert paper.account.duplicates == len(again) == verdicts.count(Verdict.DUPLICATE)
    assert paper.account.received("epoch-a") == len(sent)
    for seq in gone:
        assert paper.finding(seq, replayed=True) is Verdict.REPAIRED
    assert paper.account.missing() == {}
    assert paper.account.received_ranges("epoch-a") == [(1, made)]


def test_a_million_messages_cost_a_range_each_gap(paper: Paper) -> None:
    paper.state(1_000_001)
    for seq in range(1, 2001):
        if seq % 500:
            paper.coverage(seq)
    assert len(paper.account.received_ranges("epoch-a")) == 4
    assert paper.account.missing() == {"epoch-a": [(500, 500), (1000, 1000), (1500, 1500), (2000, 1_000_000)]}
