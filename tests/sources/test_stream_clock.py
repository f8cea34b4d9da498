"""The clock of a stream: its time stamps on this machine's clock, whatever delays and drifts there are."""

from __future__ import annotations

import random

import pytest

from edge.sources.live.late_frames import LATE_NS, PATIENCE_NS, LateFrames
from edge.sources.live.reader import LiveOptions
from edge.sources.live.silence import DEFAULT_S, INTERVALS, MOST_AGE_S, SilenceLimit
from edge.sources.live.stream_clock import MOST_DRIFT, SETTLED_FRAMES, WINDOW_NS, StreamClock

MS = 1_000_000
PERIOD = 33 * MS
OFFSET = 7_000_000_000_000


def mapped(delays_ms: list[float], drift_ppm: float = 0.0) -> list[float]:
    """By how many ms each frame's time is wrong, if it arrives after these delays, the first known at its arrival."""
    clock, errors = StreamClock(), []
    for number, delay in enumerate(delays_ms):
        true = number * PERIOD
        stamp = round(true * (1 + drift_ppm * 1e-6)) + OFFSET
        clock.note(stamp, true + round(delay * MS))
        errors.append((clock.captured_ns(stamp) - true) / MS)
    return errors


def test_the_smallest_delay_is_that_of_the_clocks() -> None:
    chance = random.Random(1)
    errors = mapped([2 + chance.expovariate(1 / 20) for _ in range(2000)])
    assert max(errors[100:]) < 4
    assert min(errors) >= 2


def test_a_frame_that_is_late_is_known_to_be_old() -> None:
    errors = mapped([2.0] * 100 + [900.0] * 5)
    assert errors[-1] == pytest.approx(2.0)


@pytest.mark.parametrize("drift_ppm", [-100.0, 100.0])
def test_a_slow_drift_is_followed(drift_ppm: float) -> None:
    errors = mapped([2.0] * 60_000, drift_ppm)
    assert max(abs(error - 2.0) for error in errors) <= abs(drift_ppm) * 1e-6 * WINDOW_NS / MS + 0.1


@pytest.mark.parametrize("slower", [0.005, 0.02, 0.2])
def test_a_delay_that_grows_is_no_drift(slower: float) -> None:
    """A network that is a little too slow: what waits in it grows older each second, and must not count as fresh."""
    errors = mapped([2.0 + slower * number * PERIOD / MS for number in range(9000)])
    passed_ms = 9000 * PERIOD / MS * (1 + slower)
    assert errors[-1] <= 2.0 + MOST_DRIFT * passed_ms
    assert errors[-1] < slower * passed_ms / 2


def test_a_camera_that_counts_by_a_rate_it_does_not_have_is_followed() -> None:
    errors = mapped([2.0] * 20_000, drift_ppm=-1000.0)
    assert max(abs(error - 2.0) for error in errors) <= 0.001 * WINDOW_NS / MS + 0.1


def test_stamps_that_jump_ahead_are_believed_from_then_on() -> None:
    clock = StreamClock()
    clock.note(0, 10)
    clock.note(5_000_000_000, PERIOD)
    assert clock.captured_ns(5_000_000_000) == PERIOD


def test_the_first_frames_settle_the_clock() -> None:
    """A server that is just starting sends its first frames late: they would all be called younger than they are."""
    quick, slow = StreamClock(), StreamClock()
    assert not quick.is_settled
    for number in range(SETTLED_FRAMES):
        assert not quick.is_settled
        quick.note(number * PERIOD, number * PERIOD + 5)
    assert quick.is_settled
    slow.note(0, 5)
    assert not slow.is_settled
    slow.note(1_000_000_000, 1_000_000_000)
    assert slow.is_settled


def test_late_frames_are_left_out_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [10_000_000_000]
    monkeypatch.setattr("edge.sources.live.late_frames.time.monotonic_ns", lambda: now[0])
    late = LateFrames()
    assert not late.leaves_out(now[0] - LATE_NS + 1)
    assert late.leaves_out(now[0] - LATE_NS)
    assert late.leaves_out(now[0] - LATE_NS)
    assert late.take_count() == 2
    assert late.take_count() == 0
    now[0] += PATIENCE_NS + 1
    with pytest.raises(Exception, match="late"):
        late.leaves_out(now[0] - LATE_NS)


def test_the_limit_of_silence_follows_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("edge.sources.live.silence.time.monotonic", lambda: now[0])
    limit = SilenceLimit(LiveOptions(first_frame_s=4.0))
    assert limit.left_s() == 4.0
    for _ in range(5):
        limit.note_frame()
        now[0] += 0.03
    assert limit.limit_s == DEFAULT_S
    limit.begin()
    for _ in range(5):
        limit.note_frame()
        now[0] += 1.0
    assert limit.limit_s == pytest.approx(INTERVALS)
    chosen = SilenceLimit(LiveOptions(silence_s=0.3))
    chosen.note_frame()
    assert chosen.limit_s == 0.3


def test_a_picture_that_is_taken_late_does_not_put_off_the_word_of_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("edge.sources.live.silence.time.monotonic", lambda: now[0])
    limit = SilenceLimit(LiveOptions())
    for age_s in (0.0, 0.2, 0.01, 0.4, -1.0, 0.1):
        limit.note_frame(age_s)
        assert limit.left_s() == pytest.approx(DEFAULT_S - min(max(age_s, 0.0), MOST_AGE_S))
        now[0] += 0.03
    chosen = SilenceLimit(LiveOptions(silence_s=0.3))
    chosen.note_frame(0.25)
    assert chosen.left_s() == pytest.approx(0.3)
