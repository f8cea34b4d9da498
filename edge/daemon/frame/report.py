"""Report of the frame process about itself, which the publisher and the viewer are sent every second."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from edge import __version__
from edge.config.uri import parse_uri
from edge.contracts.frame_report import FrameReport
from edge.contracts.health import FrameNumbers
from edge.contracts.results import Reason
from edge.contracts.state import StreamState
from edge.pipeline.messages import durable_topic
from edge.process.reaper import SLOW_S, reaper

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.app.compose import RuntimeModel
    from edge.daemon.job import DaemonJob
    from edge.pipeline.capture import FrameCapture
    from edge.pipeline.guard import RuntimeGuard
    from edge.pipeline.stats import Stats

UNKILLABLE = "process_unkillable"
"""Why a daemon is degraded that has left a process behind: see `edge.process.reaper`."""


def make_report(
    job: DaemonJob,
    model: RuntimeModel,
    guard: RuntimeGuard,
    capture: FrameCapture,
    stats: Stats,
    stopped: Sequence[str] = (),
) -> FrameReport:
    """Report of the frame process to the publisher, which makes `state` and `health` of it.

    ``stopped``: names of the streams that were asked to stop.
    """
    dropped = sum(capture.dropped.values())
    overload = capture.overload.reasons(dropped)
    lost = [name for name in capture.away.names() if name not in stopped]
    return FrameReport(
        version=__version__,
        model=model.ref,
        runtime=guard.ref,
        streams=[
            StreamState(
                name=stream.name,
                source=parse_uri(stream.source).redacted(),
                stopped=stream.name in stopped,
                lost=stream.name in lost,
                input=capture.describe(stream.name),
            )
            for stream in job.settings.streams
        ],
        capabilities=[
            durable_topic(model.manifest),
            "coverage",
            "results",
            "health",
            *(["feedback"] if job.view else []),
        ],
        reasons=[
            *guard.problems,
            *([UNKILLABLE] if reaper.left_behind(for_s=SLOW_S) else []),
            *overload,
            *([Reason.SOURCE_LOST.value] if lost else []),
        ],
        judges=model.manifest.judges,
        gate=model.manifest.gate,
        numbers=msgspec.convert(
            {**stats.snapshot(), "dropped": dropped, "streams_lost": len(lost), "reconnects": capture.away.reconnects},
            FrameNumbers,
        ),
    )
