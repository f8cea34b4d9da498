"""Model outputs as real values: dequantised heads, calibrated malignancy probability, and lesions of the mask."""

from __future__ import annotations

import math
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from edge.contracts.manifest import ANATOMY, LESION_MASK, MALIGNANCY
from edge.contracts.tensors import TensorSpec
from edge.postprocess.dequantise import dequantise as dequantise  # export and training know it by this module
from edge.postprocess.drawn_screen import DrawnScreen
from edge.postprocess.frame_context import NOTHING_KNOWN
from edge.postprocess.lesions import find_lesions
from edge.postprocess.pixel_gate import PixelSample, flow_share, tint_of, untinted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from edge.contracts.manifest import Calibration, ModelManifest
    from edge.contracts.region import Region
    from edge.contracts.results import Lesion
    from edge.postprocess.frame_context import FrameContext
    from edge.postprocess.lesions import PicturePlacement

MAX_LESION_FLOW = 0.2
"""Largest share of flow's colours in the box of a lesion. Vessels beside and in a lesion fill less of its box."""


class JudgedOutputs:
    """Outputs of one frame as a rule or verdict asks for them; each value is computed when it is first asked for."""

    def __init__(
        self,
        outputs: Mapping[str, NDArray[Any]],
        manifest: ModelManifest,
        placement: PicturePlacement,
        regions: tuple[Region, ...],
        context: FrameContext = NOTHING_KNOWN,
        pixels: NDArray[np.uint8] | None = None,
    ) -> None:
        """Arguments as for `edge.postprocess.decide.decide`; ``outputs`` has all heads of the manifest.

        ``pixels``: None: painted flow is not told from lesions.
        """
        self._outputs, self._placement, self._regions = outputs, placement, regions
        self.manifest, self._pixels = manifest, pixels
        self.limits = manifest.thresholds
        self.context = context
        """What else is known of the frame."""
        self.flow_lesions = 0
        """What `lesions` left out since it is painted flow; counted when they are first asked for."""

    @cached_property
    def anatomy(self) -> float | None:
        """Probability that the picture is of the manifest's body part, 0 to 1; None: the model has no such head."""
        return self._number(ANATOMY, self._outputs[ANATOMY].item()) if ANATOMY in self.manifest.heads else None

    @property
    def is_strange(self) -> bool:
        """Whether there is an anatomy head, and it takes the picture for none of the manifest's body part."""
        return self.anatomy is not None and self.anatomy < self.manifest.thresholds.anatomy

    @cached_property
    def malignancy(self) -> float:
        """Calibrated probability of the malignant class, 0 to 1."""
        stored = self._outputs[MALIGNANCY]
        resolution = self.manifest.heads[MALIGNANCY].tensor.scale if stored.dtype.kind in "iu" else 0.0
        calibration = self.manifest.calibration
        most = self.largest_presence() if calibration.presence else 1.0
        return calibrate(self._number(MALIGNANCY, stored.item(1)), calibration, resolution, most)

    def largest_presence(self) -> float:
        """Largest value of the lesion mask, 0 to 1: how sure it is that there is a lesion anywhere."""
        return min(1.0, max(0.0, self._number(LESION_MASK, self._outputs[LESION_MASK].max().item())))

    @property
    def suspicious(self) -> bool:
        """Whether the malignancy is at or over the manifest's operating point."""
        return self.malignancy >= self.manifest.thresholds.malignancy

    @property
    def call_uncertain(self) -> bool:
        """Whether the malignancy lies strictly inside the manifest's interval of uncertain values."""
        interval = self.manifest.thresholds.uncertain
        return interval is not None and interval[0] < self.malignancy < interval[1]

    @cached_property
    def lesions(self) -> list[Lesion]:
        """Lesions of the mask head, whose output is (1, h, w, 1), the surest first; without descriptors."""
        mask = presence(self._outputs[LESION_MASK][0, :, :, 0], self.manifest.heads[LESION_MASK].tensor)
        size = (self.manifest.recipe.width, self.manifest.recipe.height)
        found = find_lesions(mask, self._placement, self.manifest.thresholds, size, self._regions)
        lesions = [lesion for lesion in found if not self._is_flow(lesion)]
        self.flow_lesions = len(found) - len(lesions)
        return lesions

    @property
    def nothing_found(self) -> bool:
        """Whether the mask head shows no lesion."""
        return not self.lesions

    def _is_flow(self, lesion: Lesion) -> bool:
        """Whether a good part of what looks like a lesion has the colours that Doppler paints flow with."""
        if self._pixels is None or self._pixels.ndim == 2:
            return False
        x, y, w, h = lesion.box
        smooth = cv2.blur(self._pixels[y : y + h, x : x + w], (5, 5))  # noise of colours is no flow
        channels, grey = cv2.split(smooth), cv2.cvtColor(smooth, cv2.COLOR_RGB2GRAY)
        if flow_share(channels) <= MAX_LESION_FLOW:
            return False
        tint = tint_of(PixelSample(self._pixels, self._placement.crop))
        return flow_share(untinted(channels, np.asarray(grey, np.uint8), tint)) > MAX_LESION_FLOW

    def drawn(self) -> DrawnScreen | None:
        """Likeness of neighbours in what the model saw, measured at each call; None where nobody gave the picture."""
        return None if self._pixels is None else DrawnScreen(self._pixels, self._placement.crop)

    def _number(self, head: str, value: float) -> float:
        """Real value of one stored number, as `dequantise` gives it, without the time that arrays take."""
        spec = self.manifest.heads[head].tensor
        real = np.float32(value)
        if self._outputs[head].dtype.kind in "iu":
            real = (real - np.float32(spec.zero_point)) * np.float32(spec.scale)
        return float(real)


def presence(stored: NDArray[Any], spec: TensorSpec) -> NDArray[np.float32]:
    """Presence of a lesion by place, 0 to 1, float32 (h, w), from what a mask head has stored."""
    if stored.dtype == np.uint8:
        real: NDArray[np.float32] = cv2.LUT(stored, _presence_table(spec.scale, spec.zero_point))
        return real
    return np.clip(dequantise(stored, spec), 0.0, 1.0)


@lru_cache(maxsize=8)
def _presence_table(scale: float, zero_point: int) -> NDArray[np.float32]:
    """Presence for each of the 256 values that a uint8 mask can have; a look-up is quicker than to compute it."""
    spec = TensorSpec((256,), "uint8", scale, zero_point)
    return np.clip(dequantise(np.arange(256, dtype=np.uint8), spec), 0.0, 1.0)


def calibrate(q: float, calibration: Calibration, resolution: float, largest_presence: float = 1.0) -> float:
    """Calibrated probability of malignancy, see `Calibration`.

    Args:
        q: the head's output, 0 to 1.
        calibration: slope, intercept, and weight of the presence.
        resolution: smallest step of ``q``: an output of exactly 0 or 1 means "within half a step of it", and its
            logit is taken there instead of at infinity.
        largest_presence: of the lesion mask, 0 to 1.
    """
    edge = min(0.25, max(resolution / 2, 1e-6))
    q = min(max(q, edge), 1 - edge)
    z = calibration.slope * math.log(q / (1 - q)) + calibration.intercept
    if calibration.presence:
        z += calibration.presence * (largest_presence - 1)
    return 1 / (1 + math.exp(-z)) if z > -700 else 0.0
