"""Benchmark runs, from what the user asked for to a report: read this first of the package."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge.app.compose import choose_model
from edge.bench.interrupt import Interrupt
from edge.bench.loadgen import RULES, run_loadgen
from edge.bench.machine_description import describe_machine, filesystem
from edge.bench.measured_run import RunPlan, run_measured
from edge.bench.quantile_intervals import summarise
from edge.bench.rendered_frames import HEIGHT, PICTURES, WIDTH
from edge.bench.report import BenchmarkReport, BenchmarkSetup, FrameCounts
from edge.bench.samples import TIMES
from edge.bench.stage_notes import stage_notes
from edge.bench.startup import measure_startup
from edge.bench.sustained import SensorLog, by_minute
from edge.bench.sweep import sweep
from edge.bench.throughput import from_times, throughput
from edge.broker.embedded_broker import start_broker
from edge.config.uri import parse_uri
from edge.contracts.errors import DeviceError
from edge.process.cores import allowed_cores, fit_affinity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.app.compose import RuntimeModel
    from edge.bench.measured_run import RunMeasurements
    from edge.bench.report import Kind
    from edge.bench.samples import Samples
    from edge.bench.sweep import SweepRow
    from edge.config.settings import Settings

    Progress = Callable[[float, str], None]
    """Called with a share from 0 to 1 and a few words for people, as often as there is something new."""

FEED = f"{PICTURES} phantom frames, {WIDTH}x{HEIGHT} RGB, rendered before the run"


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkRequest:
    """What the user asked ``edge-cli benchmark`` to measure on the frame path."""

    settings: Settings
    """``streams`` empty: ready phantom frames."""
    broker: str | None = None
    """URI of the broker; None: one of our own, where there is one."""
    own_broker: bool = True
    """False: no broker at all."""
    fps: float = 30.0
    """Of ready frames; 0: as fast as it goes."""
    streams: int = 1
    deadline_ms: float | None = None
    """None: until the next frame."""
    frames: int = 600
    warm_up: int = 30
    flat_out: int = 300
    """Frames of the second run, as fast as it goes; 0: none."""
    sustained_s: float | None = None
    state_dir: Path | None = None


def benchmark(request: BenchmarkRequest, progress: Progress) -> BenchmarkReport:
    """Benchmark of the frame path: start-up, the paced run, then, for ready frames, as fast as it goes.

    Raises `EdgeError`.
    """
    model = choose_model(request.settings)
    with ExitStack() as stack:
        interrupt = stack.enter_context(Interrupt())
        progress(0.0, "starting")
        startup = measure_startup(request.settings, model)
        broker, broker_name = _broker(request, stack)
        plan = _plan(request, broker)
        log = stack.enter_context(SensorLog()) if request.sustained_s else None
        measured = run_measured(plan, _stop_paced(request, interrupt, progress))
        fastest = None
        once = bool(request.settings.streams or request.sustained_s or not request.fps or interrupt.requested)
        # Where the broker went away in the first run, what that has measured is not risked for a second one.
        if request.flat_out and not once and not measured.unacknowledged:
            plan = replace(plan, fps=0.0, frames=request.flat_out)
            fastest = run_measured(plan, _stop_flat_out(request, interrupt, progress)).samples
        samples = measured.samples
        paced = bool(request.fps) and not request.settings.streams
        waits = paced or bool(samples.column("capture", None).size)  # for the next frame, that is
        if fastest is None and not waits:
            fastest = samples
        setup = _setup(request, model, paced, broker_name, measured)
        return BenchmarkReport(
            kind="sustained" if request.sustained_s else "path",
            at=_now(),
            interrupted=interrupt.requested,
            machine=describe_machine(),
            setup=setup,
            startup=startup,
            stages={stage: summarise(samples.column(stage)) for stage in TIMES},
            notes=stage_notes(samples, paced, not request.settings.streams, broker_name),
            frames=_frames(measured, setup.deadline_ms),
            throughput=throughput(fastest) if fastest is not None else None,
            memory=measured.memory,
            minutes=by_minute(samples, "path" if broker else "result", measured.began_s, log.readings) if log else [],
            samples=samples.as_columns(),
        )


def _plan(request: BenchmarkRequest, broker: str | None) -> RunPlan:
    """The paced run; ``broker``: its URI, or None."""
    return RunPlan(
        settings=request.settings,
        broker=broker,
        fps=request.fps,
        streams=request.streams,
        affinity=fit_affinity(request.settings.affinity, allowed_cores()),
        warm_up=request.warm_up,
        frames=0 if request.sustained_s else request.frames,
        state_dir=request.state_dir,
    )


def _setup(
    request: BenchmarkRequest, model: RuntimeModel, paced: bool, broker_name: str | None, measured: RunMeasurements
) -> BenchmarkSetup:
    runtime = request.settings.runtime
    return BenchmarkSetup(
        model=model.ref,
        runtime=runtime.uri,
        isolated=runtime.isolated,
        source=_source(request.settings),
        streams=len(request.settings.streams) or request.streams,
        fps=request.fps if paced else None,
        deadline_ms=request.deadline_ms or (1e3 / request.fps if paced else None),
        warm_up=request.warm_up,
        broker=broker_name,
        outbox=filesystem(measured.outbox.parent.resolve()),
    )


def run_scenario(settings: Settings, name: Kind, rules: str, progress: Progress) -> BenchmarkReport:
    """Run one scenario of MLCommons LoadGen. Raises `EdgeError`."""
    model = choose_model(settings)
    with Interrupt() as interrupt:
        progress(0.0, "starting")
        seconds = RULES[rules].min_seconds
        result, queries, stopped = run_loadgen(
            settings,
            name,
            RULES[rules],
            lambda: interrupt.requested,
            lambda at_s, frames: progress(min(1.0, at_s / seconds), f"{frames} frames"),
        )
        startup = measure_startup(settings, model)
    computed = np.array([not word.startswith("no_result") for word in queries.result], bool)
    answered = np.array(queries.answered_s, np.float64)[computed]
    latency = np.array(queries.latency_ms, np.float64)[computed]
    return BenchmarkReport(
        kind=name,
        at=_now(),
        interrupted=stopped,
        machine=describe_machine(),
        setup=BenchmarkSetup(
            model=model.ref,
            runtime=settings.runtime.uri,
            isolated=settings.runtime.isolated,
            source=FEED,
            streams=1,
            fps=None,
            deadline_ms=None,
            warm_up=0,
            broker=None,
            outbox=None,
        ),
        startup=startup,
        stages={} if name == "offline" else {"result": summarise(latency)},
        throughput=from_times(answered, int((~computed).sum())),
        loadgen=result,
        samples={
            "query": list(queries.query),
            "answered_s": [round(value, 6) for value in queries.answered_s],
            "computed": computed.astype(int).tolist(),
            "result": list(queries.result),
            "result_ms": [round(value, 4) for value in queries.latency_ms],
        },
    )


def run_sweep(
    settings: Settings,
    models: Sequence[Path | None],
    runtimes: Sequence[str],
    threads: Sequence[int],
    progress: Progress,
) -> BenchmarkReport:
    """Measure all combinations of threads, runtimes and models. Raises `EdgeError` for a model that cannot be read."""
    rows: list[SweepRow] = []
    with Interrupt() as interrupt:
        progress(0.0, "starting")
        for row in sweep(settings, models, runtimes, threads, lambda: interrupt.requested):
            rows.append(row)
            progress(0.0, f"{len(rows)} measured, last {row.runtime}")
        model = choose_model(settings)
    return BenchmarkReport(
        kind="sweep",
        at=_now(),
        interrupted=interrupt.requested,
        machine=describe_machine(),
        setup=BenchmarkSetup(
            model=model.ref,
            runtime=", ".join(runtimes) or "all",
            isolated=settings.runtime.isolated,
            source=FEED,
            streams=1,
            fps=None,
            deadline_ms=None,
            warm_up=0,
            broker=None,
            outbox=filesystem(Path(tempfile.gettempdir()).resolve()),
        ),
        sweep=rows,
    )


def _broker(request: BenchmarkRequest, stack: ExitStack) -> tuple[str | None, str | None]:
    """(URI, what it is) of the broker; (None, None) where there is none."""
    if request.broker is not None:
        return request.broker, parse_uri(request.broker).redacted()
    if not request.own_broker:
        return None, None
    try:
        own = stack.enter_context(start_broker())
    except DeviceError:
        return None, None
    return own.uri, f"{own.name}, started for this run on loopback"


def _stop_paced(request: BenchmarkRequest, interrupt: Interrupt, progress: Progress) -> Callable[[Samples], bool]:
    """Ends the paced run at Ctrl-C or when its time is over, and tells ``progress`` at every turn."""

    def stop(samples: Samples) -> bool:
        done = len(samples)
        if request.sustained_s:
            at_s = samples.answered_s[-1] if done else 0.0
            progress(min(1.0, at_s / request.sustained_s), f"{done} frames")
            return interrupt.requested or at_s >= request.sustained_s
        progress(min(1.0, done / (request.warm_up + request.frames)), f"{done} frames")
        return interrupt.requested

    return stop


def _stop_flat_out(request: BenchmarkRequest, interrupt: Interrupt, progress: Progress) -> Callable[[Samples], bool]:
    """Ends the run as fast as it goes at Ctrl-C, and tells ``progress`` at every turn."""

    def stop(samples: Samples) -> bool:
        progress(len(samples) / (request.warm_up + request.flat_out), f"{len(samples)} frames, as fast as it goes")
        return interrupt.requested

    return stop


def _frames(measured: RunMeasurements, deadline_ms: float | None) -> FrameCounts:
    samples = measured.samples
    counts = samples.counts()
    late = missed = None
    if deadline_ms is not None:
        late = int((samples.column("result") > deadline_ms).sum())
        lost = sum(number for word, number in counts.items() if word.startswith("no_result"))
        missed = late + lost + measured.dropped
    return FrameCounts(
        answered=sum(counts.values()),
        results=counts,
        uncomputed=int(samples.rows().sum() - samples.countable().sum()),
        dropped=measured.dropped,
        late=late,
        missed=missed,
        unacknowledged=measured.unacknowledged,
        unrecorded=measured.unrecorded,
        restarts=measured.restarts,
        fallback=measured.fallback,
    )


def _source(settings: Settings) -> str:
    if not settings.streams:
        return FEED
    return ", ".join(parse_uri(stream.source).redacted() for stream in settings.streams)


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
