"""Makes the messages on the wire (findings, coverage, latest results) of results and events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from edge.contracts import precision, topics
from edge.contracts.coverage import Coverage
from edge.contracts.feedback import Feedback
from edge.contracts.finding import (
    ClipRef,
    EquipmentRef,
    Finding,
    FrameRef,
    ImageRef,
    Laterality,
    ModelRef,
)
from edge.contracts.labels import Labels
from edge.contracts.latest_result import LatestResult
from edge.contracts.manifest import ModelManifest, PictureManifest
from edge.scan_area import FINDER_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge.config.settings import StreamSettings
    from edge.contracts.feedback import Answer
    from edge.contracts.frame_result import Result
    from edge.contracts.frames import Frame
    from edge.contracts.manifest import BundleManifest, Gate
    from edge.pipeline.clip_judgement import ClipJudgement
    from edge.pipeline.coverage import CoverageChange
    from edge.pipeline.label_tracker import LabelEvent
    from edge.pipeline.tracker import TrackEvent

    Stamp = Callable[[], Mapping[str, Any]]
    """Returns the fields of `Envelope`, as of now."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Model and settings that judge: what all findings of a run share. What computes may change, see `Result`."""

    manifest: BundleManifest
    model: ModelRef
    image_ref: bool
    """Whether findings may name the DICOM object."""


class Messages:
    """Makes the messages of one daemon, each with its envelope."""

    def __init__(self, stamp: Stamp, provenance: Provenance) -> None:
        self._stamp, self._from = stamp, provenance
        manifest = provenance.manifest
        self.judges = manifest.judges
        """Kind of the model."""
        self._gate: Gate | msgspec.UnsetType = msgspec.UNSET if manifest.judges == "lesion" else manifest.gate

    def finding(self, event: TrackEvent, frame: Frame, stream: StreamSettings, exam_id: str) -> Finding:
        """Message of one lifecycle event of a lesion.

        ``frame`` is the one that ``event.result`` was said of, or one of the same clip.
        """
        manifest = self._from.manifest
        assert isinstance(manifest, ModelManifest)  # noqa: S101  (no other kind has lesions)
        return Finding(
            **self._provenance(event.result, frame, stream),
            **{**fields_in_common(event.result, Finding), "lesions": [event.lesion]},
            finding_id=event.finding_id,
            lifecycle=event.lifecycle,
            end_reason=event.end_reason,
            exam_id=exam_id,
            threshold=manifest.thresholds.malignancy,
            operating_point=manifest.thresholds.operating_point,
            prevalence=manifest.thresholds.prevalence,
            scan_area_finder=FINDER_VERSION,
            clip=None if event.lifecycle == "new" else clip_ref(event.clip, manifest.thresholds.malignancy),
        )

    def label(self, event: LabelEvent, frame: Frame, stream: StreamSettings, exam_id: str) -> Labels:
        """Message of one lifecycle event of a label. ``frame`` as for `finding`."""
        manifest, result = self._from.manifest, event.result
        assert isinstance(manifest, PictureManifest)  # noqa: S101  (no other kind has labels)
        judged = {**fields_in_common(result, Labels), "labels": list(result.scores), "gate": manifest.gate}
        area = result.area_of(event.label.name)
        return Labels(
            **self._provenance(result, frame, stream),
            **judged,
            label_id=event.label_id,
            lifecycle=event.lifecycle,
            end_reason=event.end_reason,
            exam_id=exam_id,
            label=event.label.name,
            score=event.label.score,
            threshold=manifest.rules.threshold_of(event.label.name),
            area=msgspec.UNSET if area is None else area,
            scan_area_finder=FINDER_VERSION,
        )

    def _provenance(self, result: Result, frame: Frame, stream: StreamSettings) -> dict[str, Any]:
        """Envelope, and where a durable message's result comes from: frame, patient's side, scanner, model."""
        origin, manifest, stamp = frame.origin, self._from.manifest, self._stamp()
        assert result.runtime is not None  # noqa: S101  (what was found was computed)
        image_ref = None
        if self._from.image_ref and origin.sop_instance_uid is not None:
            image_ref = ImageRef(sop=origin.sop_instance_uid, frame=origin.frame_index)
        equipment = origin.equipment
        return {
            **stamp,
            "captured_at": earlier(stamp["at"], stamp["mono_ns"] - result.captured_ns),
            "frame": FrameRef(seq=result.frame_seq, age_ms=result.latency_ms.get("total", 0.0)),
            "image_ref": image_ref,
            "body_part": manifest.body_part,
            "laterality": _laterality(frame, stream),
            "equipment": EquipmentRef(
                manufacturer=equipment.manufacturer, model=equipment.model, probe=equipment.probe
            ),
            "model": self._from.model,
            "preprocess_hash": manifest.recipe_sha256,
        }

    def coverage(self, change: CoverageChange, stream: str, exam_id: str) -> Coverage:
        """Message of one change of a stream's result state."""
        return Coverage(
            **self._stamp(),
            stream=stream,
            exam_id=exam_id,
            status=change.status,
            reason=change.reason,
            since_mono_ns=change.since_ns,
            since_frame=change.since_frame,
            previous=change.previous,
            gate=self._gate,
        )

    def feedback(self, answer: Answer, stream: str) -> Feedback:
        """Message of a person's word on one finding."""
        return Feedback(**self._stamp(), stream=stream, **msgspec.structs.asdict(answer))

    def latest_result(self, result: Result, exam_id: str) -> LatestResult:
        """Message with the newest result of a stream, for screens."""
        judged = {**fields_in_common(result, LatestResult), "lesions": list(result.lesions), "gate": self._gate}
        if self.judges != "lesion":
            judged |= {"labels": list(result.scores), "found": list(result.given)}
        judged["areas"] = list(result.areas or ()) if self.judges == "segmentation" else msgspec.UNSET
        return LatestResult(**self._stamp(), **judged, exam_id=exam_id)


