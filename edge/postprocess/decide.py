"""From the model's raw outputs to one of the result states. READ `decide`: it is the order of the rules."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from edge.contracts.errors import ModelError
from edge.contracts.manifest import ANATOMY, LESION_MASK, MALIGNANCY
from edge.contracts.region import Region
from edge.contracts.results import Lesion, Reason, Status
from edge.postprocess.body_part import contradicts
from edge.postprocess.descriptors import describe
from edge.postprocess.lesions import find_lesions
from edge.postprocess.measure import calibration_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from edge.contracts.manifest import Calibration, ModelManifest
    from edge.contracts.region import Box
    from edge.contracts.tensors import TensorSpec
    from edge.postprocess.lesions import PicturePlacement


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of a frame; the fields are those of `edge.contracts.results.Result` and keep its rules."""

    status: Status
    reason: Reason | None = None
    malignancy: float | None = None
    suspicious: bool | None = None
    uncertainty: float | None = None
    lesions: tuple[Lesion, ...] = ()
    region: Region | None = None


def decide(
    outputs: Mapping[str, NDArray[Any]],
    manifest: ModelManifest,
    placement: PicturePlacement,
    regions: tuple[Region, ...],
    pixels: NDArray[np.uint8],
    body_part: str | None = None,
) -> Verdict:
    """The verdict on one frame.

    Args:
        outputs: raw (still quantised) outputs by head name.
        manifest: of the model that made them.
        placement: where its tensor lies in the source picture.
        regions: of the frame.
        pixels: (H, W) grey or (H, W, 3) RGB, uint8, the source picture.
        body_part: what DICOM or the configuration says is scanned; None: nothing is said.

    Raises:
        ModelError: an output that the manifest names is missing.
    """
    missing = manifest.heads.keys() - outputs.keys()
    if missing:
        raise ModelError(f"expected outputs {sorted(manifest.heads)}, got {sorted(outputs)}")
    if any(outputs[name].dtype.kind == "f" and not np.isfinite(outputs[name]).all() for name in manifest.heads):
        return Verdict(Status.NO_RESULT, Reason.NAN_OUTPUT)
    limits = manifest.thresholds
    region = judged_region(placement.crop, regions, pixels.shape[1], pixels.shape[0])

    def abstain(reason: Reason) -> Verdict:
        return Verdict(Status.ABSTAINED, reason, region=region)

    if contradicts(body_part, manifest.body_part):
        return abstain(Reason.WRONG_ANATOMY)  # whoever says so knows better than the picture
    if ANATOMY in manifest.heads and _real(outputs, manifest, ANATOMY).item() < limits.anatomy:
        return abstain(Reason.WRONG_ANATOMY)
    malignancy = _malignancy(outputs, manifest)
    suspicious = malignancy >= limits.malignancy
    lesions = _lesions(outputs, manifest, placement, regions)
    if suspicious and not lesions:
        return abstain(Reason.HEADS_DISAGREE)
    if limits.uncertain is not None and limits.uncertain[0] < malignancy < limits.uncertain[1]:
        return abstain(Reason.TOO_UNCERTAIN)
    if not lesions:
        return Verdict(Status.CLEAR, malignancy=malignancy, region=region)
    measured = calibration_for(np.array(lesions[0].outline), regions)
    aspect = 1.0 if measured is None else (measured.mm_y or 1.0) / (measured.mm_x or 1.0)
    described = tuple(
        msgspec.structs.replace(each, descriptors=describe(each, pixels, placement.crop, aspect)) for each in lesions
    )
    return Verdict(
        Status.FINDING,
        malignancy=malignancy,
        suspicious=suspicious,
        uncertainty=chance_of_error(malignancy, suspicious),
        lesions=described,
        region=region if measured is None else measured,
    )


def calibrate(q: float, calibration: Calibration, resolution: float) -> float:
    """Platt scaling of a probability, see `Calibration`.

    Args:
        q: the head's output, 0 to 1.
        calibration: slope and intercept.
        resolution: smallest step of ``q``: an output of exactly 0 or 1 means "within half a step of it", and its
            logit is taken there instead of at infinity.
    """
    edge = min(0.25, max(resolution / 2, 1e-6))
    q = min(max(q, edge), 1 - edge)
    z = calibration.slope * math.log(q / (1 - q)) + calibration.intercept
    return 1 / (1 + math.exp(-z)) if z > -700 else 0.0


def chance_of_error(malignancy: float, suspicious: bool) -> float:
    """Of a call: what the calibrated probability itself says of its being wrong, at the manifest's prevalence.

    Over a half where the operating point calls against the odds. On held-back pictures nothing that a device could
    compute beside it (the mask's sharpness, a second look at the mirrored picture) ordered its errors better.
    """
    return 1 - malignancy if suspicious else malignancy


def dequantise(values: NDArray[Any], spec: TensorSpec) -> NDArray[np.float32]:
    """Real values, float32: scale * (stored - zero_point) for integers, as they are for floats."""
    real = values.astype(np.float32)
    if values.dtype.kind in "iu":
        real -= np.float32(spec.zero_point)
        real *= np.float32(spec.scale)
    return real


def judged_region(crop: Box, regions: tuple[Region, ...], width: int, height: int) -> Region:
    """The frame's largest region (which the crop follows), clipped to the picture; else the crop itself."""
    best: Region | None = None
    best_area = 0
    for each in regions:
        x, y, w, h = each.box
        left, top, right, bottom = max(0, x), max(0, y), min(width, x + w), min(height, y + h)
        area = max(0, right - left) * max(0, bottom - top)
        if area > best_area:
            box = (left, top, right - left, bottom - top)
            best, best_area = msgspec.structs.replace(each, box=box), area
    return best if best is not None else Region(crop, source="detected")


def _real(outputs: Mapping[str, NDArray[Any]], manifest: ModelManifest, head: str) -> NDArray[np.float32]:
    return dequantise(outputs[head], manifest.heads[head].tensor)


def _malignancy(outputs: Mapping[str, NDArray[Any]], manifest: ModelManifest) -> float:
    """Calibrated probability of the second class."""
    stored = outputs[MALIGNANCY]
    resolution = manifest.heads[MALIGNANCY].tensor.scale if stored.dtype.kind in "iu" else 0.0
    q = float(_real(outputs, manifest, MALIGNANCY).reshape(-1)[1])
    return calibrate(q, manifest.calibration, resolution)


def _lesions(
    outputs: Mapping[str, NDArray[Any]],
    manifest: ModelManifest,
    placement: PicturePlacement,
    regions: tuple[Region, ...],
) -> list[Lesion]:
    """Lesions of the mask head (1, h, w, 1)."""
    mask = _real(outputs, manifest, LESION_MASK)[0, :, :, 0]
    size = (manifest.recipe.width, manifest.recipe.height)
    return find_lesions(np.clip(mask, 0.0, 1.0), placement, manifest.thresholds, size, regions)
