"""Claims that contradict each other: what is contested shows as missing, and is counted, however they are mixed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from device_messages import DeviceMessages
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.fleet import disputed_count, expired_claims
from edge.fleet.disputed_count import DISPUTES
from edge.fleet.expired_claims import CONFIRMATIONS, CONTRADICTIONS, ExpiredClaims
from edge.fleet.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge.fleet.ranges import Range

HOLES = {3, 4, 6, 7, 8}
FORGED: list[Range] = [(3, 8)]


@pytest.fixture
def holed(device: DeviceMessages) -> DeviceMessages:
    """A device of which 3, 4 and 6 to 8 are missing, and 9 was made last."""
    for seq in (1, 2, 5, 9):
        device.finding(seq)
    return device


def health(device: DeviceMessages, next_seq: int, **outbox: Any) -> None:
    """Feed a fresh claim of the outbox, as a health message."""
    device.health(next_seq, **{f"outbox_{name}": value for name, value in outbox.items()})


def missing(device: DeviceMessages) -> set[int]:
    return numbers(device.device_ledger.missing().get(device.epoch, []))


def numbers(ranges: Iterable[Range]) -> set[int]:
    return {number for first, last in ranges for number in range(first, last + 1)}


@pytest.mark.parametrize("forged_in_a_row", [1, 2, 4])
def test_a_forged_range_that_is_repeated_between_true_claims_hides_nothing(
    holed: DeviceMessages, forged_in_a_row: int
) -> None:
    shown = []
    for _ in range(20):
        for _ in range(forged_in_a_row):
            health(holed, 10, expired=FORGED)
        health(holed, 10)
        shown.append(missing(holed))
    assert shown[CONTRADICTIONS - 1 :] == [HOLES] * (21 - CONTRADICTIONS)
    assert holed.device_ledger.expired() == {}
    assert holed.device_ledger.implausible == 1


def test_what_is_contested_shows_as_missing_between_the_claims_too(holed: DeviceMessages) -> None:
    for _ in range(CONTRADICTIONS):
        health(holed, 10, expired=FORGED)
        health(holed, 10)
    for _ in range(CONFIRMATIONS - 1):
        health(holed, 10, expired=FORGED)
        assert missing(holed) == HOLES
    health(holed, 10, expired=FORGED)
    assert missing(holed) == set(), "as many in a row as are believed"
    health(holed, 10)
    assert missing(holed) == HOLES
    assert holed.device_ledger.implausible == 2


def test_only_the_contested_part_of_a_range_is_taken_back(holed: DeviceMessages) -> None:
    for _ in range(20):
        health(holed, 10, expired=[(3, 8)])
        health(holed, 10, expired=[(3, 4)])
    assert holed.device_ledger.expired() == {holed.epoch: [(3, 4)]}
    assert missing(holed) == {6, 7, 8}


def test_retained_claims_neither_contest_nor_confirm(holed: DeviceMessages) -> None:
    health(holed, 10, expired=[(3, 3)])
    for _ in range(10):
        holed.state(10, retained=True)
    assert missing(holed) == HOLES - {3}
    for _ in range(CONTRADICTIONS):
        health(holed, 10)
    for _ in range(10):
        holed.state(10, retained=True, expired=[(3, 3)])
    assert missing(holed) == HOLES


def test_an_old_state_that_comes_again_now_and_then_contests_nothing(
    holed: DeviceMessages, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (disputed_count, expired_claims):
        monkeypatch.setattr(module, "QUIET_CLAIMS", 10)
    for _ in range(10):
        holed.state(6)
        for _ in range(12):
            health(holed, 10, expired=[(3, 3)])
    assert holed.device_ledger.expired() == {holed.epoch: [(3, 3)]}
    assert holed.device_ledger.implausible == 0


def test_a_device_that_was_wronged_is_believed_again(holed: DeviceMessages, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (disputed_count, expired_claims):
        monkeypatch.setattr(module, "QUIET_CLAIMS", 10)
    for _ in range(CONTRADICTIONS):
        health(holed, 10, expired=[(3, 3)])
        health(holed, 10)
    assert missing(holed) == HOLES
    for _ in range(CONFIRMATIONS + 10):
        health(holed, 10, expired=[(3, 3)])
    health(holed, 10)
    assert missing(holed) == HOLES - {3}, "doubts are forgotten: one late claim contests nothing"


def test_alternating_claims_of_the_next_number_are_counted_and_hide_nothing(holed: DeviceMessages) -> None:
    for _ in range(DISPUTES + 1):
        health(holed, 3)
        health(holed, 13)
    assert missing(holed) == HOLES | {10, 11, 12}
    assert holed.device_ledger.implausible == 1


def test_a_forged_higher_number_between_true_ones_is_counted(holed: DeviceMessages) -> None:
    for forged in range(1000, 1000 + DISPUTES):
        health(holed, forged, expired=[(10, 999)])
        health(holed, 10)
    assert missing(holed) >= HOLES | {10, 999}
    assert holed.device_ledger.implausible >= 1


def test_a_forged_oldest_kept_does_not_hide_what_can_be_asked_for(holed: DeviceMessages) -> None:
    for _ in range(DISPUTES):
        health(holed, 10, oldest_kept=10)
        health(holed, 10, oldest_kept=1)
    assert holed.device_ledger.implausible == 1
    health(holed, 10, oldest_kept=10)
    assert numbers(holed.device_ledger.requestable()[holed.epoch]) == HOLES
    for _ in range(CONFIRMATIONS):
        health(holed, 10, oldest_kept=7)
    assert numbers(holed.device_ledger.requestable()[holed.epoch]) == {7, 8}


forged_claims = st.fixed_dictionaries({
    "next_seq": st.integers(1, 25),
    "oldest_kept": st.none() | st.integers(1, 25),
    "expired": st.lists(st.tuples(st.integers(1, 20), st.integers(0, 8)).map(lambda r: (r[0], sum(r))), max_size=4),
})  # fmt: skip


@settings(deadline=None, max_examples=150)
@given(st.lists(forged_claims, min_size=1, max_size=8), st.integers(1, 3), st.booleans())
def test_however_claims_are_mixed_what_is_missing_shows_or_the_forgery_does(
    forged: list[dict[str, Any]], true_ones: int, counts_on: bool
) -> None:
    """Some forged claims, then some true ones, again and again."""
    device = DeviceMessages(Ledger())
    made = 9
    for seq in (1, 2, 5, made):
        device.finding(seq)
    for number in range(1, 13):
        for fields in forged:
            health(device, **fields)
        for _ in range(true_ones):
            made += counts_on
            health(device, made + 1, expired=[(7, 7)])
        if number >= CONTRADICTIONS and not device.device_ledger.implausible:
            assert missing(device) >= {3, 4, 6, 8, *range(10, made + 1)}


@settings(deadline=None)
@given(st.lists(st.lists(st.tuples(st.integers(1, 400), st.integers(0, 5)), max_size=9), max_size=60))
def test_memory_stays_limited_however_claims_contradict(claims: list[list[tuple[int, int]]]) -> None:
    one = ExpiredClaims()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(expired_claims, "CONTESTED_RANGES", 10)
        patched.setattr(expired_claims, "EXPIRED_RANGES", 30)
        for ranges in claims:
            one.claim([(first, first + more) for first, more in ranges], 1000, fresh=True)
            sets = [getattr(one, name) for name in ("_contradicted", "_confirmed")]
            assert all(len(part) <= 60 for kind in sets for part in kind)
            assert len(one.contested) <= 10
            assert len(one.believed) <= 60
