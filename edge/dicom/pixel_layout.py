"""Pixel layout of a DICOM file: the Image Pixel module (PS3.3 C.7.6.3), read and checked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edge.contracts.errors import SourceError
from edge.dicom.element_values import first_value, int_value
from edge.dicom.suppress_warnings import suppress_pydicom_warnings

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from edge.dicom.header import DicomHeader

MONOCHROME = ("MONOCHROME1", "MONOCHROME2")
"""Photometric interpretations of grey pixels; of MONOCHROME1 the lowest value is white."""
SUBSAMPLED = ("YBR_FULL_422", "YBR_PARTIAL_422")
"""Photometric interpretations with shared colour. Uncompressed, four bytes stand for two pixels."""
COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420", "YBR_RCT", "YBR_ICT")
"""Photometric interpretations of three samples a pixel."""
LUMINANCE = "Y"
"""Not DICOM's word: of YBR_FULL the Y alone."""
RETIRED = ("HSV", "ARGB", "CMYK", "XYB")
"""Photometric interpretations that DICOM retired; they are named when they are refused."""


@dataclass(frozen=True, slots=True)
class PixelLayout:
    """Shape of a file's frames, bits of their samples, and photometric interpretation."""

    rows: int
    columns: int
    frames: int
    """Number of frames that the file says it has, 1 if it says nothing usable; what is there may be less or more."""
    samples: int
    """Samples per pixel: 1, or 3 for colour."""
    photometric: str
    """Photometric interpretation, one of those above or ``PALETTE COLOR``."""
    allocated: int
    """Bits allocated: those that a sample takes."""
    stored: int
    """Bits stored: those of it that count."""
    high: int
    """High bit: place of the highest of them. Below and above may lie anything, retired overlays for one."""
    signed: bool
    planar: int
    """Planar configuration. 1: all of red, then all of green, then all of blue; 0: by pixel."""

    @property
    def pixels(self) -> int:
        """Number of pixels of one frame."""
        return self.rows * self.columns

    @property
    def frame_bits(self) -> int:
        """Size of one uncompressed frame in bits."""
        bits = self.pixels * self.samples * self.allocated
        return bits * 2 // 3 if self.photometric in SUBSAMPLED else bits

    def frames_in(self, size: int) -> int:
        """Whole uncompressed frames in ``size`` bytes, of which one may be padding to an even length."""
        said = -(-self.frame_bits * self.frames // 8)
        return self.frames if said <= size <= said + said % 2 else size * 8 // self.frame_bits


@suppress_pydicom_warnings()
def read_pixel_layout(header: DicomHeader) -> PixelLayout:
    """Read and check the pixel layout. Raises `SourceError` if an element is missing, wrong or not supported."""
    layout = _from_elements(header.elements)
    size = header.pixels_length
    if layout.photometric == "YBR_FULL_422" and not header.transfer_syntax.is_encapsulated and size is not None:
        full = replace(layout, photometric="YBR_FULL")
        if _writes_all_colours(layout, full, size):  # says that colours are shared, but writes all of them
            return full
    return layout


def _writes_all_colours(shared: PixelLayout, full: PixelLayout, size: int) -> bool:
    """Whether ``size`` bytes of Pixel Data are frames with all colours rather than with shared ones."""
    for layout in (full, shared):  # as many frames as the file says
        if layout.frame_bits * layout.frames <= size * 8 <= layout.frame_bits * layout.frames + 8:
            return layout is full
    for layout in (shared, full):  # more of them
        if size * 8 > layout.frame_bits * layout.frames and size * 8 % layout.frame_bits == 0:
            return layout is full
    return size * 8 >= full.frame_bits * full.frames


def _from_elements(elements: Dataset) -> PixelLayout:
    photometric = str(first_value(elements, "PhotometricInterpretation") or "").strip().upper()
    allocated = int_value(elements, "BitsAllocated", 0)
    stored = int_value(elements, "BitsStored", allocated)
    layout = PixelLayout(
        rows=int_value(elements, "Rows", 0),
        columns=int_value(elements, "Columns", 0),
        frames=max(1, int_value(elements, "NumberOfFrames", 1)),
        samples=int_value(elements, "SamplesPerPixel", 1),
        photometric=photometric,
        allocated=allocated,
        stored=stored,
        high=int_value(elements, "HighBit", stored - 1),
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
    if layout.stored == layout.allocated:
        layout = replace(layout, high=layout.allocated - 1)  # all bits count, whatever it says
    if not layout.stored - 1 <= layout.high < layout.allocated:
        _refuse(f"expected {layout.stored} of {layout.allocated} bits below the high bit, got high bit {layout.high}")
    if (layout.allocated == 1 and layout.samples != 1) or layout.planar not in (0, 1):
        _refuse("its pixels are laid out in no way that DICOM knows")
    return layout


def _refuse(message: str) -> None:
    raise SourceError(message, hint="export the file again, as uncompressed if that is offered")
