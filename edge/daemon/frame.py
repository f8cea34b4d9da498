"""The frame process: sources, preprocessing, runtime, post-processing, and the outbox that findings are kept in.

Run as ``python -m edge.daemon.frame`` by the supervisor only.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import msgspec

from edge import __version__
from edge.app.compose import choose_model, make_guard
from edge.app.handover import OutboxHandover
from edge.app.logs import set_up_logs
from edge.app.stamper import Stamper
from edge.config.uri import parse_uri
from edge.contracts.errors import EdgeError
from edge.contracts.report import FrameNumbers, Report
from edge.contracts.state import StreamState
from edge.daemon.job import DaemonJob
from edge.daemon.orders import OrderTaker, StoppedStreams
from edge.pipeline import loop
from edge.pipeline.analyser import Analyser
from edge.pipeline.enrich import enricher
from edge.pipeline.intake import Intake
from edge.pipeline.messages import Messages, Provenance
from edge.pipeline.reporter import Reporter
from edge.plugins import make_source
from edge.process.child import inherit
from edge.process.cores import keep_to
from edge.process.heartbeat import beat
from edge.process.memory import give_back, share_arenas

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from edge.app.compose import Model
    from edge.contracts.ports import Source
    from edge.pipeline.guard import Guard
    from edge.pipeline.stats import Stats

log = logging.getLogger("edge.daemon.frame")  # run as __main__

CLOSE_TIMEOUT_S = 1.0
"""For the outbox to write what was handed over: the supervisor waits a little longer than this."""


def make_report(
    job: DaemonJob, model: Model, guard: Guard, intake: Intake, stats: Stats, stopped: Sequence[str] = ()
) -> Report:
    """What the publisher makes `state` and `health` of. ``stopped``: streams that were asked to stop."""
    return Report(
        version=__version__,
        model=model.ref,
        runtime=guard.ref,
        streams=[
            StreamState(name=stream.name, source=parse_uri(stream.source).redacted(), stopped=stream.name in stopped)
            for stream in job.settings.streams
        ],
        capabilities=["findings", "coverage", "results", "health"],
        reasons=guard.problems,
        numbers=msgspec.convert({**stats.snapshot(), "dropped": sum(intake.dropped.values())}, FrameNumbers),
    )


def begin(job: DaemonJob, sources: Mapping[str, Source], model: Model) -> tuple[Intake, Analyser]:
    """Open the sources while the runtime loads and is tested: most of a start is waiting for these two.

    Raises what either raises; nothing stays open then.
    """
    settings = job.settings

    def make_ready() -> Analyser:
        isolated, cores = settings.runtime.isolated, job.affinity.runtime
        return Analyser(model.manifest, make_guard(settings, model, isolated=isolated, cores=cores))

    with ThreadPoolExecutor(1, thread_name_prefix="runtime") as beside:
        making = beside.submit(make_ready)
        try:
            intake = Intake(sources, enricher(settings.streams), settings.streams)
        except BaseException:
            with contextlib.suppress(EdgeError):
                making.result().close()
            raise
    try:
        return intake, making.result()
    except BaseException:
        intake.close()
        raise


def serve(job: DaemonJob, telemetry: socket.socket, stop: threading.Event, alive: Callable[[], None]) -> None:
    """Judge frames until stopped or until the sources have ended; all that was found is on disk then.

    ``alive`` is called at every turn of the loop while all sources are heard of and the disk takes what is found.
    """
    settings = job.settings
    sources = {stream.name: make_source(stream) for stream in settings.streams}  # first: what is wrong is said at once
    model = choose_model(settings)
    intake, analyser = begin(job, sources, model)
    guard = analyser.guard
    log.info("model %s %s on %s is ready", model.ref.name, model.ref.version, guard.spec.name)
    handover = OutboxHandover(job.state_dir, telemetry)
    try:
        messages = Messages(
            Stamper(job.device, job.run_id).stamp,
            Provenance(model.manifest, model.ref, settings.publish.image_ref),
        )

        def each_turn() -> None:
            orders.obey()
            if not intake.stuck() and not handover.hung():
                alive()

        def report(stats: Stats) -> None:
            handover.report(make_report(job, model, guard, intake, stats, reporter.stopped_streams()))

        reporter = Reporter(settings, messages, handover, heartbeat=report, each_turn=each_turn)
        orders = OrderTaker(handover, intake, reporter, StoppedStreams(Path(job.state_dir), job.run_id))
        give_back()  # models and sources take several times more to be opened than to be kept
        loop.run(intake, analyser, reporter, stop.is_set)
    finally:
        handover.close(CLOSE_TIMEOUT_S)  # first: whatever else may hang now, what was found is on disk
        intake.close()
        analyser.close()


def main() -> int:
    """Take what the supervisor handed over, and serve."""
    share_arenas()
    inheritance = inherit()
    job = msgspec.json.decode(inheritance.payload, type=DaemonJob)
    set_up_logs(job.settings.log)
    keep_to(job.affinity.frame)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})  # the supervisor may have asked already
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)  # the cores belong to the runtime and the capture threads
    telemetry = socket.socket(fileno=inheritance.fds[0])
    try:
        serve(job, telemetry, stop, partial(beat, inheritance.fds[1]))
    except EdgeError as error:
        print(f"error: {error.message}\nhint: {error.hint}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
