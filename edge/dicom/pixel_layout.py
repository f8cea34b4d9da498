"""How pixels are stored: the Image Pixel module (PS3.3 C.7.6.3), checked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edge.contracts.errors import SourceError
from edge.dicom.header import first_value, int_value
from edge.dicom.suppress_warnings import suppress_pydicom_warnings

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from edge.dicom.header import DicomHeader

MONOCHROME = ("MONOCHROME1", "MONOCHROME2")
SUBSAMPLED = ("YBR_FULL_422", "YBR_PARTIAL_422")
"""Uncompressed, two pixels share their colour: four bytes for two pixels."""
COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420", "YBR_RCT", "YBR_ICT")
LUMINANCE = "Y"
"""Not DICOM's word: of YBR_FULL the Y alone."""
RETIRED = ("HSV", "ARGB", "CMYK", "XYB")


@dataclass(frozen=True, slots=True)
class PixelLayout:
    """One frame's shape and coding."""

    rows: int
    columns: int
    frames: int
    """As many as the file says it has."""
    samples: int
    """1, or 3 for colour."""
    photometric: str
    allocated: int
    """Bits that a sample takes."""
    stored: int
    """Bits of it that count."""
    signed: bool
    planar: int
    """1: all of red, then all of green, then all of blue."""

    @property
    def pixels(self) -> int:
        """Of one frame."""
        return self.rows * self.columns

    @property
    def frame_bits(self) -> int:
        """Size of one uncompressed frame."""
        bits = self.pixels * self.samples * self.allocated
        return bits * 2 // 3 if self.photometric in SUBSAMPLED else bits


@suppress_pydicom_warnings()
def read_pixel_layout(header: DicomHeader) -> PixelLayout:
    """The layout of ``header``'s pixels. Raises `SourceError` if an element is missing, wrong or not supported."""
    layout = _from_elements(header.elements)
    size = header.pixels_length
    if layout.photometric == "YBR_FULL_422" and not header.transfer_syntax.is_encapsulated and size is not None:
        full = replace(layout, photometric="YBR_FULL")
        if size * 8 >= full.frame_bits * full.frames:  # says that colours are shared, but writes all of them
            return full
    return layout


def _from_elements(elements: Dataset) -> PixelLayout:
    photometric = str(first_value(elements, "PhotometricInterpretation") or "").strip().upper()
    allocated = int_value(elements, "BitsAllocated", 0)
    layout = PixelLayout(
        rows=int_value(elements, "Rows", 0),
        columns=int_value(elements, "Columns", 0),
        frames=max(1, int_value(elements, "NumberOfFrames", 1)),
        samples=int_value(elements, "SamplesPerPixel", 1),
        photometric=photometric,
        allocated=allocated,
        stored=int_value(elements, "BitsStored", allocated),
        signed=int_value(elements, "PixelRepresentation", 0) == 1,
        planar=int_value(elements, "PlanarConfiguration", 0),
    )
    wanted = 3 if photometric in COLOURS else 1
    if photometric not in (*MONOCHROME, *COLOURS, "PALETTE COLOR"):
        got = photometric if photometric in RETIRED else "something else"
        _refuse(f"expected a photometric interpretation in use, got {got}")
    if layout.samples != wanted:
        _refuse(f"expected {wanted} samples per pixel for {photometric}, got {layout.samples}")
    if not (0 < layout.rows < 65536 and 0 < layout.columns < 65536):
        _refuse(f"expected rows and columns from 1 to 65535, got {layout.rows} x {layout.columns}")
    if layout.allocated not in (1, 8, 16, 32) or not 0 < layout.stored <= layout.allocated:
        _refuse(f"expected 1, 8, 16 or 32 bits, got {layout.stored} stored in {layout.allocated}")
    if (layout.allocated == 1 and layout.samples != 1) or layout.planar not in (0, 1):
        _refuse("its pixels are laid out in no way that DICOM knows")
    return layout


def _refuse(message: str) -> None:
    raise SourceError(message, hint="export the file again, as uncompressed if that is offered")
