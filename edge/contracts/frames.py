"""Frames and source events: what a source gives the pipeline."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edge.contracts.region import Region
    from edge.contracts.results import Reason

UNTIMED_RATE = 10
"""Frames a second of a clip that says none."""


@dataclass(frozen=True, slots=True)
class Equipment:
    """The scanner that made the picture, as far as the source says. None is "not known", never guessed."""

    manufacturer: str | None = None
    model: str | None = None
    probe: str | None = None


@dataclass(frozen=True, slots=True)
class FrameOrigin:
    """Origin of a frame: file, clip, study, equipment. Nothing of it leaves the device unless a message names it."""

    path: str | None = None
    """Path of the file, for `infer` and overlays. Never published."""
    frame_index: int = 0
    """0-based number of the frame in its file or session."""
    clip: int = 0
    """Number of the unbroken sequence (file, session) within a source: no lesion track crosses from one to the next."""
    still: bool = False
    """Whether the clip is this one picture: no other frame will confirm what it shows."""
    sop_instance_uid: str | None = None
    study: str | None = None
    """A hash of the DICOM study UID: a new study is a new exam."""
    body_part: str | None = None
    """Body part as DICOM spells BodyPartExamined, upper case. None: not said."""
    body_part_disputed: bool = False
    """Whether the configuration, which wins, names another body part than the source did."""
    laterality: Literal["L", "R"] | None = None
    equipment: Equipment = field(default_factory=Equipment)
    notes: tuple[str, ...] = ()
    """What the source left out of the file, or read otherwise than its header says, in words, although no frame is
    missing. For the log and for `infer`; never published, and never names a file."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a stream, as the source had it, with its capture time and origin."""

    stream: str
    seq: int
    """Number of the frame: 0-based, without gaps, in one run of one stream."""
    captured_ns: int
    """Monotonic clock of this machine at capture, in nanoseconds."""
    media_ns: int | None
    """Position in the file or clip, in nanoseconds; None for live sources."""
    pixels: NDArray[np.uint8]
    """(H, W) grey or (H, W, 3) RGB, uint8, not written to by anyone."""
    regions: tuple[Region, ...] = ()
    """Scan regions of the picture. Empty: not known; the preprocess recipe then looks for the scan area itself."""
    origin: FrameOrigin = field(default_factory=FrameOrigin)
    geometry: int | None = None
    """Number of the scan geometry (outline, depth) within its stream: another one is another picture of the body, and
    no lesion track crosses from one to the next. None: the scan area was not looked for."""

    @property
    def clip_ns(self) -> int:
        """Place of the frame in time, in nanoseconds, for what is counted in seconds; compares within a clip only.

        Of a file that has no times, such as the pages of a TIFF, there are `UNTIMED_RATE` frames a second.
        """
        if self.media_ns is not None:
            return self.media_ns
        return self.captured_ns if self.origin.path is None else self.origin.frame_index * 1_000_000_000 // UNTIMED_RATE


@dataclass(frozen=True, slots=True)
class SourceEvent:
    """Event that a source gives instead of a frame: it ended, is lost, or skipped a file.

    ``ended``: no more will come (a file source is through). ``lost``: the source is away; `read` may be tried again.
    ``skipped``: one file or frame could not be read; the source goes on. ``reason`` is what coverage reports.
    """

    kind: Literal["ended", "lost", "skipped"]
    reason: Reason
    detail: str = ""
    """Details for the log and for `infer`, with what to do where known. Never published, and never names a file."""
    path: str | None = None
