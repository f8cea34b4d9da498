"""Report of the frame process for the viewer, made of the one that the publisher gets."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from edge.contracts.manifest import BundleManifest, ModelManifest
from edge.tap.messages import ModelReport, StreamReport, TapReport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.contracts.frame_report import FrameReport


def tap_report(report: FrameReport, manifest: BundleManifest, exams: Mapping[str, str]) -> TapReport:
    """Make the report for the viewer. ``exams``: id of the exam that each stream is in."""
    assert report.model is not None  # noqa: S101  (the frame process names it in each)
    thresholds = manifest.thresholds if isinstance(manifest, ModelManifest) else None
    return TapReport(
        at_ns=time.monotonic_ns(),
        version=report.version,
        model=ModelReport(
            ref=report.model,
            judges=manifest.judges,
            gate=manifest.gate,
            body_part=manifest.body_part,
            threshold=None if thresholds is None else thresholds.malignancy,
            operating_point="" if thresholds is None else thresholds.operating_point,
        ),
        runtime=report.runtime,
        streams=[
            StreamReport(
                name=each.name,
                source=each.source,
                stopped=each.stopped,
                lost=each.lost,
                exam_id=exams.get(each.name, ""),
            )
            for each in report.streams
        ],
        reasons=report.reasons,
        fps=report.numbers.fps,
    )
