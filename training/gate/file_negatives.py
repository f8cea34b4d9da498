"""Negatives of the anatomy gate from files: ultrasound of other organs, other DICOM, photographs.

`FileNegative.family` keeps the gate that learns from a file apart from the gate that is evaluated on it: files of one
examination, or the same picture in another coding, are one family.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from edge.contracts.errors import ConfigError, SourceError
from edge.contracts.frames import SourceEvent
from edge.contracts.region import Region
from edge.images.headers import read_image_headers
from edge.sources.clip_frames import clip_pictures
from edge.sources.images import decode_image
from edge.sources.interlaced_probe import require_trustworthy_decoder

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

FAMILIES = {
    "OBXXXX1A_rle_2frame": "obstetric",
    "no-pixel-spacing": "obstetric",
    "examples_palette": "obstetric",
    "US-YBR_FULL_422-EVRLE": "linear-tissue",
    "YBR_422": "linear-tissue",
    "examples_rgb_color": "lymph-node",
    "examples_jpeg2k": "lymph-node",
    "US-PAL-8-10x-echo": "echocardiogram",
    "jpeg-ls-Palette": "echocardiogram",
}
"""Files that show the same, found by eye. A file not named here is a family of its own."""
DICOM = (".dcm", ".dicom", ".dic")
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
CLIPS = (".mp4", ".avi", ".mov", ".mkv", ".mpg", ".mpeg")
PYDICOM = ("examples_palette", "examples_rgb_color", "examples_ybr_color", "examples_jpeg2k", "CT_small", "MR_small")
OTHER_MODALITIES = ("CT_small", "MR_small")
"""Files that are no ultrasound: learnt from, not evaluated."""


@dataclass(frozen=True, eq=False)
class FileNegative:
    """One picture of a file that does not show breast B-mode."""

    file: str
    family: str
    frame: int
    pixels: NDArray[np.uint8]
    """(H, W) uint8 grey or (H, W, 3) uint8 RGB."""
    regions: tuple[Region, ...]
    photograph: bool
    """Whether it is no ultrasound scan at all."""
    evaluated: bool
    """Whether the gate is evaluated on this file: real ultrasound."""


def from_files(data: Path, log: Callable[[str], None]) -> list[FileNegative]:
    """Read all frames of ``data/dicom``, ``data/clips`` and pydicom's examples, and photographs that ship in wheels.

    A file or frame that cannot be read is left out, with a line in the log.
    """
    found: list[FileNegative] = []
    shipped = Path(str(files("pydicom"))) / "data" / "test_files"
    for path in sorted((data / "dicom").glob("*")) + [shipped / f"{name}.dcm" for name in PYDICOM]:
        found += _dicom_if_readable(path, evaluated=path.stem not in OTHER_MODALITIES, log=log)
    for path in sorted((data / "clips").glob("*")):
        found += _clip(path, log)
    found += _photographs()
    return found


def from_folder(root: Path, log: Callable[[str], None]) -> list[FileNegative]:
    """Read all pictures, DICOM files and clips below ``root``, which show other organs, and photographs out of wheels.

    Pictures of one folder are one family; a DICOM file or clip is its own. What cannot be read is left out, with a line
    in the log. Raises ConfigError where nothing could be read.
    """
    found: list[FileNegative] = []
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        suffix = path.suffix.lower()
        if suffix in DICOM or not suffix:  # DICOM files often have no suffix
            found += _dicom_if_readable(path, evaluated=True, log=log)
        elif suffix in CLIPS:
            found += _clip(path, log)
        elif suffix in PICTURES:
            found += _picture(path, log)
    if not found:
        raise ConfigError(
            f"--gate-negatives {root} has no picture that can be read", hint="pictures, DICOM or clips of other organs"
        )
    return found + _photographs()


def _picture(path: Path, log: Callable[[str], None]) -> list[FileNegative]:
    try:
        data = path.read_bytes()
        pixels = decode_image(data, read_image_headers(data)[0])
    except Exception as error:  # whatever broken bytes make a decoder trip over: it costs that file
        log(f"gate: {path.name} left out: {str(error) or type(error).__name__:.100}")
        return []
    return [FileNegative(path.name, path.parent.name, 0, pixels, (), photograph=False, evaluated=True)]


def _negative(
    path: Path,
    frame: int,
    pixels: NDArray[np.uint8],
    regions: tuple[Region, ...] = (),
    *,
    evaluated: bool,
    photograph: bool = False,
) -> FileNegative:
    return FileNegative(
        path.name,
        FAMILIES.get(path.stem, FAMILIES.get(path.name, path.name)),
        frame,
        pixels,
        regions,
        photograph,
        evaluated,
    )


def _dicom_if_readable(path: Path, *, evaluated: bool, log: Callable[[str], None]) -> list[FileNegative]:
    try:
        return _dicom(path, evaluated=evaluated)
    except Exception as error:  # whatever a decoder raises: a file without one costs that file
        log(f"gate: {path.name} left out: {str(error).splitlines()[0]:.100}")
        return []


def _dicom(path: Path, *, evaluated: bool) -> list[FileNegative]:
    import pydicom
    from pydicom.pixels import apply_color_lut, iter_pixels

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds = pydicom.dcmread(path)
        regions = tuple(
            Region((x, y, int(r.RegionLocationMaxX1) - x + 1, int(r.RegionLocationMaxY1) - y + 1), source="dicom")
            for r in ds.get("SequenceOfUltrasoundRegions", [])
            if r.get("RegionDataType") == 1
            for x, y in [(int(r.RegionLocationMinX0), int(r.RegionLocationMinY0))]
        )
        out = []
        for frame, values in enumerate(iter_pixels(path)):
            picture: NDArray[Any] = values
            if ds.PhotometricInterpretation == "PALETTE COLOR":
                picture = apply_color_lut(values, ds)
            if picture.dtype != np.uint8:
                low, high = float(picture.min()), float(picture.max())
                if picture.ndim == 3:  # a palette of 16 bits
                    low, high = 0.0, float(np.iinfo(picture.dtype).max)
                picture = ((picture - low) * (255.0 / max(1.0, high - low))).astype(np.uint8)
            out.append(_negative(path, frame, picture, regions, evaluated=evaluated))
    return out


def _clip(path: Path, log: Callable[[str], None]) -> list[FileNegative]:
    """Frames of a clip that are pictures for certain: OpenCV alone gives interlaced and damaged ones as well."""
    out: list[FileNegative] = []
    try:
        require_trustworthy_decoder()
        for item in clip_pictures(path):
            if isinstance(item, SourceEvent):
                log(f"gate: {path.name}: left out: {item.detail:.100}")
            else:
                out.append(_negative(path, item.origin.frame_index, item.pixels, evaluated=True))
    except SourceError as error:
        log(f"gate: {path.name} left out: {error.message:.100}")
    return out


def _photographs() -> list[FileNegative]:
    folders = (Path(str(files("skimage"))) / "data", Path(str(files("sklearn"))) / "datasets" / "images")
    out = []
    for path in sorted(p for folder in folders for p in folder.iterdir() if p.suffix in (".png", ".jpg")):
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is not None and min(picture.shape[:2]) >= 64:
            out.append(_negative(path, 0, cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), evaluated=False, photograph=True))
    return out
