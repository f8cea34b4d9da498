"""All abstention rules of a frame in their order: which frames are seen but not judged, and why.

`ALL_RULES` is the whole table. To add a rule: write a function that says whether it applies, and a row in the table of
the stage at which what it needs is there. A rule stands where it is to win over the rules below it: the first that
applies gives the frame's `Reason`. No other module decides that a frame is not judged.

    SIZE_RULES     before preprocessing, of the whole picture, and before the model, of its crop: (x, y, w, h)
    PIXEL_RULES    before the model, when the crop is known: a sample of its pixels (the pixel gate)
    OUTPUT_RULES   after the model: its outputs, what was said of the body part, and the picture beside the crop

A frame that cannot be computed at all (too large, NaN in an output, a runtime that hangs) is `no_result`: that is no
abstention, and is not decided here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from edge.contracts.results import Reason
from edge.postprocess.body_part import contradicts, names_the_same
from edge.postprocess.pixel_gate import PixelSample, bright_pixels, coloured_share, texture_share

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from edge.contracts.region import Box
    from edge.postprocess.model_outputs import JudgedOutputs

Inputs = TypeVar("Inputs")

MIN_SIDE = 16
"""Shortest side, in pixels, of a picture or crop that can hold a lesion and its surroundings."""
MIN_BRIGHT = 0.02
"""Least share brighter than background. Breast, heart, lung and eye scans have 0.23 and more."""
MIN_TEXTURE = 0.02
"""Least share with texture along both axes. Scans have 0.07 and more; bars, gradients and menus next to none."""
MAX_COLOURED = 0.6
"""Largest share of strong colour. A big Doppler box has about 0.15; photographs and colour bars pass one half easily,
but some scanners tint the whole picture, so that pale pictures are left to the model's anatomy head."""
MAX_UNSEEN = 0.25
"""A part outside of the crop that is larger than this share of it could hold a lesion: the picture is not clear."""


@dataclass(frozen=True, slots=True)
class AbstentionRule(Generic[Inputs]):
    """One row of the table: when a frame is not judged, under which reason, and why that is right."""

    reason: Reason
    applies: Callable[[Inputs], bool]
    why: str
    """In a sentence, for people."""


def first_reason(rules: tuple[AbstentionRule[Inputs], ...], inputs: Inputs) -> Reason | None:
    """Reason of the first of ``rules`` that applies to ``inputs``; None if none does."""
    for rule in rules:
        if rule.applies(inputs):
            return rule.reason
    return None


def pixel_gate(pixels: NDArray[np.uint8], crop: Box, crop_grey: NDArray[np.uint8] | None = None) -> Reason | None:
    """Quality gate before the model: why this picture must not be judged, by its size and pixels alone.

    Args:
        pixels: (H, W) grey or (H, W, 3) RGB, uint8. Not changed.
        crop: (x, y, w, h) of the part that the model would see, in pixels, within the picture.
        crop_grey: (h, w) uint8, the grey of ``crop``, where preprocessing has made it already.

    Returns:
        The reason of the first of `SIZE_RULES` and `PIXEL_RULES` that applies; None if nothing speaks against it.
    """
    reason = first_reason(SIZE_RULES, crop)
    return reason if reason is not None else first_reason(PIXEL_RULES, PixelSample(pixels, crop, crop_grey))


def too_small(box: Box) -> bool:
    """Whether a side of ``box``, (x, y, w, h) in pixels, is shorter than `MIN_SIDE`."""
    return min(box[2], box[3]) < MIN_SIDE


def black(sample: PixelSample) -> bool:
    """Whether hardly anything is brighter than background."""
    return bright_pixels(sample) < MIN_BRIGHT * sample.grey.size


def not_ultrasound(sample: PixelSample) -> bool:
    """Whether more of the picture has strong colour than any scan has."""
    return coloured_share(sample) > MAX_COLOURED


def flat(sample: PixelSample) -> bool:
    """Whether there is next to no texture, as in bars, gradients and menus."""
    return texture_share(sample) < MIN_TEXTURE


def wrong_anatomy(outputs: JudgedOutputs) -> bool:
    """Whether DICOM or the configuration names another body part than the model's, or the anatomy head sees another.

    Whoever says so knows better than the picture, and is asked first. Saying the right one does not overrule the
    picture: its limit is only lower then, where the manifest has a second one and nobody contradicts it.
    """
    stated, expected, limits = outputs.body_part, outputs.manifest.body_part, outputs.manifest.thresholds
    if contradicts(stated, expected):
        return True
    limit = limits.anatomy
    if limits.anatomy_stated is not None and names_the_same(stated, expected) and not outputs.body_part_disputed:
        limit = limits.anatomy_stated
    return outputs.anatomy is not None and outputs.anatomy < limit


def heads_disagree(outputs: JudgedOutputs) -> bool:
    """Whether the malignancy head calls the frame suspicious while the mask head shows no lesion."""
    return not outputs.lesions and outputs.suspicious


def too_uncertain(outputs: JudgedOutputs) -> bool:
    """Whether no lesion was found, but the malignancy lies strictly inside the manifest's interval of uncertain values.

    With a lesion that is a finding whose call is uncertain: the lesion must not be withheld for it.
    """
    return outputs.call_uncertain and not outputs.lesions


def partly_seen(outputs: JudgedOutputs) -> bool:
    """Whether no lesion was found, but the picture holds another large part that the model did not see."""
    return not outputs.lesions and outputs.unseen_share() > MAX_UNSEEN


def scan_area_unknown(outputs: JudgedOutputs) -> bool:
    """Whether no lesion was found, and it was not found either where in the picture the scan is."""
    return outputs.scan_unknown and not outputs.lesions


SIZE_RULES: tuple[AbstentionRule[Box], ...] = (
    AbstentionRule(Reason.TOO_SMALL, too_small, "So few pixels cannot hold a lesion and its surroundings."),
)
PIXEL_RULES: tuple[AbstentionRule[PixelSample], ...] = (
    AbstentionRule(Reason.BLACK, black, "There is no picture: the probe is in the air, or there is no signal."),
    AbstentionRule(Reason.NOT_ULTRASOUND, not_ultrasound, "So much colour is a photograph or a test picture, no scan."),
    AbstentionRule(Reason.FLAT, flat, "Tissue has speckle; a picture without texture shows none."),
)
OUTPUT_RULES: tuple[AbstentionRule[JudgedOutputs], ...] = (
    AbstentionRule(Reason.WRONG_ANATOMY, wrong_anatomy, "The model was trained and tested on one body part only."),
    AbstentionRule(Reason.HEADS_DISAGREE, heads_disagree, "Malignant without a lesion: one head must be wrong."),
    AbstentionRule(Reason.TOO_UNCERTAIN, too_uncertain, "Neither a lesion nor a low malignancy: it is not clear."),
    AbstentionRule(Reason.PARTLY_SEEN, partly_seen, "A part that was not judged may hold a lesion: it is not clear."),
    AbstentionRule(Reason.SCAN_AREA_UNKNOWN, scan_area_unknown, "What cannot be told from menus is not clear."),
)
ALL_RULES: tuple[AbstentionRule[Box] | AbstentionRule[PixelSample] | AbstentionRule[JudgedOutputs], ...] = (
    *SIZE_RULES,
    *PIXEL_RULES,
    *OUTPUT_RULES,
)
"""Every abstention rule of a frame, in the order in which they are asked."""
