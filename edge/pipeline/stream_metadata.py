"""Turns frames as their stream's configuration says, and adds what it knows and the source does not.

Last of all the scan area is looked for, in the picture as it then is. `infer` and the daemon both come through here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edge.contracts.region import calibrated_region
from edge.pipeline.stream_geometry import StreamGeometry
from edge.postprocess.body_part import contradicts
from edge.scan_area.configured import configured_regions
from edge.scan_area.tracker import ScanAreaTracker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.config.settings import StreamSettings
    from edge.contracts.frames import Frame


def add_stream_metadata(streams: Sequence[StreamSettings]) -> Callable[[Frame], Frame]:
    """Make a function that rotates, flips and crops frames, adds calibration, body part and side, and finds scans.

    What the configuration says wins over the source. The function raises `SourceError` if a picture cannot be
    cropped, or has no part of ``scan_outline``. It is to be called with each stream's frames in order, by one thread a
    stream.
    """
    adjust = _configured_adjustment(streams)
    trackers = {
        stream.name: ScanAreaTracker(stream.depth_mm if stream.scan_outline is None else None) for stream in streams
    }
    outlines = {stream.name: stream.scan_outline for stream in streams}

    def enrich(frame: Frame) -> Frame:
        frame = adjust(frame)
        outline, tracker = outlines.get(frame.stream), trackers.get(frame.stream)
        if outline is not None:  # it stays as it is; the scan in it is looked for, to notice another depth
            frame = replace(frame, regions=configured_regions(frame, outline))
        return frame if tracker is None else tracker(frame)

    return enrich


def _configured_adjustment(streams: Sequence[StreamSettings]) -> Callable[[Frame], Frame]:
    """Function that does all of `add_stream_metadata` but for the scan area."""
    by_name = {stream.name: stream for stream in streams if _says_something(stream)}
    geometry = {name: StreamGeometry(stream) for name, stream in by_name.items()}

    def adjust(frame: Frame) -> Frame:
        stream = by_name.get(frame.stream)
        if stream is None:
            return frame
        if geometry[frame.stream].changes:
            frame = geometry[frame.stream].apply(frame)
        origin, regions = frame.origin, frame.regions
        if stream.body_part is not None:
            disputed = contradicts(origin.body_part, stream.body_part)
            origin = replace(origin, body_part=stream.body_part.upper(), body_part_disputed=disputed)
        if stream.laterality is not None:
            origin = replace(origin, laterality=stream.laterality)
        if stream.calibration is not None:
            c = stream.calibration
            regions = (calibrated_region(c.box, c.mm_x, c.mm_y, "config"),)
        return replace(frame, origin=origin, regions=regions)

    return adjust


def _says_something(stream: StreamSettings) -> bool:
    given = (stream.body_part, stream.laterality, stream.calibration)
    return StreamGeometry(stream).changes or any(value is not None for value in given)
