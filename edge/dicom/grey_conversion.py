"""Converts grey samples of any depth to 8 bits: DICOM PS3.3 C.11.1 (modality LUT) and C.11.2 (window, VOI LUT)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import numpy as np

from edge.dicom.clipped_samples import check_range
from edge.dicom.element_values import first_value, float_value, text_value
from edge.dicom.suppress_warnings import suppress_pydicom_warnings

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from edge.dicom.pixel_layout import PixelLayout

OUTLIERS = 0.001
"""Share of the darkest, and of the brightest, samples of a frame that do not decide how bright a clip is shown: a
defective pixel, a mark in a corner."""


class GreyConverter:
    """Converts the grey samples of one file to 8 bits, from black to white as they are to be displayed.

    Plain 8-bit samples stay as they are: that is what scanners export and people look at. Fewer bits are spread over
    0 to 255. More bits (or signed ones) go through the file's rescale and its first VOI LUT or window. Without one, 9
    to 15 bits are shown from 0 to the highest value that they hold, as dcmtk does it. Of 16 and 32 bits, and of signed
    ones, nobody knows how many are used: they are shown from the darkest to the brightest sample, but for `OUTLIERS`,
    of the first frame that comes and is not flat, and so for the whole clip.
    """

    @suppress_pydicom_warnings()
    def __init__(self, elements: Dataset, layout: PixelLayout) -> None:
        self._inverted = layout.photometric == "MONOCHROME1"
        self._low = -(1 << (layout.stored - 1)) if layout.signed else 0
        self._count = 1 << layout.stored
        self._plain = layout.stored == 8 and not layout.signed
        self._few = layout.stored < 8 and not layout.signed
        self._by_bits = layout.stored not in (16, 32) and not layout.signed
        self._table: NDArray[np.uint8] | None = None
        self._range: tuple[float, float] | None = None
        slope, intercept = float_value(elements, "RescaleSlope"), float_value(elements, "RescaleIntercept")
        self._slope = slope if slope is not None and math.isfinite(slope) and slope else 1.0
        self._intercept = intercept if intercept is not None and math.isfinite(intercept) else 0.0
        self._modality = _lookup_table(elements, "ModalityLUTSequence")
        self._voi = _lookup_table(elements, "VOILUTSequence")
        centre, width = float_value(elements, "WindowCenter"), float_value(elements, "WindowWidth")
        valid = centre is not None and width is not None and math.isfinite(centre) and 0 < width < math.inf
        self._window = (cast("float", centre), cast("float", width)) if valid else None
        self._function = text_value(elements, "VOILUTFunction") or "LINEAR"

    def __call__(self, samples: NDArray[Any]) -> NDArray[np.uint8]:
        """Convert (H, W) integer samples of one frame to (H, W) uint8 grey."""
        if self._plain:
            grey = samples.astype(np.uint8, copy=False)
        elif self._count <= 1 << 16:
            table = self._table
            if table is None:
                fixed = self._keep_range(samples)
                table = self._to_8_bits(np.arange(self._low, self._low + self._count))
                self._table = table if fixed else None
            grey = table[np.clip(samples.astype(np.int32) - self._low, 0, self._count - 1)]
        else:
            self._keep_range(samples)
            grey = self._to_8_bits(samples)
        return 255 - grey if self._inverted else grey

    def check(self, samples: NDArray[Any]) -> None:
        """Raise `SourceError` for a frame (H, W) that the range of the frames before it would clip; call it first."""
        by_range = not (self._plain or self._few or self._by_bits or self._voi is not None or self._window is not None)
        if by_range and self._range is not None and self._range[0] < self._range[1]:
            check_range(samples, self._range, self._rescaled)

    def _keep_range(self, samples: NDArray[Any]) -> bool:
        """Keep the range that is shown, for files that have no window; False: the frame is flat, and tells nothing."""
        if self._range is not None and self._range[0] < self._range[1]:
            return True
        if self._by_bits:
            values = self._rescaled(np.array([self._low, self._low + self._count - 1]))
            self._range = float(values.min()), float(values.max())
        else:
            values = np.sort(self._rescaled(samples), axis=None)
            left_out = int(values.size * OUTLIERS)
            self._range = float(values[left_out]), float(values[values.size - 1 - left_out])
            if self._range[0] == self._range[1]:  # nearly flat: what there is counts
                self._range = float(values[0]), float(values[-1])
        return self._range[0] < self._range[1]

    def _rescaled(self, samples: NDArray[Any]) -> NDArray[np.float64]:
        if self._modality is not None:
            return _look_up(self._modality, samples.astype(np.float64))
        return samples.astype(np.float64) * self._slope + self._intercept

    def _to_8_bits(self, samples: NDArray[Any]) -> NDArray[np.uint8]:
        values = self._rescaled(samples)
        if self._few:
            share = samples / (self._count - 1)
        elif self._voi is not None:
            share = _look_up(self._voi, values) / (2.0 ** self._voi[2] - 1)
        elif self._window is not None:
            share = _windowed(values, *self._window, self._function)
        else:
            low, high = cast("tuple[float, float]", self._range)
            share = (values - low) / ((high - low) or 1.0)
        return np.floor(np.clip(share, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def _windowed(values: NDArray[np.float64], centre: float, width: float, function: str) -> NDArray[np.float64]:
    """0 (black) to 1 (white), not clipped: PS3.3 C.11.2.1.2.1 and C.11.2.1.3."""
    if function == "SIGMOID":
        return 1.0 / (1.0 + np.exp(np.clip(-4.0 * (values - centre) / width, -50.0, 50.0)))
    if function == "LINEAR_EXACT":
        return (values - centre) / width + 0.5
    return (values - (centre - 0.5)) / max(width - 1.0, 1e-6) + 0.5


def _lookup_table(elements: Dataset, keyword: str) -> tuple[NDArray[np.float64], int, int] | None:
    """The first item of a LUT sequence (PS3.3 C.11.1.1): entries, the value that the first is for, bits of an entry.

    None if there is none that can be read.
    """
    item = first_value(elements, keyword)
    try:
        count, start, bits = (int(value) for value in item.LUTDescriptor)
        data = item.LUTData
        words = np.frombuffer(data, "<u2") if isinstance(data, bytes) else np.asarray(data)
        entries: NDArray[np.float64] = words[: count or 1 << 16].astype(np.float64)
    except Exception:  # absent or broken
        return None
    return (entries, start, bits) if entries.size and 8 <= bits <= 16 else None


def _look_up(table: tuple[NDArray[np.float64], int, int], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Samples before the first entry get that, those past the last get the last."""
    entries, start, _ = table
    found: NDArray[np.float64] = entries[np.clip(np.rint(values) - start, 0, entries.size - 1).astype(np.int64)]
    return found
