"""Adds to frames what the configuration knows of their stream, and the source does not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edge.contracts.region import calibrated_region

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.config.settings import StreamSettings
    from edge.contracts.frames import Frame


def add_stream_metadata(streams: Sequence[StreamSettings]) -> Callable[[Frame], Frame]:
    """Make a function that adds a stream's calibration, body part and laterality; they win over the source's."""
    by_name = {stream.name: stream for stream in streams if _says_something(stream)}

    def enrich(frame: Frame) -> Frame:
        stream = by_name.get(frame.stream)
        if stream is None:
            return frame
        origin, regions = frame.origin, frame.regions
        if stream.body_part is not None:
            origin = replace(origin, body_part=stream.body_part.upper())
        if stream.laterality is not None:
            origin = replace(origin, laterality=stream.laterality)
        if stream.calibration is not None:
            c = stream.calibration
            regions = (calibrated_region(c.box, c.mm_x, c.mm_y, "config"),)
        return replace(frame, origin=origin, regions=regions)

    return enrich


def _says_something(stream: StreamSettings) -> bool:
    return any(value is not None for value in (stream.body_part, stream.laterality, stream.calibration))
