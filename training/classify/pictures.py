"""Reading of one picture or mask from disk, as the device's sources read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.contracts.errors import ConfigError, EdgeError
from edge.dicom.frame_reader import DicomFrameReader
from edge.images.headers import read_image_headers
from edge.postprocess.abstention_rules import MIN_SIDE
from edge.preprocess.crop import largest_region
from edge.sources.images import decode_image

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

DICOM = (".dcm", ".dicom", ".dic")
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", *DICOM)


class BrokenPictureError(ConfigError):
    """Error for a file that should be a picture or mask and cannot be used as one."""


def read_grey(path: Path) -> NDArray[np.uint8]:
    """Read a picture as (H, W) uint8 grey: as `read_pixels`, which raises what this raises."""
    pixels = read_pixels(path)
    return pixels if pixels.ndim == 2 else np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)


def read_colour(path: Path) -> NDArray[np.uint8]:
    """Read a picture as (H, W, 3) RGB uint8, grey ones repeated: as `read_pixels`, which raises what this raises."""
    pixels = read_pixels(path)
    return pixels if pixels.ndim == 3 else np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB), np.uint8)


def read_pixels(path: Path) -> NDArray[np.uint8]:
    """Read a picture as (H, W) grey or (H, W, 3) RGB uint8; of DICOM the first frame's largest ultrasound region.

    Raises BrokenPictureError, naming the file, for a file that is no usable picture.
    """
    try:
        pixels = _dicom(path) if path.suffix.lower() in DICOM else _picture(path)
    except EdgeError as error:
        raise broken(path, error.message) from error
    except Exception as error:  # whatever broken bytes make a decoder trip over
        raise broken(path, str(error) or type(error).__name__) from error
    height, width = pixels.shape[:2]
    if min(height, width) < MIN_SIDE:
        raise broken(path, f"expected sides of {MIN_SIDE} pixels or more, got {width} x {height}")
    if (pixels == pixels[0, 0]).all():
        raise broken(path, "all of one grey value")
    return pixels


def read_mask(path: Path, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Read a mask as (H, W) uint8 0/1. Raises BrokenPictureError if its size is not ``shape`` (H, W)."""
    mask = read_numbers(path, shape)
    return (mask > (127 if int(mask.max()) > 1 else 0)).astype(np.uint8)


def read_numbers(path: Path, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Read a mask as it is, (H, W) uint8, of colours the greatest. Raises BrokenPictureError as `read_mask`."""
    try:
        mask = _picture(path)
    except Exception as error:
        raise broken(path, str(error)) from error
    mask = mask if mask.ndim == 2 else mask.max(axis=2)
    if mask.shape != shape:
        raise broken(
            path, f"expected a mask of {shape[1]} x {shape[0]} as its picture, got {mask.shape[1]} x {mask.shape[0]}"
        )
    return mask


def broken(path: Path, reason: str) -> BrokenPictureError:
    """Make the error that names the file."""
    return BrokenPictureError(f"{path}: {reason}", hint="mend it or take it out; --skip-broken leaves such files out")


def _picture(path: Path) -> NDArray[np.uint8]:
    data = path.read_bytes()
    return decode_image(data, read_image_headers(data)[0])


def _dicom(path: Path) -> NDArray[np.uint8]:
    with DicomFrameReader(path) as clip:
        pixels = clip.picture(0)
        region = largest_region(clip.regions, pixels.shape[1], pixels.shape[0])
    if region is None:
        return pixels
    x, y, w, h = region.box
    return np.ascontiguousarray(pixels[y : y + h, x : x + w])
