"""Statistics of the frame process: counters since the start, and times of the last interval, for `health`."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from edge.contracts import precision
from edge.quantiles import percentile

if TYPE_CHECKING:
    from edge.contracts.frame_result import Result

STAGES = ("preprocess", "infer", "postprocess", "total")
RATE_INTERVAL_S = 1.0
"""A frame rate over less time says more of the moment than of the device: until then the last one holds."""
WINDOW = 4096
"""Frames of one interval whose times are kept; later ones only count."""


class Stats:
    """Counters and stage times of all streams together."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._times: defaultdict[str, list[float]] = defaultdict(list)
        self._rate_from: tuple[float, int] | None = None
        """Time, and frames by then, that the frame rate is counted from; None: no frame was judged yet."""
        self._fps: float | None = None

    def add(self, result: Result) -> None:
        """Count one result and keep its times."""
        self._counts["frames"] += 1
        if self._rate_from is None:  # not from the start: loading a model is no slow frame
            self._rate_from = (time.monotonic(), 1)
        self._counts[result.status.value] += 1
        for stage in STAGES:
            if stage in result.latency_ms and len(self._times[stage]) < WINDOW:
                self._times[stage].append(result.latency_ms[stage])

    def snapshot(self) -> dict[str, float | int | None]:
        """Numbers as `Health` names them; begins a new interval."""
        self._measure_rate()
        numbers: dict[str, float | int | None] = {
            name: self._counts[name] for name in ("frames", "finding", "clear", "abstained", "no_result")
        }
        numbers["fps"] = self._fps
        for stage in STAGES:
            values = self._times[stage]
            numbers[f"{stage}_p50_ms"] = precision.milliseconds(percentile(values, 0.5)) if values else None
            numbers[f"{stage}_p99_ms"] = precision.milliseconds(percentile(values, 0.99)) if values else None
        numbers["queue_age_ms"] = self._times["total"][-1] if self._times["total"] else None
        self._times.clear()
        return numbers

    def _measure_rate(self) -> None:
        """Take the frame rate, and begin to count anew, if that was for long enough."""
        if self._rate_from is None:
            return
        (began, before), now = self._rate_from, time.monotonic()
        if now - began >= RATE_INTERVAL_S:
            frames = self._counts["frames"]
            self._fps = precision.frames_per_second((frames - before) / (now - began))
            self._rate_from = (now, frames)
