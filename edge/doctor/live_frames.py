"""Takes some frames of a live source and says in words what it gives: format, size, rate, and whose times."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from edge.contracts.frames import Frame, SourceEvent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.contracts.ports import Source
    from edge.sources.live.reader import StreamInfo

FRAMES = 12
"""Enough for a rate; more would only keep the user waiting."""
PROBE_S = 2.0
"""How long frames are taken, at most."""
FIRST_S = 6.0
"""How long the first one may take: a network stream may begin between two key frames."""


def take_frames(source: Source) -> tuple[list[Frame], str]:
    """Frames of an open source, and what it said instead of them last."""
    frames: list[Frame] = []
    trouble = ""
    deadline = time.monotonic() + FIRST_S
    while len(frames) < FRAMES and time.monotonic() < deadline:
        item = source.read(0.2)
        if isinstance(item, Frame):
            if not frames:
                deadline = time.monotonic() + PROBE_S
            frames.append(item)
        elif isinstance(item, SourceEvent):
            trouble = item.detail or item.reason.value
            if item.kind != "skipped":
                break
    return frames, trouble


def describe_stream(info: StreamInfo, frames: list[Frame]) -> str:
    """What a camera gives, in words: format, size, rate as told and as measured, and whose times it has."""
    height, width = frames[-1].pixels.shape[:2]
    rate = f" at {info.fps:.4g}/s" if info.fps else ""
    return "; ".join((f"{info.format} {width} x {height}{rate}", *measure_stream(info, frames)))


def measure_stream(info: StreamInfo, frames: list[Frame]) -> tuple[str, ...]:
    """What frames show that no driver or server says: the rate; and whose times they have."""
    return tuple(_measures(info, frames))


def _measures(info: StreamInfo, frames: list[Frame]) -> Iterator[str]:
    span_s = (frames[-1].captured_ns - frames[0].captured_ns) / 1e9
    if span_s > 0:
        yield f"measured {(frames[-1].origin.frame_index - frames[0].origin.frame_index) / span_s:.1f}/s"
    for name, label in (("input", "input"), ("field order", "field order"), ("time stamps", "times of")):
        if value := info.details.get(name):
            yield f"{label} {value}"
