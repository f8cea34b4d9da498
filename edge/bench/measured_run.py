"""One measured run of the whole path: the daemon's loop in this process, its runtime and its publisher in their own.

What differs from `edge-cli run`: no supervisor, the sources are wrapped in a stopwatch, and each frame with a lesion is
published, where a daemon publishes what is new or changed.
"""

from __future__ import annotations

import tempfile
import uuid
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from edge.app.compose import choose_model, make_guard
from edge.app.envelope import EnvelopeMaker
from edge.bench.process_memory import ProcessMemory, measure_memory
from edge.bench.publisher_process import PublisherProcess
from edge.bench.rendered_frames import RenderedFrames
from edge.bench.samples import WARM_UP, Samples
from edge.bench.stage_timing import StageTimer, TimedAnalyser, TimedFrameLink, TimedSource
from edge.config.settings import AffinitySettings, SinkSettings, StreamSettings
from edge.contracts.errors import DeviceError
from edge.pipeline import loop
from edge.pipeline.capture import FrameCapture
from edge.pipeline.messages import Messages, Provenance
from edge.pipeline.reporter import Reporter
from edge.pipeline.stream_metadata import add_stream_metadata
from edge.plugins import make_source
from edge.process.cores import set_cpu_affinity

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.config.settings import Settings
    from edge.contracts.ports import Source
    from edge.contracts.tensors import RuntimeSpec

EVERY_FRAME_S = 1e-6
"""A lesion is published again after so long: with every frame."""
CLOSE_S = 5.0
NO_AFFINITY = AffinitySettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """What to run."""

    settings: Settings
    """``streams`` empty: the feed of ready phantom frames."""
    broker: str | None
    """URI; None: messages end in the outbox, and no acknowledgement is measured."""
    fps: float = 0.0
    """Of the feed; 0: as fast as it goes."""
    streams: int = 1
    """Of the feed."""
    affinity: AffinitySettings = NO_AFFINITY
    """Cores that each process keeps to, as far as this machine has them; this one keeps to its own from then on."""
    warm_up: int = 30
    """Frames of all streams together that are kept apart, at the beginning."""
    frames: int = 300
    """To measure after them; 0: until stopped or until the sources have ended."""
    state_dir: Path | None = None
    """Where the outbox is made, in a folder of its own; None: the system's folder for temporary files."""


@dataclass(slots=True)
class RunMeasurements:
    """What came of it."""

    samples: Samples
    spec: RuntimeSpec
    outbox: Path
    """The folder that the outbox was in; gone now."""
    dropped: int = 0
    """Frames after the warm-up that were captured and never judged, because newer ones came."""
    unacknowledged: int = 0
    """Frames whose message the broker had not acknowledged, some seconds after the end."""
    unrecorded: int = 0
    """Messages that the outbox had no room for."""
    restarts: int = 0
    """Of the runtime: it hung, or died."""
    fallback: bool = False
    """A fall-back computed at the end, not the runtime that was asked for."""
    began_s: float = 0.0
    """Monotonic time of the first frame's capture, in seconds."""
    memory: ProcessMemory = field(default_factory=lambda: ProcessMemory({}, {}))


def measure(plan: RunPlan, watch: Callable[[Samples], bool]) -> RunMeasurements:
    """Run ``plan``. ``watch`` is called at every turn of the loop, and ends the run by saying True.

    Raises:
        EdgeError: what a daemon would not start for.
    """
    settings = _settings(plan)
    model = choose_model(settings)
    names = [stream.name for stream in settings.streams]
    timer = StageTimer(names)
    sources = {name: _source(plan, stream, timer) for name, stream in zip(names, settings.streams, strict=True)}
    with ExitStack() as stack:
        guard = make_guard(settings, model, isolated=settings.runtime.isolated, cores=plan.affinity.runtime)
        set_cpu_affinity(plan.affinity.frame)
        analyser = TimedAnalyser(model.manifest, guard, timer)
        stack.callback(analyser.close)
        folder = Path(stack.enter_context(_temporary_folder(plan.state_dir)))
        settings = msgspec.structs.replace(settings, state_dir=str(folder))
        run_id = str(uuid.uuid4())
        publisher = stack.enter_context(PublisherProcess(settings, run_id, plan.affinity))
        frame_link = TimedFrameLink(folder, publisher.ours, timer.samples)
        stack.callback(frame_link.close, CLOSE_S)
        messages = Messages(
            EnvelopeMaker("benchmark", run_id).fields, Provenance(model.manifest, model.ref, image_ref=False)
        )
        reporter = Reporter(settings, messages, frame_link, each_turn=frame_link.listen)
        publisher.await_broker(frame_link)
        capture = FrameCapture(
            {name: source for name, (source, _) in sources.items()},
            add_stream_metadata(settings.streams),
            settings.streams,
        )
        stack.callback(capture.close)

        def dropped() -> int:
            skipped = sum(source.skipped for _, source in sources.values() if isinstance(source, RenderedFrames))
            return sum(capture.dropped.values()) + skipped

        dropped_before: int | None = None

        def stopped() -> bool:
            nonlocal dropped_before
            done = len(timer.samples)
            if dropped_before is None and done >= plan.warm_up:
                dropped_before = dropped()
            return watch(timer.samples) or bool(plan.frames and done >= plan.warm_up + plan.frames)

        loop.run(capture, analyser, reporter, stopped)
        dropped_after = dropped()
        publisher.drain(frame_link)
        frame_link.close(CLOSE_S)  # all stamps of the writer are there now
        measured = RunMeasurements(
            timer.samples, guard.spec, folder, restarts=guard.restarts, fallback=guard.ref.fallback
        )
        measured.began_s = timer.began_ns / 1e9
        measured.memory = measure_memory()
        measured.unacknowledged = frame_link.settle(timer.began_ns, plan.broker is not None)
        measured.unrecorded = frame_link.refused
        measured.dropped = 0 if dropped_before is None else dropped_after - dropped_before
    samples = measured.samples
    for row in range(min(plan.warm_up, len(samples))):
        samples.phase[row] = WARM_UP
    return measured


def _settings(plan: RunPlan) -> Settings:
    settings = plan.settings
    streams = settings.streams or [
        StreamSettings(name=f"feed-{number + 1}", source="phantom://?seed=1&lesions=1")
        for number in range(plan.streams)
    ]
    return msgspec.structs.replace(
        settings,
        site="benchmark",
        device="benchmark",
        streams=streams,
        sinks=[] if plan.broker is None else [SinkSettings(uri=plan.broker)],
        tracking=msgspec.structs.replace(settings.tracking, update_every_s=EVERY_FRAME_S),
    )


def _source(plan: RunPlan, stream: StreamSettings, timer: StageTimer) -> tuple[TimedSource, Source]:
    source: Source
    if plan.settings.streams:
        source = make_source(stream)
        timer.source(stream.name, captures=source.live, decodes=not source.live)
    else:
        source = RenderedFrames(stream.name, plan.fps, 0)
        timer.source(stream.name, captures=source.live, decodes=False)
    return TimedSource(source, timer, from_ask=not source.live), source


def _temporary_folder(parent: Path | None) -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix="sonoedge-benchmark-", dir=parent, ignore_cleanup_errors=True)
    except OSError as error:
        where = parent or tempfile.gettempdir()
        raise DeviceError(
            f"no folder for the outbox can be made in {where}: {error.strerror}", hint="give another --state-dir"
        ) from None
