"""Wording of results for people: status, reason, size. Never "healthy": a frame without a lesion is only that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from edge.contracts.results import Reason, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.contracts.labels import LabelArea, LabelScore
    from edge.contracts.manifest import Gate
    from edge.contracts.results import Lesion

RESEARCH_ONLY = "research use only"
NO_GATE = "no anatomy gate"
"""What stands on each picture that a model without one has judged."""
UNCERTAIN_CALL = "uncertain call"
"""What a finding is called, beside its call, where ``call_uncertain`` is true."""

REASONS = {
    Reason.BLACK: "the picture is black",
    Reason.FLAT: "the picture has no texture",
    Reason.TOO_SMALL: "the picture is too small",
    Reason.NO_SIGNAL: "no signal from the scanner",
    Reason.MENU: "the screen shows a menu",
    Reason.REPORT: "the screen shows a report",
    Reason.NOT_ULTRASOUND: "it does not look like ultrasound",
    Reason.COLOUR_DOPPLER: "colour Doppler is switched on",
    Reason.M_MODE: "the screen shows an M-mode",
    Reason.SPECTRAL_DOPPLER: "the screen shows spectral Doppler",
    Reason.INTERLACED: "two fields are woven into the picture",
    Reason.NO_CONTACT: "the probe has no contact",
    Reason.BLURRED: "the picture is blurred",
    Reason.WRONG_ANATOMY: "not the body part that the model knows",
    Reason.TOO_UNCERTAIN: "too uncertain",
    Reason.HEADS_DISAGREE: "malignancy without a lesion, the model contradicts itself",
    Reason.PARTLY_SEEN: "no lesion in the part that was judged, but there is another part",
    Reason.TISSUE_NOT_SEEN: "no lesion where tissue is seen, but a part of the scan shows none",
    Reason.SCAN_AREA_UNKNOWN: "no lesion, but it was not found where in the picture the scan is",
    Reason.STARTING: "still starting",
    Reason.SOURCE_LOST: "the source is lost",
    Reason.FROZEN: "the picture is frozen",
    Reason.DECODE_ERROR: "it could not be read",
    Reason.TOO_LARGE: "the picture is too large",
    Reason.POISON: "the process died twice while it read this file",
    Reason.RUNTIME_HUNG: "the runtime did not answer in time",
    Reason.RUNTIME_LOST: "the runtime was lost",
    Reason.SELF_TEST_FAILED: "the runtime failed its self-test",
    Reason.NAN_OUTPUT: "the model's output is not a number",
    Reason.FAILED: "this frame met a fault in the software",
    Reason.NO_FRAMES: "no frame has come for a while",
    Reason.NOT_RECORDED: "the disk took nothing, so what was found could not be kept",
    Reason.STREAM_ENDED: "the stream ended",
    Reason.STOPPED: "the daemon was stopped",
}


OF_LABELS = {
    Reason.HEADS_DISAGREE: "the label that means clear beside another one, the model contradicts itself",
    Reason.PARTLY_SEEN: "nothing found in the part that was judged, but there is another part",
    Reason.TISSUE_NOT_SEEN: "nothing found where tissue is seen, but a part of the scan shows none",
    Reason.SCAN_AREA_UNKNOWN: "nothing found, and it was not found either where in the picture the scan is",
}
"""In place of `REASONS`, of models that know no lesions."""


class JudgedFrame(Protocol):
    """Protocol of what words and overlays are made of: a `Result`, or a finding that came over a broker."""

    @property
    def status(self) -> Status:
        """Status of the frame: finding, clear, abstained or no result."""

    @property
    def reason(self) -> Reason | None:
        """Reason why it was not judged, or not computed; None where it was."""

    @property
    def malignancy(self) -> float | None:
        """Probability of malignancy, 0 to 1; None: unknown."""

    @property
    def suspicious(self) -> bool | None:
        """Whether malignancy is at or over the operating point; None: unknown."""

    @property
    def call_uncertain(self) -> bool:
        """Whether ``suspicious`` is an uncertain call."""

    @property
    def lesions(self) -> Sequence[Lesion]:
        """Lesions that were found, in pixels of the source picture."""


def sentence(judged: JudgedFrame) -> list[str]:
    """Sentence about a frame in parts, in ASCII; to be joined by a bar or put on lines of their own."""
    if gate_of(judged) is not None and judged.status in (Status.FINDING, Status.CLEAR):
        return _labels(judged)
    if judged.status is Status.CLEAR:
        return ["no lesion detected in this frame"]
    if judged.status is not Status.FINDING:
        verdict = "not judged" if judged.status is Status.ABSTAINED else "no result"
        return [verdict if judged.reason is None else f"{verdict}: {reason_text(judged.reason, gate_of(judged))}"]
    malignancy = "malignancy unknown" if judged.malignancy is None else f"malignancy {judged.malignancy:.2f}"
    if len(judged.lesions) == 1:
        return [f"lesion {judged.lesions[0].score:.2f}", malignancy, *_call(judged), size(judged.lesions[0])]
    return [f"{len(judged.lesions)} lesions", malignancy, *_call(judged)]


def reason_text(reason: Reason, gate: Gate | None) -> str:
    """Reason in words. ``gate``: as `gate_of` says, so that a model which knows no lesions speaks of none."""
    return REASONS[reason] if gate is None else OF_LABELS.get(reason, REASONS[reason])


def scores_of(judged: JudgedFrame) -> tuple[LabelScore, ...]:
    """Scores of a classifier or segmentation network, the highest first; empty of another model."""
    return getattr(judged, "scores", ())


def areas_of(judged: JudgedFrame) -> tuple[LabelArea, ...]:
    """Areas of a segmentation network, the surest label first; empty of another model."""
    return getattr(judged, "areas", None) or ()


def gate_of(judged: JudgedFrame) -> Gate | None:
    """Gate of a model of another kind than ``lesion``; None: it is a lesion model."""
    return getattr(judged, "gated_by", None)


def _labels(judged: JudgedFrame) -> list[str]:
    """Labels that a frame has, with their scores. What is clear is so by the model's card, and never "healthy"."""
    if areas_of(judged):
        return [area_text(area) for area in areas_of(judged)]
    given = getattr(judged, "given", ())
    said = [f"{in_ascii(each.name)} {each.score:.2f}" for each in scores_of(judged) if each.name in given]
    if judged.status is not Status.CLEAR:
        return said
    return [*said, "clear by the model's card"] if said else ["no area of any label: clear by the model's card"]


