"""What is said of one frame: one of four states, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

import msgspec

from edge.contracts.region import Box, Point, Region

if TYPE_CHECKING:
    from edge.contracts.finding import RuntimeRef


class Status(str, Enum):
    """The four results a frame can have. A failure is never one of the first two."""

    FINDING = "finding"
    """Passed the gate, at least one lesion over the manifest's threshold."""
    CLEAR = "clear"
    """Passed the gate, no lesion detected in this frame. Never "healthy"."""
    ABSTAINED = "abstained"
    """Seen, but not judged."""
    NO_RESULT = "no_result"
    """Could not be computed."""


class Reason(str, Enum):
    """Why a frame was not judged, or not computed."""

    # abstained
    BLACK = "black"
    FLAT = "flat"
    TOO_SMALL = "too_small"
    NOT_ULTRASOUND = "not_ultrasound"
    WRONG_ANATOMY = "wrong_anatomy"
    TOO_UNCERTAIN = "too_uncertain"
    HEADS_DISAGREE = "heads_disagree"
    PARTLY_SEEN = "partly_seen"
    """No lesion in the part that was judged, but the picture holds another part of some size."""
    # no_result
    STARTING = "starting"
    SOURCE_LOST = "source_lost"
    FROZEN = "frozen"
    DECODE_ERROR = "decode_error"
    TOO_LARGE = "too_large"
    RUNTIME_HUNG = "runtime_hung"
    RUNTIME_LOST = "runtime_lost"
    SELF_TEST_FAILED = "self_test_failed"
    NAN_OUTPUT = "nan_output"
    FAILED = "failed"
    """A bug of ours met this frame; the log has the traceback."""
    NO_FRAMES = "no_frames"
    """The source said nothing for a while, or this process stood still."""
    NOT_RECORDED = "not_recorded"
    """The disk took nothing for so long that what was found could not be kept."""
    STREAM_ENDED = "stream_ended"
    STOPPED = "stopped"
    """The daemon was, or this stream (``stream/stop``)."""


class Lesion(msgspec.Struct, frozen=True, kw_only=True):
    """One lesion, in pixels of the source picture; in millimetres only where a calibration covers it."""

    box: Box
    outline: list[Point]
    """Closed polygon, first point not repeated."""
    centre: Point
    score: float
    """Presence, 0 to 1: how sure the mask is that a lesion is here. Not malignancy."""
    long_axis_mm: float | None = None
    short_axis_mm: float | None = None
    area_mm2: float | None = None
    mm_uncertainty: float | None = None
    """Half-width of the measuring error of one axis, from mask resolution. None where nothing was measured."""
    descriptors: dict[str, float] = {}


@dataclass(frozen=True, slots=True)
class Result:
    """What is said of one frame.

    ``malignancy`` is a number for `finding` and `clear` and None for the others; ``suspicious`` is None unless
    `finding`. Checked when made: an inconsistent result is a bug, never a message.
    """

    stream: str
    frame_seq: int
    captured_ns: int
    status: Status
    reason: Reason | None = None
    malignancy: float | None = None
    suspicious: bool | None = None
    uncertainty: float | None = None
    """Of a `finding`: the chance that calling it suspicious, or not, is wrong, by the calibrated ``malignancy``."""
    lesions: tuple[Lesion, ...] = ()
    image_size: tuple[int, int] = (0, 0)
    """(width, height) of the source picture in pixels."""
    region: Region | None = None
    """The calibrated or scanned region that the judgement is about."""
    runtime: RuntimeRef | None = None
    """What computed this, and whether as a fall-back; None where nothing did."""
    latency_ms: dict[str, float] = field(default_factory=dict)
    """By stage, in milliseconds, of this frame."""

    def __post_init__(self) -> None:
        judged = self.status in (Status.FINDING, Status.CLEAR)
        if judged != (self.malignancy is not None):
            raise ValueError(f"{self.status.value} with malignancy {self.malignancy}")
        if self.malignancy is not None and not 0.0 <= self.malignancy <= 1.0:  # NaN too: JSON would say null for it
            raise ValueError(f"{self.status.value} with malignancy {self.malignancy}")
        if judged == (self.reason is not None):
            raise ValueError(f"{self.status.value} with reason {self.reason}")
        if (self.status is Status.FINDING) != bool(self.lesions):
            raise ValueError(f"{self.status.value} with {len(self.lesions)} lesions")
        if (self.status is Status.FINDING) != (self.suspicious is not None):
            raise ValueError(f"{self.status.value} with suspicious {self.suspicious}")
