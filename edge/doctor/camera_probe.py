"""Proof that a camera gives pictures: opens it as a daemon would, takes some frames, and says what they are."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from edge.config.settings import StreamSettings
from edge.config.uri import Uri
from edge.contracts.errors import EdgeError
from edge.contracts.frames import Frame, SourceEvent
from edge.doctor.check import Check, ok, warning
from edge.sources.live.camera import CameraSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.contracts.ports import Source
    from edge.sources.live.reader import StreamInfo

FRAMES = 12
"""Enough for a rate; more would only keep the user waiting."""
PROBE_S = 2.0
"""How long frames are taken, at most."""
IN_USE = "in use by another program"


def probe_camera(group: str, name: str, path: str) -> Check:
    """Check one camera that we may open. Its driver runs in a child process, which is ended if it hangs."""
    source = CameraSource(Uri("camera", path=path), StreamSettings(name="doctor", source=f"camera://{path}"))
    try:
        source.open()
        frames, trouble = take_frames(source)
    except EdgeError as error:
        if IN_USE in error.message:  # by the daemon itself, most often
            return ok(group, name, f"{path}: {IN_USE}, so no picture was taken")
        return warning(group, name, f"{path}: {error.message}", error.hint or "plug it in again")
    finally:
        source.close()
    if not frames or source.info is None:
        return warning(group, name, f"{path}: opens, but {trouble or 'gives no picture'}", "plug it in again")
    return ok(group, name, f"{path}: {describe(source.info, frames)}")


def take_frames(source: Source) -> tuple[list[Frame], str]:
    """Frames of an open source, and what it said instead of them last."""
    frames: list[Frame] = []
    trouble = ""
    deadline = time.monotonic() + PROBE_S
    while len(frames) < FRAMES and time.monotonic() < deadline:
        item = source.read(0.2)
        if isinstance(item, Frame):
            frames.append(item)
        elif isinstance(item, SourceEvent):
            trouble = item.detail or item.reason.value
            if item.kind != "skipped":
                break
    return frames, trouble


def describe(info: StreamInfo, frames: list[Frame]) -> str:
    """What a stream gives, in words: format, size, rate as told and as measured, and whose times it has."""
    height, width = frames[-1].pixels.shape[:2]
    rates = []
    if info.fps:
        rates.append(f"at {info.fps:.4g}/s")
    span_s = (frames[-1].captured_ns - frames[0].captured_ns) / 1e9
    if span_s > 0:
        rates.append(f"measured {(frames[-1].origin.frame_index - frames[0].origin.frame_index) / span_s:.1f}/s")
    return "; ".join([f"{info.format} {width} x {height} {', '.join(rates)}".strip(), *_further(info)])


def _further(info: StreamInfo) -> Iterator[str]:
    for name, label in (("input", "input"), ("field order", "field order"), ("time stamps", "times of")):
        if value := info.details.get(name):
            yield f"{label} {value}"
