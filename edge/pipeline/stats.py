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
WINDOW = 4096
"""Frames of one interval whose times are kept; later ones only count."""


class Stats:
    """Counters and stage times of all streams together."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._times: defaultdict[str, list[float]] = defaultdict(list)
        self._began = time.monotonic()
        self._frames_before = 0

    def add(self, result: Result) -> None:
        """Count one result and keep its times."""
        self._counts["frames"] += 1
        self._counts[result.status.value] += 1
        for stage in STAGES:
            if stage in result.latency_ms and len(self._times[stage]) < WINDOW:
                self._times[stage].append(result.latency_ms[stage])

    def snapshot(self) -> dict[str, float | int | None]:
        """Numbers as `Health` names them; begins a new interval."""
        now = time.monotonic()
        frames = self._counts["frames"]
        numbers: dict[str, float | int | None] = {
            name: self._counts[name] for name in ("frames", "finding", "clear", "abstained", "no_result")
        }
        numbers["fps"] = precision.frames_per_second((frames - self._frames_before) / max(now - self._began, 1e-3))
        for stage in STAGES:
            values = self._times[stage]
            numbers[f"{stage}_p50_ms"] = precision.milliseconds(percentile(values, 0.5)) if values else None
            numbers[f"{stage}_p99_ms"] = precision.milliseconds(percentile(values, 0.99)) if values else None
        numbers["queue_age_ms"] = self._times["total"][-1] if self._times["total"] else None
        self._times.clear()
        self._began, self._frames_before = now, frames
        return numbers
