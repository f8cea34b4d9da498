"""Verdict on one frame from the model's raw outputs: finding, clear, abstained, or no result for NaN outputs.

When a frame is not judged is said in one table: `edge.postprocess.abstention_rules`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from edge.contracts import precision
from edge.contracts.errors import ModelError
from edge.contracts.finding import Verdict
from edge.contracts.manifest import ClassificationManifest, ModelManifest, SegmentationManifest
from edge.contracts.region import Region
from edge.contracts.results import Reason, Status
from edge.postprocess.abstention_rules import OUTPUT_RULES
from edge.postprocess.classify import classify
from edge.postprocess.descriptors import describe
from edge.postprocess.frame_context import NOTHING_KNOWN
from edge.postprocess.measure import calibration_for
from edge.postprocess.model_outputs import JudgedOutputs
from edge.postprocess.rule_table import first_reason
from edge.postprocess.segment import segment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from edge.contracts.manifest import BundleManifest
    from edge.contracts.region import Box
    from edge.contracts.results import Lesion
    from edge.postprocess.frame_context import FrameContext
    from edge.postprocess.lesions import PicturePlacement


def decide(
    outputs: Mapping[str, NDArray[Any]],
    manifest: BundleManifest,
    placement: PicturePlacement,
    regions: tuple[Region, ...],
    pixels: NDArray[np.uint8],
    context: FrameContext = NOTHING_KNOWN,
    crop_grey: NDArray[np.uint8] | None = None,
) -> Verdict:
    """Verdict on one frame, by the abstention rules first and the manifest's thresholds then.

    How an answer is read is the model's kind: this is the one place that chooses.

    Args:
        outputs: raw (still quantised) outputs by head name.
        manifest: of the model that made them.
        placement: where its tensor lies in the source picture.
        regions: of the frame.
        pixels: (H, W) grey or (H, W, 3) RGB, uint8, the source picture.
        context: what else is known of the frame; the picture beside the crop is measured only without a lesion.
        crop_grey: (h, w) uint8, the grey of ``placement.crop``, where preprocessing has made it already.

    Raises:
        ModelError: an output that the manifest names is missing.
    """
    if manifest.heads.keys() - outputs.keys():
        raise ModelError(f"expected outputs {sorted(manifest.heads)}, got {sorted(outputs)}")
    if any(outputs[name].dtype.kind == "f" and not np.isfinite(outputs[name]).all() for name in manifest.heads):
        return Verdict(Status.NO_RESULT, Reason.NAN_OUTPUT)
    region = judged_region(placement.crop, regions, pixels.shape[1], pixels.shape[0])
    if isinstance(manifest, ClassificationManifest):
        return classify(outputs, manifest, region, context)
    if isinstance(manifest, SegmentationManifest):
        return segment(outputs, manifest, placement, regions, region, context)
    assert isinstance(manifest, ModelManifest)  # noqa: S101  (no bundle of another kind is loaded)
    judged = JudgedOutputs(outputs, manifest, placement, regions, context, pixels)
    return _judge_lesions(judged, manifest, regions, region, _Picture(pixels, placement.crop, crop_grey))


@dataclass(frozen=True, slots=True)
class _Picture:
    """The source picture, its crop, and the crop's grey where it has been made already."""

    pixels: NDArray[np.uint8]
    crop: Box
    crop_grey: NDArray[np.uint8] | None


def _judge_lesions(
    judged: JudgedOutputs, manifest: ModelManifest, regions: tuple[Region, ...], region: Region, picture: _Picture
) -> Verdict:
    """Verdict of a lesion model; ``region`` is what the judgement is about."""
    if (reason := first_reason(OUTPUT_RULES, judged)) is not None:
        return Verdict(Status.ABSTAINED, reason, region=region)
    malignancy = precision.probability(judged.malignancy, manifest.thresholds.malignancy, manifest.thresholds.uncertain)
    if not judged.lesions:
        return Verdict(Status.CLEAR, malignancy=malignancy, region=region)
    return _finding(judged, malignancy, regions, region, picture)


def _finding(
    judged: JudgedOutputs, malignancy: float, regions: tuple[Region, ...], region: Region, picture: _Picture
) -> Verdict:
    """Verdict on a frame with lesions. ``region``: what is reported where none is calibrated below the first."""
    measured = calibration_for(judged.lesions[0].outline, regions, judged.lesions[0].box)
    return Verdict(
        Status.FINDING,
        malignancy=malignancy,
        suspicious=judged.suspicious,
        uncertainty=precision.probability(chance_of_error(malignancy, judged.suspicious)),
        lesions=_described(judged.lesions, measured, picture.pixels, picture.crop, picture.crop_grey),
        region=region if measured is None else _reported(measured),
        call_uncertain=judged.call_uncertain,
    )


def _described(
    lesions: list[Lesion],
    measured: Region | None,
    pixels: NDArray[np.uint8],
    crop: Box,
    crop_grey: NDArray[np.uint8] | None,
) -> tuple[Lesion, ...]:
    """The lesions with their descriptors. ``measured``: calibrated region of the first; the rest as for `decide`."""
    aspect = 1.0 if measured is None else (measured.mm_y or 1.0) / (measured.mm_x or 1.0)
    return tuple(
        msgspec.structs.replace(each, descriptors=describe(each, pixels, crop, aspect, crop_grey)) for each in lesions
    )


def _reported(region: Region) -> Region:
    """``region`` with millimetres as they are reported; what is measured by it is measured unrounded."""
    spacing = precision.pixel_spacing
    return msgspec.structs.replace(region, mm_x=spacing(region.mm_x), mm_y=spacing(region.mm_y))


def chance_of_error(malignancy: float, suspicious: bool) -> float:
    """Chance that a call is wrong, 0 to 1, by the calibrated probability itself, at the manifest's prevalence.

    Over a half where the operating point calls against the odds. On held-back pictures nothing that a device could
    compute beside it (the mask's sharpness, a second look at the mirrored picture) ordered its errors better.
    """
    return 1 - malignancy if suspicious else malignancy


def judged_region(crop: Box, regions: tuple[Region, ...], width: int, height: int) -> Region:
    """The frame's largest region that the source gives (which the crop follows), clipped to the picture.

    Else the largest that was found in the pixels, else the crop itself.

    Args:
        crop: (x, y, w, h) that the model saw, in pixels of the source picture.
        regions: of the frame.
        width: of the source picture in pixels.
        height: of the source picture in pixels.
    """
    best: Region | None = None
    best_area = 0.0
    for each in regions:
        x, y, w, h = each.box
        left, top, right, bottom = max(0, x), max(0, y), min(width, x + w), min(height, y + h)
        area = float(max(0, right - left) * max(0, bottom - top))
        if each.source == "detected":
            area /= width * height + 1  # the crop did not follow it: it counts where the source gives none
        if area > best_area:
            box = (left, top, right - left, bottom - top)
            best, best_area = msgspec.structs.replace(each, box=box), area
    return _reported(best) if best is not None else Region(crop, source="detected")
