"""Converts samples of any DICOM photometric interpretation (PS3.3 C.7.6.3.1.2) to 8-bit grey or RGB."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import cv2
import numpy as np
from pydicom.pixels import apply_color_lut

from edge.contracts.errors import SourceError
from edge.dicom.element_values import first_value
from edge.dicom.grey_conversion import GreyConverter
from edge.dicom.pixel_layout import LUMINANCE, MONOCHROME
from edge.dicom.segmented_palette import check_segmented_palette
from edge.dicom.suppress_warnings import suppress_pydicom_warnings

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from edge.dicom.header import DicomHeader
    from edge.dicom.pixel_layout import PixelLayout

_COLOURS = ("Red", "Green", "Blue")
PALETTE_NOTE = "its palette of 16 bits has no entry over 255: read as one of 8 bits, by its word it would be black"


class ColourConverter:
    """Converts decoded samples of one file's frames to 8-bit grey or RGB pictures."""

    def __init__(self, header: DicomHeader, layout: PixelLayout, *, grey: bool = False) -> None:
        """Read the palette or window of the file. Raises `SourceError` if the palette is missing or broken.

        Args:
            header: of the file.
            layout: of its pixels.
            grey: pictures are to be grey, whatever the file has: by the model's recipe, but for `LUMINANCE`.
        """
        self._grey = grey
        self._stored = layout.stored
        self._greys = GreyConverter(header.elements, layout) if layout.photometric in MONOCHROME else None
        self._palette, self.note = None, ""
        """The note says, in words, what the palette is read as, if that is not what the file says of it."""
        if layout.photometric == "PALETTE COLOR":
            self._palette = read_palette(header.elements, layout)
            if _not_shifted(header.elements):
                self.note = PALETTE_NOTE
        self._low = -(1 << (layout.stored - 1)) if layout.signed else 0

    def check(self, samples: NDArray[Any]) -> None:
        """Raise `SourceError` for a whole frame (H, W[, 3]) that would be clipped, see `GreyConverter.check`."""
        if self._greys is not None:
            self._greys.check(samples)

    def __call__(self, samples: NDArray[Any], photometric: str) -> NDArray[np.uint8]:
        """Convert the samples of one frame to a picture.

        Args:
            samples: (H, W) or (H, W, 3) integers, as decoded.
            photometric: what they are, which a decoder may have changed from what the file says.

        Returns:
            (H, W) grey or (H, W, 3) RGB, uint8, contiguous.

        Raises:
            SourceError: samples that cannot be what ``photometric`` says.
        """
        if self._greys is not None:
            picture = self._greys(samples)
        elif self._palette is not None:
            picture = self._palette[np.clip(samples.astype(np.int32) - self._low, 0, len(self._palette) - 1)]
        else:
            picture = self._to_8_bits(samples)
            if photometric in ("YBR_FULL", "YBR_FULL_422"):
                picture = full_range_to_rgb(picture)
            elif photometric == "YBR_PARTIAL_422":
                picture = partial_range_to_rgb(picture)
            elif photometric not in ("RGB", LUMINANCE):
                raise SourceError(f"colours in {photometric} were not undone by the decoder")
        picture = np.ascontiguousarray(picture)
        if self._grey and picture.ndim == 3:
            return cast("NDArray[np.uint8]", cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))
        return picture

    def _to_8_bits(self, samples: NDArray[Any]) -> NDArray[np.uint8]:
        if self._stored > 8:
            samples = samples >> (self._stored - 8)
        elif self._stored < 8:
            samples = samples.astype(np.uint16) * 255 // ((1 << self._stored) - 1)
        return samples.astype(np.uint8, copy=False)


