"""DICOM ultrasound regions and their calibration in mm per pixel: PS3.3 C.8.5.5, US Region Calibration."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pydicom.dataset import Dataset

from edge.contracts.region import Region, calibrated_region
from edge.dicom.element_values import float_value, int_value
from edge.dicom.suppress_warnings import suppress_pydicom_warnings

if TYPE_CHECKING:
    from edge.contracts.region import Box

TWO_DIMENSIONAL = 1
"""Region Spatial Format: not M-mode, a spectrum, a waveform or a graph."""
IMAGES = (1, 2)
"""Region Data Type: tissue and colour flow; not a spectrum, a trace or a grey bar."""
CENTIMETRES = 3
"""Physical Units Direction: centimetres; others are time, speed and the like."""


@suppress_pydicom_warnings()
def read_regions(elements: Dataset, width: int, height: int) -> tuple[Region, ...]:
    """Read the two-dimensional regions of a picture, in the order of the file, their boxes clipped to it.

    ``width`` and ``height`` of the picture are in pixels.

    Only a region whose pixels have a length in centimetres on both axes is calibrated, and only if that makes a field
    of view that a scanner can have; if not, the region says so in ``uncalibrated``. Pixel Spacing is never asked:
    in ultrasound it is often wrong, and it is not bound to a part of the picture.

    A region that reaches past the picture by more than a rounding (2 pixels or 1 %) was written for another picture:
    this one was resized afterwards. It is left out, for neither its place nor its millimetres hold here.
    """
    try:
        items = list(elements.get("SequenceOfUltrasoundRegions") or ())
    except Exception:  # unreadable is as good as absent
        return ()
    found = (_region(item, width, height) for item in items if isinstance(item, Dataset))
    return tuple(region for region in found if region is not None)


def _region(item: Dataset, width: int, height: int) -> Region | None:
    if (
        int_value(item, "RegionSpatialFormat", 0) != TWO_DIMENSIONAL
        or int_value(item, "RegionDataType", 0) not in IMAGES
    ):
        return None
    box = _box(item, width, height)
    if box is None:
        return None
    mm_x, mm_y = _millimetres(item, "X"), _millimetres(item, "Y")
    if mm_x is None or mm_y is None:
        return Region(box=box, source="dicom")
    return calibrated_region(box, mm_x, mm_y, "dicom")


def _box(item: Dataset, width: int, height: int) -> Box | None:
    """(x, y, w, h) in pixels. Both corners belong to the region."""
    x0, y0 = int_value(item, "RegionLocationMinX0", -1), int_value(item, "RegionLocationMinY0", -1)
    x1, y1 = int_value(item, "RegionLocationMaxX1", -1), int_value(item, "RegionLocationMaxY1", -1)
    if not (0 <= x0 <= x1 and 0 <= y0 <= y1):
        return None
    if x1 - (width - 1) > max(2, width // 100) or y1 - (height - 1) > max(2, height // 100):
        return None
    x1, y1 = min(x1, width - 1), min(y1, height - 1)
    return (x0, y0, x1 - x0 + 1, y1 - y0 + 1) if x0 <= x1 and y0 <= y1 else None


def _millimetres(item: Dataset, axis: str) -> float | None:
    """Side of a pixel along ``axis`` in mm; None if that is not known. A negative delta only tells the direction."""
    delta = float_value(item, f"PhysicalDelta{axis}")
    if int_value(item, f"PhysicalUnits{axis}Direction", 0) != CENTIMETRES or delta is None or not math.isfinite(delta):
        return None
    return abs(delta) * 10.0 or None
