"""From what the user asked for to a report: READ THIS FIRST of the package."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge.app.compose import choose_model
from edge.bench.interrupt import Interrupt
from edge.bench.loadgen import RULES, run_loadgen
from edge.bench.machine_description import describe, filesystem
from edge.bench.measured_run import RunPlan, measure
from edge.bench.quantiles import summarise
from edge.bench.rendered_frames import HEIGHT, PICTURES, WIDTH
from edge.bench.report import BenchmarkReport, BenchmarkSetup, FrameCounts
from edge.bench.samples import TIMES
from edge.bench.stage_notes import notes_of
from edge.bench.startup import start_up
from edge.bench.sustained import SensorLog, by_minute
from edge.bench.sweep import sweep
from edge.bench.throughput import from_times, throughput
from edge.broker.embedded_broker import start_broker
from edge.config.uri import parse_uri
from edge.contracts.errors import DeviceError
from edge.process.cores import allowed_cores, fit_affinity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.bench.measured_run import RunMeasurements
    from edge.bench.report import Kind
    from edge.bench.samples import Samples
    from edge.bench.sweep import SweepRow
    from edge.config.settings import Settings

    Progress = Callable[[float, str], None]
    """Told a share from 0 to 1 and a few words, at any rate."""

FEED = f"{PICTURES} phantom frames, {WIDTH}x{HEIGHT} RGB, rendered before the run"


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkRequest:
    """What the user asked for."""

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
    """Start-up, then the paced run, then, for ready frames, as fast as it goes. Raises `EdgeError`."""
    model = choose_model(request.settings)
    runtime = request.settings.runtime
    with ExitStack() as stack:
        interrupt = stack.enter_context(Interrupt())
        progress(0.0, "starting")
        startup = start_up(request.settings, model)
        broker, name = _broker(request, stack)
        affinity = fit_affinity(request.settings.affinity, allowed_cores())
        plan = RunPlan(
            settings=request.settings,
            broker=broker,
            fps=request.fps,
            streams=request.streams,
            affinity=affinity,
            warm_up=request.warm_up,
            frames=0 if request.sustained_s else request.frames,
            state_dir=request.state_dir,
        )
        log = stack.enter_context(SensorLog()) if request.sustained_s else None
        measured = measure(plan, _watch(request, interrupt, progress))
        flat = None
        once = bool(request.settings.streams or request.sustained_s or not request.fps or interrupt.seen)
        # Where the broker went away in the first run, what that has measured is not risked for a second one.
        if request.flat_out and not once and not measured.unacknowledged:
            flat = measure(
                RunPlan(
                    settings=request.settings,
                    broker=broker,
                    streams=request.streams,
                    affinity=affinity,
                    warm_up=request.warm_up,
                    frames=request.flat_out,
                    state_dir=request.state_dir,
                ),
                lambda samples: _flat(samples, request, interrupt, progress),
            )
        samples = measured.samples
        paced = bool(request.fps) and not request.settings.streams
        waits = paced or bool(samples.column("capture", None).size)  # for the next frame, that is
        fastest = flat.samples if flat is not None else None if waits else samples
        deadline_ms = request.deadline_ms or (1e3 / request.fps if paced else None)
        return BenchmarkReport(
            kind="sustained" if request.sustained_s else "path",
            at=_now(),
            interrupted=interrupt.seen,
            machine=describe(),
            setup=BenchmarkSetup(
                model=model.ref,
                runtime=runtime.uri,
                isolated=runtime.isolated,
                source=_source(request.settings),
                streams=len(request.settings.streams) or request.streams,
                fps=request.fps if paced else None,
                deadline_ms=deadline_ms,
                warm_up=request.warm_up,
                broker=name,
                outbox=filesystem(measured.outbox.parent.resolve()),
            ),
            startup=startup,
            stages={stage: summarise(samples.column(stage)) for stage in TIMES},
            notes=notes_of(samples, paced, not request.settings.streams, name),
            frames=_frames(measured, deadline_ms),
            throughput=throughput(fastest) if fastest is not None else None,
            memory=measured.memory,
            minutes=by_minute(samples, "path" if broker else "result", measured.began_s, log.looks) if log else [],
            samples=samples.as_columns(),
        )


def scenario(settings: Settings, name: Kind, rules: str, progress: Progress) -> BenchmarkReport:
    """One scenario of LoadGen's. Raises `EdgeError`."""
    model = choose_model(settings)
    with Interrupt() as interrupt:
        progress(0.0, "starting")
        seconds = RULES[rules].min_seconds
        result, queries, stopped = run_loadgen(
            settings,
            name,
            RULES[rules],
            lambda: interrupt.seen,
            lambda at_s, frames: progress(min(1.0, at_s / seconds), f"{frames} frames"),
        )
        startup = start_up(settings, model)
    computed = np.array([not word.startswith("no_result") for word in queries.result], bool)
    answered = np.array(queries.answered_s, np.float64)[computed]
    latency = np.array(queries.latency_ms, np.float64)[computed]
    return BenchmarkReport(
        kind=name,
        at=_now(),
        interrupted=stopped,
        machine=describe(),
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


def swept(
    settings: Settings,
    models: Sequence[Path | None],
    runtimes: Sequence[str],
    threads: Sequence[int],
    progress: Progress,
) -> BenchmarkReport:
    """Threads x runtimes x models. Raises `EdgeError` for a model that cannot be read."""
    rows: list[SweepRow] = []
    with Interrupt() as interrupt:
        progress(0.0, "starting")
        for row in sweep(settings, models, runtimes, threads, lambda: interrupt.seen):
            rows.append(row)
            progress(0.0, f"{len(rows)} measured, last {row.runtime}")
        model = choose_model(settings)
    return BenchmarkReport(
        kind="sweep",
        at=_now(),
        interrupted=interrupt.seen,
        machine=describe(),
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


def _watch(request: BenchmarkRequest, interrupt: Interrupt, progress: Progress) -> Callable[[Samples], bool]:
    def watch(samples: Samples) -> bool:
        done = len(samples)
        if request.sustained_s:
            at_s = samples.answered_s[-1] if done else 0.0
            progress(min(1.0, at_s / request.sustained_s), f"{done} frames")
            return interrupt.seen or at_s >= request.sustained_s
        progress(min(1.0, done / (request.warm_up + request.frames)), f"{done} frames")
        return interrupt.seen

    return watch


def _flat(samples: Samples, request: BenchmarkRequest, interrupt: Interrupt, progress: Progress) -> bool:
    progress(len(samples) / (request.warm_up + request.flat_out), f"{len(samples)} frames, as fast as it goes")
    return interrupt.seen


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