def full_range_to_rgb(ybr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Convert (H, W, 3) uint8 YBR_FULL (ITU-R BT.601, 0 to 255, as in JPEG) to RGB.

    In integers, rounded as libjpeg does.
    """
    y, cb, cr = _channels(ybr, 0, 128)
    half = 1 << 15
    return _stack(
        y + ((91881 * cr + half) >> 16),
        y + ((-22554 * cb - 46802 * cr + half) >> 16),
        y + ((116130 * cb + half) >> 16),
    )


def partial_range_to_rgb(ybr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Convert (H, W, 3) uint8 YBR_PARTIAL (ITU-R BT.601, luminance 16 to 235, colours 16 to 240) to RGB.

    In integers.
    """
    y, cb, cr = _channels(ybr, 16, 128)
    y = 76309 * y + (1 << 15)
    return _stack((y + 104597 * cr) >> 16, (y - 25675 * cb - 53279 * cr) >> 16, (y + 132201 * cb) >> 16)


def _channels(ybr: NDArray[np.uint8], black: int, neutral: int) -> tuple[NDArray[np.int32], ...]:
    return tuple(ybr[..., i].astype(np.int32) - (neutral if i else black) for i in range(3))


def _stack(*channels: NDArray[np.int32]) -> NDArray[np.uint8]:
    return np.clip(np.stack(channels, axis=-1), 0, 255).astype(np.uint8)


@suppress_pydicom_warnings()
def read_palette(elements: Dataset, layout: PixelLayout) -> NDArray[np.uint8]:
    """Colour palette of the file: RGB of every possible sample, (2**stored, 3) uint8. PS3.3 C.7.6.3.1.5 and .6.

    Row 0 is the colour of the lowest possible sample, which is negative if samples are signed. Entries of 16 bits of
    which none is over 255 are read as 8 bits: some writers do not shift them, and no scanner shows all in black.

    Raises:
        SourceError: there is no whole palette.
    """
    if layout.stored > 16:
        raise SourceError(f"expected a palette for at most 16 bits, got {layout.stored}")
    low = -(1 << (layout.stored - 1)) if layout.signed else 0
    samples = np.arange(low, low + (1 << layout.stored), dtype=np.int32)
    try:
        if first_value(elements, "RedPaletteColorLookupTableData") is None:  # segmented, or none
            for colour in _COLOURS:
                bits = int(elements[f"{colour}PaletteColorLookupTableDescriptor"].value[2])
                check_segmented_palette(elements[f"Segmented{colour}PaletteColorLookupTableData"].value, bits)
            table = np.asarray(apply_color_lut(samples, elements))
        else:
            columns = [_entries(elements, colour)[_places(elements, colour, samples)] for colour in _COLOURS]
            table = np.stack(columns, axis=-1)
    except Exception as error:
        message = f"broken or missing colour palette ({type(error).__name__})"
        raise SourceError(message, hint="export the file again") from None
    return (table >> 8 if int(table.max()) > 255 else table).astype(np.uint8)


def _not_shifted(elements: Dataset) -> bool:
    """Whether a palette says that its entries have 16 bits, has room for them, and uses the lower 8 only."""
    try:
        described = [int(value) for value in elements.RedPaletteColorLookupTableDescriptor]
        entries = [_entries(elements, colour) for colour in _COLOURS]
        wide = len(elements.RedPaletteColorLookupTableData) >= 2 * _count(elements, "Red")
    except Exception:  # segmented, whose entries pydicom scales
        return False
    return described[2] == 16 and wide and max(int(column.max()) for column in entries) < 256


def _entries(elements: Dataset, colour: str) -> NDArray[np.uint16]:
    """The entries of one colour, of 8 or 16 bits, as integers."""
    data = cast("bytes", elements[f"{colour}PaletteColorLookupTableData"].value)
    count = _count(elements, colour)
    if not elements.original_encoding[1]:  # the words of a big endian file
        data = np.frombuffer(data[: len(data) // 2 * 2], ">u2").astype("<u2").tobytes()
    if len(data) >= 2 * count:
        return np.frombuffer(data, "<u2", count)
    return np.frombuffer(data, np.uint8, count).astype(np.uint16)


def _places(elements: Dataset, colour: str, samples: NDArray[np.int32]) -> NDArray[np.int32]:
    """Which entry each sample gets: the first and the last entry also stand for what is beyond them."""
    start = int(elements[f"{colour}PaletteColorLookupTableDescriptor"].value[1])
    if start >= 1 << 15 and samples[0] < 0:  # written as unsigned
        start -= 1 << 16
    return np.clip(samples - start, 0, _count(elements, colour) - 1)


def _count(elements: Dataset, colour: str) -> int:
    """Number of entries; 0 stands for 65,536, which does not fit its field."""
    return int(elements[f"{colour}PaletteColorLookupTableDescriptor"].value[0]) or 1 << 16
