"""Messages between frame process and viewer. They stay inside the device.

Frame process to viewer: `TapReport` every second, `TapEvent` when a source gives no frame, answers to commands; and
`SeenFrame`, the note beside each picture in the ring. Viewer to frame process: `ViewerOrder`.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from edge.contracts.feedback import Answer
from edge.contracts.finding import ModelRef, RuntimeRef
from edge.contracts.labels import LabelScore
from edge.contracts.manifest import Gate, Judges
from edge.contracts.region import Box, Region
from edge.contracts.results import Lesion, Reason, Status

MAX_PACKET = 1 << 17
"""Room for any packet, in bytes."""


class SeenFrame(msgspec.Struct, frozen=True, kw_only=True):
    """One judged frame as the viewer gets it: what is shown of it, and what was said of it."""

    stream: str
    seq: int
    captured_ns: int
    exam_id: str
    size: tuple[int, int]
    """(width, height) of the source picture, in pixels: boxes and outlines refer to it."""
    box: Box | None
    """Part of the source picture that is shown, around the outlines of the scan. None: nothing may be shown, because
    it is not known where the scan is."""
    step: int = 1
    """Every so many-th row and column of ``box`` is there: more than 1 for pictures that are too large."""
    geometry: int | None = None
    status: Status
    reason: Reason | None = None
    malignancy: float | None = None
    suspicious: bool | None = None
    call_uncertain: bool = False
    uncertainty: float | None = None
    lesions: tuple[Lesion, ...] = ()
    region: Region | None = None
    """Region that the judgement is about, with its calibration."""
    track_ids: tuple[str | None, ...] = ()
    """Id of each lesion's track (of each label given), in their order. None: not confirmed yet."""
    scores: tuple[LabelScore, ...] = ()
    given: tuple[str, ...] = ()
    runtime: RuntimeRef | None = None
    latency_ms: float = 0.0
    """From capture to result."""


class TapEvent(msgspec.Struct, frozen=True, kw_only=True, tag="event"):
    """A source gave no frame, or begins another exam."""

    stream: str
    kind: Literal["ended", "lost", "skipped", "exam"]
    reason: Reason | None = None
    at_ns: int
    exam_id: str


class StreamReport(msgspec.Struct, frozen=True, kw_only=True):
    """State of one stream in `TapReport`."""

    name: str
    source: str
    stopped: bool = False
    lost: bool = False
    exam_id: str = ""


class ModelReport(msgspec.Struct, frozen=True, kw_only=True):
    """Model that judges, as far as the page tells it."""

    ref: ModelRef
    judges: Judges
    gate: Gate
    body_part: str
    threshold: float | None = None
    """Operating point of malignancy; None: the model knows no malignancy."""
    operating_point: str = ""


class TapReport(msgspec.Struct, frozen=True, kw_only=True, tag="report"):
    """State of the frame process, sent every second."""

    at_ns: int
    version: str
    model: ModelReport
    runtime: RuntimeRef | None
    streams: list[StreamReport]
    reasons: list[str] = []
    """Why the frame process is not well, one word each."""
    fps: float | None = None


class OrderResult(msgspec.Struct, frozen=True, kw_only=True, tag="result"):
    """Answer of the frame process to a `ViewerOrder`."""

    id: str
    error: str | None = None
    """Why it was not carried out, one word; None: it was."""
    exams: dict[str, str] = {}
    """Ids of the exams that begin, by stream."""


class ViewerOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Order of a person at the page, from the viewer to the frame process, which alone writes the outbox."""

    id: str
    name: Literal["exam", "feedback"]
    streams: list[str]
    at_ns: int
    """Monotonic clock when it was given, in nanoseconds."""
    until_ns: int
    """It is not carried out later: whoever gave it was told by then that it was not."""
    answer: Answer | None = None
    """With ``feedback``: what the person said."""


class PublisherNote(msgspec.Struct, frozen=True, kw_only=True):
    """What the publisher notes for the viewer: who cannot be reached, and why else the device is not well."""

    at_ns: int
    reasons: list[str] = []


ToViewer = TapEvent | TapReport | OrderResult
