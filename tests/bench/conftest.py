"""Benchmark reports for tests, as a run would have written them, with times that the test chooses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from timed_frames import samples_of

from edge.bench.machine_description import describe_machine
from edge.bench.quantile_intervals import summarise
from edge.bench.report import BenchmarkReport, BenchmarkSetup, FrameCounts
from edge.bench.samples import TIMES
from edge.contracts.finding import ModelRef

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def report() -> Callable[..., BenchmarkReport]:
    """Maker of benchmark reports: ``report(times, words, warm_up=0, **setup)``."""

    def make(times: Any, words: list[str] | None = None, warm_up: int = 0, **setup: Any) -> BenchmarkReport:
        samples = samples_of([float(value) for value in np.asarray(times)], words, warm_up)
        counts = samples.counts()
        return BenchmarkReport(
            kind="path",
            at="2026-01-01T00:00:00Z",
            machine=describe_machine(),
            setup=msgspec.structs.replace(
                BenchmarkSetup(
                    model=ModelRef(name="breast", version="1", sha256="a" * 64),
                    runtime="litert://",
                    isolated=True,
                    source="phantoms",
                    streams=1,
                    fps=10.0,
                    deadline_ms=100.0,
                    warm_up=warm_up,
                    broker="mosquitto",
                    outbox="ext4",
                ),
                **setup,
            ),
            stages={name: summarise(samples.column(name)) for name in TIMES},
            frames=FrameCounts(
                answered=sum(counts.values()),
                results=counts,
                uncomputed=int(samples.rows().sum() - samples.countable().sum()),
                dropped=0,
                late=0,
                missed=sum(number for word, number in counts.items() if word.startswith("no_result")),
                unacknowledged=0,
                unrecorded=0,
                restarts=0,
                fallback=False,
            ),
            samples=samples.as_columns(),
        )

    return make
