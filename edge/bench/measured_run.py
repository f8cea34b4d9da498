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

from edge.app.compose import choose_model, clip_step_of, make_guard
from edge.app.envelope import EnvelopeMaker
from edge.bench.process_memory import ProcessMemory, measure_memory
from edge.bench.publisher_process import PublisherProcess
from edge.bench.rendered_frames import RenderedFrames
from edge.bench.samples import WARM_UP
from edge.bench.stage_timing import StageTimer, TimedAnalyser, TimedFrameLink, TimedSource
from edge.config.settings import AffinitySettings, SinkSettings, StreamSettings
from edge.config.tracking_settings import AT_ONCE
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

    from edge.bench.samples import Samples
    from edge.config.settings import Settings
    from edge.contracts.ports import Source
    from edge.contracts.tensors import RuntimeSpec
    from edge.pipeline.guard import RuntimeGuard

EVERY_FRAME_S = 1e-6
"""A lesion is published again after so long: with every frame."""
CLOSE_S = 5.0
NO_AFFINITY = AffinitySettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """What one measured run of the frame path does, and with what."""

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
    """What one measured run gave: samples, counts of failures, memory."""

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


def run_measured(plan: RunPlan, stop_when: Callable[[Samples], bool]) -> RunMeasurements:
    """Run ``plan`` and measure it. ``stop_when`` is called at every turn of the loop, and ends the run by True.

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
        frame_link = TimedFrameLink(folder, publisher.frame_socket, timer.samples)
        stack.callback(frame_link.close, CLOSE_S)
        provenance = Provenance(model.manifest, model.ref, image_ref=False)
        messages = Messages(EnvelopeMaker("benchmark", run_id).fields, provenance)
        step = clip_step_of(settings, model)
        each_turn = frame_link.read_acknowledgements
        reporter = Reporter(settings, messages, frame_link, each_turn=each_turn, clip_step=step)
        publisher.wait_for_broker(frame_link)
        timed = {name: source for name, (source, _) in sources.items()}
        capture = FrameCapture(timed, add_stream_metadata(settings.streams), settings.streams)
        stack.callback(capture.close)
        drops = _DropCounter(capture, [source for _, source in sources.values()])

        def stopped() -> bool:
            done = len(timer.samples)
            if done >= plan.warm_up:
                drops.begin()
            return stop_when(timer.samples) or bool(plan.frames and done >= plan.warm_up + plan.frames)

        loop.run(capture, analyser, reporter, stopped)
        drops.end()
        publisher.drain(frame_link)
        frame_link.close(CLOSE_S)  # all stamps of the writer are there now
        measured = _measurements(timer, guard, folder, frame_link, plan.broker is not None)
        measured.dropped = drops.counted
    _mark_warm_up(measured.samples, plan.warm_up)
    return measured


class _DropCounter:
    """Frames that were captured and never judged, from the end of the warm-up to the end of the loop."""

    def __init__(self, capture: FrameCapture, sources: list[Source]) -> None:
        self._capture = capture
        self._rendered = [source for source in sources if isinstance(source, RenderedFrames)]
        self._before: int | None = None
        self._after = 0

    def begin(self) -> None:
        """Count from now on; only the first call does something."""
        if self._before is None:
            self._before = self._total()

    def end(self) -> None:
        """End the count: later drops are not part of it."""
        self._after = self._total()

    @property
    def counted(self) -> int:
        """Dropped frames between `begin` and `end`; 0 if it never began."""
        return 0 if self._before is None else self._after - self._before

    def _total(self) -> int:
        return sum(self._capture.dropped.values()) + sum(source.skipped for source in self._rendered)


def _measurements(
    timer: StageTimer, guard: RuntimeGuard, folder: Path, frame_link: TimedFrameLink, with_broker: bool
) -> RunMeasurements:
    measured = RunMeasurements(timer.samples, guard.spec, folder, restarts=guard.restarts, fallback=guard.ref.fallback)
    measured.began_s = timer.began_ns / 1e9
    measured.memory = measure_memory()
    measured.unacknowledged = frame_link.fill_in_delivery_times(timer.began_ns, with_broker)
    measured.unrecorded = frame_link.refused
    return measured


def _mark_warm_up(samples: Samples, frames: int) -> None:
    for row in range(min(frames, len(samples))):
        samples.phase[row] = WARM_UP


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
        tracking=msgspec.structs.replace(settings.tracking, update_every_s=EVERY_FRAME_S, confirm=AT_ONCE),
    )


def _source(plan: RunPlan, stream: StreamSettings, timer: StageTimer) -> tuple[TimedSource, Source]:
    source: Source
    if plan.settings.streams:
        source = make_source(stream)
        timer.set_source_kind(stream.name, captures=source.live, decodes=not source.live)
    else:
        source = RenderedFrames(stream.name, plan.fps, 0)
        timer.set_source_kind(stream.name, captures=source.live, decodes=False)
    return TimedSource(source, timer, from_ask=not source.live), source


def _temporary_folder(parent: Path | None) -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix="sonoedge-benchmark-", dir=parent, ignore_cleanup_errors=True)
    except OSError as error:
        where = parent or tempfile.gettempdir()
        raise DeviceError(
            f"no folder for the outbox can be made in {where}: {error.strerror}", hint="give another --state-dir"
        ) from None