def durable_topic(manifest: BundleManifest) -> str:
    """First level of the topic of what a model of this kind finds."""
    return topics.FINDINGS if manifest.judges == "lesion" else topics.LABELS


def fields_in_common(result: Result, message: type[msgspec.Struct]) -> dict[str, Any]:
    """Values of those fields of ``result`` that ``message`` has under the same name.

    What is judged reaches the wire by its name alone: no judged field is listed here.
    """
    return {name: getattr(result, name) for name in _names_in_common(type(result), message)}


@cache
def _names_in_common(result: type[msgspec.Struct], message: type[msgspec.Struct]) -> tuple[str, ...]:
    return tuple(name for name in result.__struct_fields__ if name in message.__struct_fields__)


def clip_ref(clip: ClipJudgement | None, threshold: float) -> ClipRef | None:
    """Judgement of all frames of a track, as it is published. ``threshold``: from here on it is called suspicious."""
    if clip is None or not clip.frames:
        return None
    malignancy = clip.malignancy
    return ClipRef(
        malignancy=precision.probability(malignancy),
        uncertainty=precision.probability(1 - malignancy if malignancy >= threshold else malignancy),
        frames=clip.frames,
        seconds=round(clip.seconds, 3),
        method=clip.method,
        best_frame=None if clip.best is None else clip.best.frame_seq,
    )


def earlier(at: str, by_ns: int) -> str:
    """Time ``by_ns`` nanoseconds before ``at``, both RFC 3339 in UTC."""
    moment = datetime.fromisoformat(at.replace("Z", "+00:00")) - timedelta(microseconds=by_ns // 1000)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _laterality(frame: Frame, stream: StreamSettings) -> Laterality:
    if stream.laterality is not None:
        return Laterality(side=stream.laterality, source="config")
    if frame.origin.laterality is not None:
        return Laterality(side=frame.origin.laterality, source="dicom")
    return Laterality()
