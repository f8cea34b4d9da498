"""Holes in the times of packets: where a frame is missing, and where frames were only shown for longer."""

from __future__ import annotations

import random

import pytest

from edge.sources.time_holes import PAUSE_NS, TimeHoles

STEP = 40_000_000


def holes(times: list[int], keys: tuple[int, ...] = (0,), *, ended: bool = True) -> list[tuple[int, int | None, int]]:
    """First time affected, time of the next key frame, and frames missing, of each hole."""
    found = TimeHoles()
    for index, at in enumerate(times):
        found.add(at, index in keys)
    return [(hole.begin, hole.end, hole.missing) for hole in found.find(ended=ended)]


def regular(count: int, lost: tuple[int, ...] = (), step: int = STEP) -> list[int]:
    return [number * step for number in range(count) if number not in lost]


def test_a_constant_rate_has_none() -> None:
    assert holes(regular(100)) == []
    assert holes([]) == holes([0]) == holes([0, STEP]) == []


def test_one_frame_and_several_in_a_row() -> None:
    times = regular(100, (20, 50, 51, 52))
    assert holes(times, (0, 24)) == [(21 * STEP, 25 * STEP, 1), (53 * STEP, None, 3)]


@pytest.mark.parametrize("rate", [7, 15, 23.976, 29.97, 30, 60, 120])
def test_times_rounded_to_milliseconds(rate: float) -> None:
    times = [round(number * 1000 / rate) * 1_000_000 for number in range(200) if number != 77]
    assert [missing for _, _, missing in holes(times)] == [1]
    assert holes([round(number * 1000 / rate) * 1_000_000 for number in range(200)]) == []


def test_a_variable_rate_has_none() -> None:
    dice = random.Random(1)
    jitter = [number * STEP + dice.randrange(STEP // 4) for number in range(200) if number != 90]
    changes = [number * STEP if number < 100 else 100 * STEP + (number - 100) * STEP * 3 // 2 for number in range(200)]
    sparse = sorted(dice.sample(range(400), 200))
    for times in (jitter, changes, [number * STEP for number in sparse]):
        assert holes(times) == []


def test_a_pause_is_none() -> None:
    times = regular(50)
    assert holes(times + [at + times[-1] + PAUSE_NS + STEP for at in times]) == []


def reordered(count: int) -> list[int]:
    """Times of I B B P B B P … in the order of the file, each frame that others need before those shown before it."""
    return [0, *(at * STEP for last in range(3, count, 3) for at in (last, last - 2, last - 1))]


def test_frames_that_are_shown_before_the_missing_one_may_be_predicted_from_it() -> None:
    times = reordered(60)
    times.remove(30 * STEP)
    ((begin, end, missing),) = holes(times, (0, times.index(45 * STEP)))
    assert begin == 28 * STEP
    assert (end, missing) == (45 * STEP, 1)


@pytest.mark.parametrize("lost", [1, 2])
def test_a_clip_trimmed_at_its_end_lacks_nothing(lost: int) -> None:
    assert holes(reordered(60)[:-lost]) == []


def test_packets_that_may_still_come_are_no_hole() -> None:
    found = TimeHoles()
    for at in reordered(60)[:-2]:
        found.add(at, False)
    assert found.find(ended=False) == []
    for at in reordered(60)[-2:]:
        found.add(at, False)
    assert found.find(ended=True) == []


def test_a_hole_is_told_once() -> None:
    found = TimeHoles()
    for at in regular(300, (100,)):
        found.add(at, at == 0)
    assert len(found.find(ended=False)) == 1
    assert found.find(ended=True) == []