def area_text(area: LabelArea) -> str:
    """Text of an area: its label and score, its share of the judged part, and its size where there is a calibration."""
    size_mm = "" if area.area_mm2 is None else f", {area.area_mm2:.1f} mm2"
    return f"{in_ascii(area.name)} {area.score:.2f}: {area.share:.1%} of what was judged{size_mm}"


def in_ascii(text: str) -> str:
    """Text as the overlay's font can draw it."""
    return text.encode("ascii", "replace").decode()


def _call(judged: JudgedFrame) -> list[str]:
    """Call of a finding and its uncertainty, in one part: an overlay keeps both on one line where they fit."""
    if judged.call_uncertain:
        return [f"{'suspicious' if judged.suspicious else 'not suspicious'}, {UNCERTAIN_CALL}"]
    return ["suspicious"] if judged.suspicious else []


def size(lesion: Lesion) -> str:
    """Text of a lesion's size: long by short axis in millimetres, or that there is no calibration."""
    if lesion.long_axis_mm is None or lesion.short_axis_mm is None:
        return "no calibration"
    return f"{lesion.long_axis_mm:.1f} x {lesion.short_axis_mm:.1f} mm"


def counted(number: int, thing: str) -> str:
    """Number with its noun, in the plural where need be: ``1 file``, ``2 files``."""
    return f"{number} {thing}{'' if number == 1 else 's'}"
