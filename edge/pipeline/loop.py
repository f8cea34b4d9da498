"""Main loop of the frame process, the whole flow from frame to finding: READ THIS FIRST.

While the runtime computes one frame, the next is prepared and queued, and the last is reported: it never waits for us.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.contracts.frames import Frame

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.pipeline.analyser import Analyser, FrameJob
    from edge.pipeline.capture import FrameCapture
    from edge.pipeline.reporter import Reporter


def run(capture: FrameCapture, analyser: Analyser, reporter: Reporter, stopped: Callable[[], bool]) -> None:
    """Judge frames until ``stopped`` or until all sources have ended. Every frame taken is answered."""
    computing: FrameJob | None = None  # by the runtime, now
    while computing or not (stopped() or capture.exhausted):
        arrival = None if stopped() else capture.next(timeout_s=0.0 if computing else 0.2)
        stream, item = arrival or ("", None)

        job = analyser.prepare(item) if isinstance(item, Frame) else None
        if job:
            analyser.queue(job)
        computed, answer = computing, analyser.wait(computing) if computing else None
        if job:
            analyser.start(job)
        computing = job

        if computed:
            reporter.result(computed.frame, analyser.finish(computed, answer))
        if item is not None and not isinstance(item, Frame):
            reporter.event(stream, item)
        reporter.tick()
    reporter.finish()
