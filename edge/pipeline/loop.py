"""Main loop of the frame process. READ THIS FIRST: how a frame becomes a finding.

While the runtime computes one frame, the next is prepared and queued behind it, and the last is reported: the runtime
never waits for us.
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
    flying: FrameJob | None = None  # the runtime is computing this one
    while flying or not (stopped() or capture.exhausted):
        arrival = None if stopped() else capture.next(timeout_s=0.0 if flying else 0.2)
        stream, item = arrival or ("", None)

        job = analyser.prepare(item) if isinstance(item, Frame) else None
        if job:
            analyser.queue(job)
        landed, answer = flying, analyser.wait(flying) if flying else None
        if job:
            analyser.start(job)
        flying = job

        if landed:
            reporter.result(landed.frame, analyser.finish(landed, answer))
        if item is not None and not isinstance(item, Frame):
            reporter.event(stream, item)
        reporter.tick()
    reporter.finish()
