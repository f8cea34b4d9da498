"""The frame process: runs sources, preprocessing, runtime and post-processing, and stores findings in the outbox.

Run as ``python -m edge.daemon.frame.process`` by the supervisor only.
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

from edge.app.compose import choose_model, clip_step_of, make_guard
from edge.app.envelope import EnvelopeMaker
from edge.app.frame_link import OutboxFrameLink
from edge.app.logs import set_up_logs
from edge.contracts.decoding import decode_json
from edge.contracts.errors import EdgeError
from edge.daemon.frame.frame_commands import FrameCommandRunner, StoppedStreams
from edge.daemon.frame.open_files import OpenFiles
from edge.daemon.frame.report import make_report
from edge.daemon.frame.unjudged import UnjudgedCounter
from edge.daemon.job import NOT_ALL_JUDGED, DaemonJob
from edge.images.decoder_process import decoder_process
from edge.pipeline import loop
from edge.pipeline.analyser import Analyser
from edge.pipeline.capture import FrameCapture
from edge.pipeline.messages import Messages, Provenance
from edge.pipeline.reporter import Reporter
from edge.pipeline.stream_metadata import add_stream_metadata
from edge.plugins import make_source
from edge.process.child import inherit
from edge.process.cores import set_cpu_affinity
from edge.process.heartbeat import WATCHDOG_SIGNAL, send_heartbeat
from edge.process.malloc import limit_malloc_arenas, trim_malloc
from edge.process.reaper import reaper
from edge.process.shared_notes import SharedNotes
from edge.process.start_gate import say_checked, wait_at_gate
from edge.sources.file_source import FileSource
from edge.tap.channel import ChannelFds
from edge.tap.report import tap_report
from edge.tap.writer import FrameTap

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge.app.compose import RuntimeModel
    from edge.contracts.ports import Source, Tap
    from edge.pipeline.stats import Stats

# Name of the process, not of the module: this is run as __main__, and who filters logs by it need not know our files.
log = logging.getLogger("edge.daemon.frame")

CLOSE_TIMEOUT_S = 1.0
"""For the outbox to write what was handed over: the supervisor waits a little longer than this."""


def open_sources_and_runtime(
    job: DaemonJob, sources: Mapping[str, Source], model: RuntimeModel, notes: SharedNotes | None = None
) -> tuple[FrameCapture, Analyser]:
    """Open the sources while the runtime loads and is tested: most of a start is waiting for these two.

    Raises what either raises; nothing stays open then.
    """
    settings = job.settings

    def make_ready() -> Analyser:
        isolated, cores = settings.runtime.isolated, job.affinity.runtime
        return Analyser(model.manifest, make_guard(settings, model, isolated=isolated, cores=cores, notes=notes))

    with ThreadPoolExecutor(1, thread_name_prefix="runtime") as beside:
        making = beside.submit(make_ready)
        try:
            adjust = add_stream_metadata(settings.streams)
            capture = FrameCapture(sources, adjust, settings.streams, started=False, live_may_be_absent=True)
        except BaseException:
            with contextlib.suppress(EdgeError):
                making.result().close()
            raise
    try:
        return capture, making.result()
    except BaseException:
        capture.close()
        raise


def follow_files(
    sources: Mapping[str, Source], open_files: OpenFiles | None, frame_link: OutboxFrameLink
) -> UnjudgedCounter:
    """Let ``open_files`` know what file sources read, and ``frame_link`` stores; the counter of what got no result."""
    for name, source in sources.items():
        if open_files is not None and isinstance(source, FileSource):
            source.progress = open_files.progress(name)
    if open_files is not None:
        open_files.follow(frame_link.mark)
    return UnjudgedCounter(sources, open_files)


def run_frame_process(
    job: DaemonJob,
    telemetry: socket.socket,
    stop: threading.Event,
    heartbeat: Callable[[], None],
    notes: SharedNotes | None = None,
    begin: Callable[[], OpenFiles | None] = lambda: None,
    tap: FrameTap | None = None,
) -> bool:
    """Judge frames until stopped or until the sources have ended; all that was found is on disk then.

    ``heartbeat`` is called at every turn of the loop while no source is stuck in a call and the disk takes what is
    found (else the watchdog kills us). ``notes``: see `make_guard`. ``begin`` is called when sources and model were
    checked, before anything is read or written. ``tap``: of the viewer, None: there is none. Returns whether all that
    sources with an end hold got a result.
    """
    settings = job.settings
    sources = {stream.name: make_source(stream) for stream in settings.streams}  # first: what is wrong is said at once
    model = choose_model(settings)
    step = clip_step_of(settings, model)
    capture, analyser = open_sources_and_runtime(job, sources, model, notes)
    analyser.clip_step = step
    open_files = begin()
    if stop.is_set():
        capture.close()
        analyser.close()
        return True
    log.info("model %s %s on %s is ready", model.ref.name, model.ref.version, analyser.guard.spec.name)
    frame_link = OutboxFrameLink(job.state_dir, telemetry)
    try:
        unjudged = follow_files(sources, open_files, frame_link)
        capture.start()
        return judge_frames(job, model, capture, analyser, frame_link, open_files, unjudged, stop, heartbeat, tap)
    finally:
        frame_link.close(CLOSE_TIMEOUT_S)  # first: whatever else may hang now, what was found is on disk
        decoder_process.shut_down()  # else a source that waits for it is waited for
        capture.close()
        analyser.close()


def judge_frames(
    job: DaemonJob,
    model: RuntimeModel,
    capture: FrameCapture,
    analyser: Analyser,
    frame_link: OutboxFrameLink,
    open_files: OpenFiles | None,
    unjudged: UnjudgedCounter,
    stop: threading.Event,
    heartbeat: Callable[[], None],
    tap: FrameTap | None = None,
) -> bool:
    """Judge frames until stopped or until the sources have ended. Arguments and result as of `run_frame_process`."""
    settings = job.settings
    messages = Messages(
        EnvelopeMaker(job.device, job.run_id).fields,
        Provenance(model.manifest, model.ref, settings.publish.image_ref),
    )

    def each_turn() -> None:
        commands.run_pending()
        if tap is not None:
            tap.turn()
        if open_files is not None:
            open_files.each_turn()
        if not capture.stuck() and not frame_link.hung():
            heartbeat()

    def report(stats: Stats) -> None:
        made = make_report(job, model, analyser.guard, capture, stats, reporter.stopped_streams())
        frame_link.report(made)
        if tap is not None:
            tap.report(tap_report(made, model.manifest, {name: reporter.exam_id(name) for name in reporter.streams}))

    taps: list[Tap] = [each for each in (open_files, tap) if each is not None]
    step = analyser.clip_step
    reporter = Reporter(settings, messages, frame_link, taps, report, each_turn, unjudged.add, step)
    commands = FrameCommandRunner(frame_link, capture, reporter, StoppedStreams(Path(job.state_dir), job.run_id), tap)
    trim_malloc()  # models and sources take several times more to be opened than to be kept
    loop.run(capture, analyser, reporter, stop.is_set)
    return not (unjudged.report() or capture.lost)


def main() -> int:
    """Main function: take over what the supervisor handed over, and run until the end; the exit code."""
    limit_malloc_arenas()
    inheritance = inherit()
    job = decode_json(inheritance.payload, DaemonJob)
    set_up_logs(job.settings.log)
    set_cpu_affinity(job.affinity.frame)
    stop = threading.Event()
    open_files: OpenFiles | None = None

    def on_signal(number: int, _: object) -> None:
        if open_files is not None and number == WATCHDOG_SIGNAL:
            open_files.watchdog_ends()
        elif open_files is not None:
            open_files.stopping()
        stop.set()

    for number in (signal.SIGTERM, WATCHDOG_SIGNAL):
        signal.signal(number, on_signal)
    # the supervisor may have asked already
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, WATCHDOG_SIGNAL})
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)  # the cores belong to the runtime and the capture threads
    telemetry_fd, heartbeat_fd, *more_fds = inheritance.fds
    notes = SharedNotes(more_fds[0]) if more_fds else None
    gate, view_fds = tuple(more_fds[1:3]), more_fds[3:]
    # With a page there may be no channel all the same: at a reload its address was taken by another.
    streams = [each.name for each in job.settings.streams]
    tap = FrameTap(ChannelFds.from_list(view_fds), streams) if view_fds else None
    telemetry = socket.socket(fileno=telemetry_fd)
    reaper.remember(job.left_behind)

    def begin() -> OpenFiles | None:
        nonlocal open_files
        say_checked(gate)
        if wait_at_gate(gate, stop.is_set):
            open_files = make_open_files(job)
        return open_files

    try:
        heartbeat = partial(send_heartbeat, heartbeat_fd)
        all_judged = run_frame_process(job, telemetry, stop, heartbeat, notes, begin, tap)
    except EdgeError as error:
        print(f"error: {error.message}\nhint: {error.hint}", file=sys.stderr)
        return error.exit_code
    finally:
        if open_files is not None:
            open_files.close()
    return 0 if all_judged or stop.is_set() else NOT_ALL_JUDGED


def make_open_files(job: DaemonJob) -> OpenFiles | None:
    """Make the record of open files; None where the state directory cannot take it, and the log says so."""
    try:
        return OpenFiles(Path(job.state_dir), job.run_id, [stream.name for stream in job.settings.streams])
    except OSError as error:
        log.warning("which files are open cannot be written down (%s): a file that kills is met again", error.strerror)
        return None


if __name__ == "__main__":
    sys.exit(main())
