"""Sweep over threads, runtimes and models: one after the other, each started anew; what fails says why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from edge.app.compose import choose_model
from edge.bench.measured_run import RunPlan, run_measured
from edge.bench.quantile_intervals import QuantileSummary, summarise
from edge.bench.startup import Parity, measure_startup
from edge.bench.throughput import throughput
from edge.config.uri import parse_uri
from edge.contracts.errors import EdgeError
from edge.contracts.placement import Placement
from edge.plugins import schemes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from edge.bench.samples import Samples
    from edge.bench.startup import Startup
    from edge.config.settings import Settings
    from edge.contracts.finding import ModelRef

FRAMES, WARM_UP = 200, 20
"""Of each combination, as fast as it goes."""
NOT_SWEPT = ("scripted", "auto")
"""One computes nothing, the other is one of the rest: not swept unless they are named."""


class SweepRow(msgspec.Struct, frozen=True, kw_only=True):
    """Measurements of one combination, times in milliseconds.

    ``problem`` set: it gave no numbers, for this reason.
    """

    runtime: str
    """URI."""
    threads: int | None
    """None: this runtime does not choose threads."""
    model: str
    sha256: str
    problem: str | None = None
    version: str | None = None
    delegate: str | None = None
    load_ms: float | None = None
    first_ms: float | None = None
    invoke: QuantileSummary | None = None
    fps: float | None = None
    """Of the whole loop, capture to outbox."""
    fps_low: float | None = None
    fps_high: float | None = None
    failed: int = 0
    """Frames without a result."""
    parity: Parity | None = None
    placement: Placement | None = None
    pss_mb: float | None = None
    peak_mb: float | None = None


def combinations(runtimes: Sequence[str], threads: Sequence[int]) -> list[tuple[str, list[tuple[str, int]]]]:
    """Runtimes to sweep, each with its numbers of threads: those named, else all but `NOT_SWEPT`.

    Returns (URI as it is, [(URI with threads, threads)]) of each runtime.
    """
    uris = list(runtimes) or [f"{scheme}://" for scheme in schemes("runtimes") if scheme not in NOT_SWEPT]
    found = []
    for uri in uris:
        takes = "threads" not in parse_uri(uri).params and parse_uri(uri).scheme not in NOT_SWEPT
        joint = "&" if "?" in uri else "?"
        found.append((uri, [(f"{uri}{joint}threads={number}", number) for number in threads] if takes else []))
    return found


def sweep(
    settings: Settings,
    models: Sequence[Path | None],
    runtimes: Sequence[str],
    threads: Sequence[int],
    interrupted: Callable[[], bool],
) -> Iterator[SweepRow]:
    """Measure each combination and give its row as soon as it is there.

    Raises `EdgeError` only for a model that cannot be read: nothing could be swept.
    """
    for path in models:
        of_model = msgspec.structs.replace(settings, model=None if path is None else str(path))
        for plain, with_threads in combinations(runtimes, threads):
            for uri, number in with_threads:
                row = _row(of_model, uri, number, interrupted)
                if row.problem is not None and "does not know the parameter 'threads'" in row.problem:
                    yield _row(of_model, plain, None, interrupted)
                    break
                yield row
                if row.problem is not None or interrupted():
                    break  # it would fail the same way with more threads
            if not with_threads:
                yield _row(of_model, plain, None, interrupted)
            if interrupted():
                return


def _row(settings: Settings, uri: str, threads: int | None, interrupted: Callable[[], bool]) -> SweepRow:
    runtime = msgspec.structs.replace(settings.runtime, uri=uri, fallback=[])
    settings = msgspec.structs.replace(settings, runtime=runtime)
    model = choose_model(settings)
    try:
        startup = measure_startup(settings, model)
        if startup.parity is not None and startup.parity.problems:
            return _failed(uri, threads, model.ref, startup.parity.problems[0], startup)

        def stop(samples: Samples) -> bool:
            return interrupted()

        measured = run_measured(RunPlan(settings=settings, broker=None, warm_up=WARM_UP, frames=FRAMES), stop)
    except EdgeError as error:
        return _failed(uri, threads, model.ref, error.message)
    samples, rate = measured.samples, throughput(measured.samples)
    lost = int(samples.rows().sum() - samples.countable().sum())
    return SweepRow(
        runtime=uri,
        threads=threads,
        model=model.ref.name,
        sha256=model.ref.sha256,
        problem=f"{lost} of {FRAMES} frames had no result" if lost else None,
        version=startup.version,
        delegate=startup.delegate,
        load_ms=startup.load_ms,
        first_ms=startup.first_ms,
        invoke=summarise(samples.column("invoke")),
        fps=None if rate is None else rate.fps,
        fps_low=None if rate is None else rate.low,
        fps_high=None if rate is None else rate.high,
        failed=lost,
        parity=startup.parity,
        placement=startup.placement,
        pss_mb=measured.memory.pss_total,
        peak_mb=measured.memory.peak_total,
    )


def _failed(uri: str, threads: int | None, model: ModelRef, problem: str, startup: Startup | None = None) -> SweepRow:
    return SweepRow(
        runtime=uri,
        threads=threads,
        model=model.name,
        sha256=model.sha256,
        problem=problem,
        parity=None if startup is None else startup.parity,
        placement=None if startup is None else startup.placement,
    )
