"""Statistics for `health`: what a short interval cannot tell is None, and no number that looks like one."""

from __future__ import annotations

import pytest

from edge.pipeline import stats as module
from edge.pipeline.stats import Stats


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def judge(stats: Stats, make, clock: list[float], frames: int, every_s: float) -> None:
    for seq in range(frames):
        stats.add(make.clear(seq))
        clock[0] += every_s


def test_a_rate_is_known_after_a_second_and_not_before(clock: list[float], make) -> None:
    stats = Stats()
    clock[0] += 5.0  # a model is loaded
    assert stats.snapshot()["fps"] is None
    stats.add(make.clear())
    clock[0] += 0.005
    first = stats.snapshot()
    assert (first["fps"], first["frames"]) == (None, 1)
    clock[0] += 0.035
    judge(stats, make, clock, 25, 0.04)
    assert stats.snapshot()["fps"] == pytest.approx(25.0, abs=1.0)


def test_a_report_soon_after_another_does_not_change_the_rate(clock: list[float], make) -> None:
    stats = Stats()
    judge(stats, make, clock, 50, 0.04)
    rate = stats.snapshot()["fps"]
    stats.add(make.clear())
    clock[0] += 0.002
    assert stats.snapshot()["fps"] == rate
    clock[0] += 2.0
    assert stats.snapshot()["fps"] == pytest.approx(0.5, abs=0.01)
    clock[0] += 2.0
    assert stats.snapshot()["fps"] == 0.0, "nothing is judged any more: that is known"
