"""Benchmark samples for tests, with times that the test chooses."""

from __future__ import annotations

from edge.bench.samples import WARM_UP, Samples


def samples_of(times: list[float], results: list[str] | None = None, warm_up: int = 0, step_s: float = 0.1) -> Samples:
    """Make samples: a row for each of ``times`` (to the result, in ms), one every ``step_s``.

    The invoke took half of each time.
    """
    samples = Samples()
    for number, (value, result) in enumerate(zip(times, results or ["finding"] * len(times), strict=True)):
        at = step_s * number
        row = {"invoke": value / 2, "result": value, "path": value + 1.0, "ack": 0.5}
        samples.add(0, number, at, at + value / 1e3, result, row)
        if number < warm_up:
            samples.phase[number] = WARM_UP
    return samples
