"""Child process of `edge.doctor.sources`: opens one source, reads until there is a frame, and reports it.

Run as ``python -m edge.doctor.source_child`` by the parent only.
"""

from __future__ import annotations

import logging
import os
import sys
import time

import msgspec

from edge.config.settings import StreamSettings
from edge.contracts.decoding import decode_json
from edge.contracts.errors import EdgeError, SourceError
from edge.contracts.frames import Frame, SourceEvent
from edge.doctor.live_frames import measure_stream, take_frames
from edge.doctor.sources import SourceProbe
from edge.pipeline.stream_geometry import StreamGeometry
from edge.plugins import make_source
from edge.process.child import inherit
from edge.sources.live.source import LiveSource

PROBE_S = 5.0
"""How long it reads for a frame: less than the parent waits."""


def probe(stream: StreamSettings) -> SourceProbe:
    """Open ``stream``, read from it, and return what came of it. Raises `EdgeError`."""
    source = make_source(stream)
    source.open()
    try:
        if isinstance(source, LiveSource):
            return probe_live(source, stream)
        deadline = time.monotonic() + PROBE_S
        trouble = ""
        while time.monotonic() < deadline:
            item = source.read(0.5)
            if isinstance(item, Frame):
                size, notes = as_configured(stream, item)
                return SourceProbe(size=size, measured=notes)
            if isinstance(item, SourceEvent):
                trouble = trouble or item.detail or item.reason.value
                if item.kind != "skipped":
                    break
        return (
            SourceProbe(error=trouble, hint="correct its source", exit_code=5) if trouble else SourceProbe(silent=True)
        )
    finally:
        source.close()


def probe_live(source: LiveSource, stream: StreamSettings) -> SourceProbe:
    """Probe an open live source: some frames, so that its rate is measured too. Raises `SourceError`."""
    frames, trouble = take_frames(source)
    if not frames or source.info is None:
        return SourceProbe(error=trouble, hint="see docs/live.md", exit_code=5) if trouble else SourceProbe(silent=True)
    size, notes = as_configured(stream, frames[-1])
    return SourceProbe(size=size, input=source.describe(), measured=(*notes, *measure_stream(source.info, frames)))


def as_configured(stream: StreamSettings, frame: Frame) -> tuple[tuple[int, int], tuple[str, ...]]:
    """Width and height of a frame after rotate, flip and crop, and what they were before if they changed.

    Raises `SourceError` if the crop or the calibration is not within the picture: each frame would fail, or be measured
    with the millimetres of another size.
    """
    before_height, before_width = frame.pixels.shape[:2]
    height, width = StreamGeometry(stream).apply(frame).pixels.shape[:2]
    if (calibration := stream.calibration) is not None:
        x, y, box_width, box_height = calibration.box
        if x + box_width > width or y + box_height > height:
            raise SourceError(
                f"calibration.box {list(calibration.box)} is not within the picture of {width} x {height} pixels",
                hint="measure anew: the box is in pixels after rotate, flip and crop, and holds for one size",
            )
    same = (width, height) == (before_width, before_height)
    return (width, height), () if same else (f"{before_width} x {before_height} before rotate and crop",)


def main() -> int:
    """Probe the source that the parent names, and write the outcome into its pipe."""
    inheritance = inherit()
    logging.disable()  # what matters is said in one line
    try:
        found = probe(decode_json(inheritance.payload, StreamSettings))
    except EdgeError as error:
        found = SourceProbe(error=error.message, hint=error.hint, exit_code=error.exit_code)
    os.write(inheritance.fds[0], msgspec.json.encode(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
