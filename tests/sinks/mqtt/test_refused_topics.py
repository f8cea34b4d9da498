"""Refused topics are paused one by one, longer each time, and the messages held for them come back."""

from __future__ import annotations

import pytest
from fake_clock import FakeClock

from edge.sinks.mqtt.refused_topics import HELD_LIMIT, RefusedTopics


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def refused_topics(clock: FakeClock) -> RefusedTopics:
    return RefusedTopics(clock)


def test_pauses_grow_up_to_a_minute_and_end_with_success(refused_topics: RefusedTopics, clock: FakeClock) -> None:
    pauses = []
    for _ in range(9):
        assert refused_topics.mark_refused("coverage/a", "refused")
        start = clock.now
        while refused_topics.is_paused("coverage/a"):
            clock.now += 0.5
        pauses.append(clock.now - start)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    refused_topics.mark_accepted("coverage/a")
    assert refused_topics.problems() == []
    assert refused_topics.mark_refused("coverage/a", "refused")
    clock.now += 1
    assert not refused_topics.is_paused("coverage/a")


def test_refusals_of_what_was_already_on_its_way_do_not_count_again(
    refused_topics: RefusedTopics, clock: FakeClock
) -> None:
    assert refused_topics.mark_refused("coverage/a", "refused")
    assert not refused_topics.mark_refused("coverage/a", "refused")
    clock.now += 1
    assert not refused_topics.is_paused("coverage/a")


def test_each_topic_is_paused_by_itself(refused_topics: RefusedTopics) -> None:
    refused_topics.mark_refused("coverage/a", "refused")
    assert not refused_topics.is_paused("findings/a")
    refused_topics.mark_accepted("findings/a")
    assert refused_topics.problems() == ["refused"]


def test_what_waits_comes_back_when_the_pause_is_over(refused_topics: RefusedTopics, clock: FakeClock) -> None:
    refused_topics.mark_refused("coverage/a", "no_subscriber")
    assert refused_topics.hold("coverage/a", 3)
    assert refused_topics.hold("coverage/a", 4)
    assert refused_topics.take_retryable() == []
    refused_topics.mark_accepted("coverage/a")  # of a message sent before: it does not end the pause
    clock.now += 1
    assert refused_topics.take_retryable() == [3, 4]
    assert refused_topics.take_retryable() == []
    assert refused_topics.problems() == ["no_subscriber"]


def test_the_next_connection_starts_anew(refused_topics: RefusedTopics) -> None:
    refused_topics.mark_refused("coverage/a", "refused")
    refused_topics.hold("coverage/a", 1)
    refused_topics.hold_until_reconnect(2)
    assert refused_topics.problems() == ["message_too_large", "refused"]
    assert sorted(refused_topics.take_all()) == [1, 2]
    assert refused_topics.problems() == []
    assert not refused_topics.is_paused("coverage/a")


def test_there_is_an_end_to_waiting(refused_topics: RefusedTopics) -> None:
    refused_topics.mark_refused("coverage/a", "refused")
    assert all(refused_topics.hold("coverage/a", seq) for seq in range(HELD_LIMIT))
    assert not refused_topics.hold("coverage/a", HELD_LIMIT)
