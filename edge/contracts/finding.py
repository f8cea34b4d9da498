"""``findings/{stream}``: message about one lesion's track, seen first, changed or gone; and the verdict behind it."""

from __future__ import annotations

from typing import Literal

import msgspec

from edge.contracts.envelope import Durable
from edge.contracts.region import Region
from edge.contracts.results import Lesion, Reason, Status

Lifecycle = Literal["new", "update", "end"]
EndReason = Literal["gone", "stream_ended", "exam_changed", "clip_changed", "geometry_changed", "not_judged", "stopped"]


class FrameRef(msgspec.Struct, frozen=True, kw_only=True):
    """Number of the judged frame, and how old it was when it was judged."""

    seq: int
    age_ms: float


class ImageRef(msgspec.Struct, frozen=True, kw_only=True):
    """Reference to the DICOM object; published only where the configuration allows identifiers to leave the device."""

    sop: str
    frame: int


class Laterality(msgspec.Struct, frozen=True, kw_only=True):
    """Side of the body, and who says so."""

    side: Literal["L", "R", "unknown"] = "unknown"
    source: Literal["dicom", "config"] | None = None


class EquipmentRef(msgspec.Struct, frozen=True, kw_only=True):
    """Ultrasound scanner, as far as the source says."""

    manufacturer: str | None = None
    model: str | None = None
    probe: str | None = None


class ModelRef(msgspec.Struct, frozen=True, kw_only=True):
    """Model that judged, with its hash and signature."""

    name: str
    version: str
    sha256: str
    signature: str | None = None
    """Id of the trusted key that signed the bundle (SHA-256 of its PEM); None: not signed, or not checked."""


class RuntimeRef(msgspec.Struct, frozen=True, kw_only=True):
    """Runtime that computed the outputs. ``fallback``: not the configured runtime, because that one failed."""

    name: str
    delegate: str | None
    fallback: bool = False


class ClipRef(msgspec.Struct, frozen=True, kw_only=True):
    """Judgement on a lesion by all frames of its track so far."""

    malignancy: float
    """Calibrated probability, 0 to 1, joined over the frames by ``method``."""
    uncertainty: float
    """Chance (0 to 1) that calling the lesion suspicious, or not, by this ``malignancy`` is wrong."""
    frames: int
    """Number of frames with the lesion."""
    seconds: float
    """Time from the first frame with the lesion to the last."""
    method: str
    """Name of the rule that joins the frames' malignancies."""
    best_frame: int | None = None
    """``frame.seq`` of the frame that shows the lesion best: sharp, whole and sure."""


class Verdict(msgspec.Struct, frozen=True):
    """Verdict on one frame: the judged fields that its result and the messages made of it share by name.

    To add a judged field to findings: name it here and in `Finding`, and compute it in `edge.postprocess.decide`; from
    here to the message it is copied by its name. It has to stand twice, because a struct of msgspec cannot inherit
    fields from two others, and because the order of the fields on the wire must stay as it is.
    """

    status: Status
    reason: Reason | None = None
    malignancy: float | None = None
    suspicious: bool | None = None
    uncertainty: float | None = None
    """Chance (0 to 1) that calling a `finding` suspicious, or not, is wrong, by the calibrated ``malignancy``."""
    lesions: tuple[Lesion, ...] = ()
    region: Region | None = None
    """The calibrated or scanned region that the judgement is about."""
    call_uncertain: bool = False
    """Whether the malignancy of a `finding` lies inside the manifest's interval of uncertain values."""


class Finding(Durable, frozen=True, kw_only=True):
    """One event of a lesion's track. ``finding_id`` is shared by its ``new``, ``update`` and ``end``."""

    schema: Literal["finding/1"] = "finding/1"
    finding_id: str
    lifecycle: Lifecycle
    end_reason: EndReason | None = None
    """Why the track ended; only with ``end``, which else repeats what was last said of the lesion."""
    exam_id: str
    """Id of the exam; changes between patients. Random: says nothing of who."""
    captured_at: str
    """Time when the frame was captured (RFC 3339, UTC), under the same caveat as ``at``."""
    frame: FrameRef
    image_ref: ImageRef | None = None
    image_size: tuple[int, int]
    """(width, height) in pixels, of the picture that boxes and outlines refer to."""
    body_part: str
    laterality: Laterality
    equipment: EquipmentRef
    region: Region | None
    status: Status
    reason: Reason | None
    malignancy: float | None
    suspicious: bool | None
    threshold: float
    operating_point: str
    prevalence: float
    uncertainty: float | None
    """Chance (0 to 1) that ``suspicious`` is wrong, by the calibrated ``malignancy``, at ``prevalence``."""
    call_uncertain: bool = False
    """Whether ``suspicious`` is an uncertain call: ``malignancy`` lies inside the model's interval of uncertain values.
    The lesion itself, its outline and its size are as certain as any. Absent in messages of older versions: false."""
    lesions: list[Lesion]
    model: ModelRef
    runtime: RuntimeRef
    preprocess_hash: str
    scan_area_finder: str | None = None
    """Version of what found the scan's outline (``region.outline``), whether or not it found one. Absent in messages of
    older versions, which looked for none: null."""
    latency_ms: dict[str, float]
    research_only: Literal[True] = True
    clip: ClipRef | None = None
    """What all frames of the track say together; with ``update`` and ``end``. Absent: ``new``, or an older version."""
