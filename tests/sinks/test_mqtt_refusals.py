"""Refused topics rest by themselves, longer each time, and what waits for them comes back."""

from __future__ import annotations

import pytest

from edge.sinks.mqtt_refusals import WAITING_LIMIT, Refusals


class Watch:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def refusals(watch: Watch) -> Refusals:
    return Refusals(watch)


def test_pauses_grow_up_to_a_minute_and_end_with_success(refusals: Refusals, watch: Watch) -> None:
    pauses = []
    for _ in range(9):
        assert refusals.refused("coverage/a", "refused")
        start = watch.now
        while refusals.rests("coverage/a"):
            watch.now += 0.5
        pauses.append(watch.now - start)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    refusals.accepted("coverage/a")
    assert refusals.problems() == []
    assert refusals.refused("coverage/a", "refused")
    watch.now += 1
    assert not refusals.rests("coverage/a")


def test_refusals_of_what_was_already_on_its_way_do_not_count_again(refusals: Refusals, watch: Watch) -> None:
    assert refusals.refused("coverage/a", "refused")
    assert not refusals.refused("coverage/a", "refused")
    watch.now += 1
    assert not refusals.rests("coverage/a")


def test_each_topic_rests_by_itself(refusals: Refusals) -> None:
    refusals.refused("coverage/a", "refused")
    assert not refusals.rests("findings/a")
    refusals.accepted("findings/a")
    assert refusals.problems() == ["refused"]


def test_what_waits_comes_back_when_the_pause_is_over(refusals: Refusals, watch: Watch) -> None:
    refusals.refused("coverage/a", "no_subscriber")
    assert refusals.wait("coverage/a", 3)
    assert refusals.wait("coverage/a", 4)
    assert refusals.due() == []
    refusals.accepted("coverage/a")  # of a message sent before: it does not end the pause
    watch.now += 1
    assert refusals.due() == [3, 4]
    assert refusals.due() == []
    assert refusals.problems() == ["no_subscriber"]


def test_the_next_connection_starts_anew(refusals: Refusals) -> None:
    refusals.refused("coverage/a", "refused")
    refusals.wait("coverage/a", 1)
    refusals.wait_for_another_broker(2)
    assert refusals.problems() == ["message_too_large", "refused"]
    assert sorted(refusals.forget()) == [1, 2]
    assert refusals.problems() == []
    assert not refusals.rests("coverage/a")


def test_there_is_an_end_to_waiting(refusals: Refusals) -> None:
    refusals.refused("coverage/a", "refused")
    assert all(refusals.wait("coverage/a", seq) for seq in range(WAITING_LIMIT))
    assert not refusals.wait("coverage/a", WAITING_LIMIT)
