"""Overload: frames dropped for half a minute are told, a moment's drops are not, and it ends when they stop."""

from __future__ import annotations

from edge.pipeline.overload import OverloadWatch


class Seconds:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def reports(watch: OverloadWatch, clock: Seconds, drops: list[int]) -> list[bool]:
    """What the watch says once a second, while ``drops`` more frames are dropped in each."""
    answers, dropped = [], watch._dropped
    for more in drops:
        dropped += more
        clock.now += 1.0
        answers.append(watch.overloaded(dropped))
    return answers


def test_frames_dropped_for_thirty_seconds_are_an_overload_until_they_stop() -> None:
    clock = Seconds()
    watch = OverloadWatch(clock)
    assert not any(reports(watch, clock, [5] * 30))
    assert all(reports(watch, clock, [5] * 10))
    assert reports(watch, clock, [0] * 5) == [True, True, False, False, False]
    assert not any(reports(watch, clock, [5] * 30))  # it takes as long again
    assert reports(watch, clock, [5]) == [True]


def test_a_short_pause_ends_no_overload() -> None:
    clock = Seconds()
    watch = OverloadWatch(clock)
    assert reports(watch, clock, [3, 0, 1] * 20)[-1]


def test_a_burst_and_single_drops_are_none() -> None:
    clock = Seconds()
    watch = OverloadWatch(clock)
    assert not any(reports(watch, clock, [1000] * 10 + [0] * 100))
    assert not any(reports(watch, clock, [1, 0, 0, 0] * 50))
