"""Refused topics rest by themselves, longer each time, and what waits for them comes back."""

from __future__ import annotations

import pytest

from edge.sinks.mqtt.refused_topics import WAITING_LIMIT, RefusedTopics


class Watch:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def refused_topics(watch: Watch) -> RefusedTopics:
    return RefusedTopics(watch)


def test_pauses_grow_up_to_a_minute_and_end_with_success(refused_topics: RefusedTopics, watch: Watch) -> None:
    pauses = []
    for _ in range(9):
        assert refused_topics.refused("coverage/a", "refused")
        start = watch.now
        while refused_topics.rests("coverage/a"):
            watch.now += 0.5
        pauses.append(watch.now - start)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    refused_topics.accepted("coverage/a")
    assert refused_topics.problems() == []
    assert refused_topics.refused("coverage/a", "refused")
    watch.now += 1
    assert not refused_topics.rests("coverage/a")


def test_refusals_of_what_was_already_on_its_way_do_not_count_again(
    refused_topics: RefusedTopics, watch: Watch
) -> None:
    assert refused_topics.refused("coverage/a", "refused")
    assert not refused_topics.refused("coverage/a", "refused")
    watch.now += 1
    assert not refused_topics.rests("coverage/a")


def test_each_topic_rests_by_itself(refused_topics: RefusedTopics) -> None:
    refused_topics.refused("coverage/a", "refused")
    assert not refused_topics.rests("findings/a")
    refused_topics.accepted("findings/a")
    assert refused_topics.problems() == ["refused"]


def test_what_waits_comes_back_when_the_pause_is_over(refused_topics: RefusedTopics, watch: Watch) -> None:
    refused_topics.refused("coverage/a", "no_subscriber")
    assert refused_topics.wait("coverage/a", 3)
    assert refused_topics.wait("coverage/a", 4)
    assert refused_topics.due() == []
    refused_topics.accepted("coverage/a")  # of a message sent before: it does not end the pause
    watch.now += 1
    assert refused_topics.due() == [3, 4]
    assert refused_topics.due() == []
    assert refused_topics.problems() == ["no_subscriber"]


def test_the_next_connection_starts_anew(refused_topics: RefusedTopics) -> None:
    refused_topics.refused("coverage/a", "refused")
    refused_topics.wait("coverage/a", 1)
    refused_topics.wait_for_another_broker(2)
    assert refused_topics.problems() == ["message_too_large", "refused"]
    assert sorted(refused_topics.forget()) == [1, 2]
    assert refused_topics.problems() == []
    assert not refused_topics.rests("coverage/a")


def test_there_is_an_end_to_waiting(refused_topics: RefusedTopics) -> None:
    refused_topics.refused("coverage/a", "refused")
    assert all(refused_topics.wait("coverage/a", seq) for seq in range(WAITING_LIMIT))
    assert not refused_topics.wait("coverage/a", WAITING_LIMIT)
