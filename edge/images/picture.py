"""Decodes one picture of a PNG, JPEG, BMP or TIFF file to grey or RGB samples, upright, without transparency."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.contracts.errors import SourceError
from edge.images.bmp import BmpInfo, decode_bmp
from edge.images.decode import decode_tiff_with_opencv, decode_with_opencv
from edge.images.orientation import apply_orientation
from edge.images.png import PngInfo, plain_png
from edge.images.sample_depth import significant_depth, used_depth
from edge.images.tiff import TiffPage
from edge.images.tiff_deflate import check_deflated
from edge.images.tiff_grey_alpha import decode_grey_alpha
from edge.images.tiff_single_page import only_page

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from edge.images.headers import ImageInfo

_ALPHA_NOTE = "transparent parts are shown over black"


def decode_samples(data: bytes, info: ImageInfo) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Decode one picture of an image file.

    Args:
        data: the bytes of the whole file.
        info: which picture.

    Returns:
        (H, W) grey or (H, W, 3) RGB, uint8 or uint16 as stored, not scaled; and what was left out, in words.

    Raises:
        SourceError: broken, damaged, or of a kind that is not read.
    """
    if isinstance(info.format_info, BmpInfo):
        return decode_bmp(data, info.format_info), info.notes
    if isinstance(info.format_info, PngInfo):
        # Of JPEG, OpenCV follows the orientation itself; of PNG, only some versions do.
        image = decode_with_opencv(plain_png(data, info.format_info), cv2.IMREAD_UNCHANGED)
    elif isinstance(info.format_info, TiffPage):
        image = _decode_tiff(data, info.format_info)
    else:
        image = decode_with_opencv(data, cv2.IMREAD_ANYCOLOR)
    if image is None or image.dtype not in (np.uint8, np.uint16):
        raise SourceError(f"a {info.kind.upper()} that cannot be decoded", hint="convert it to an 8-bit PNG")
    notes = info.notes
    if image.ndim == 3 and image.shape[2] in (2, 4):
        premultiplied = isinstance(info.format_info, TiffPage) and info.format_info.premultiplied
        image, transparent = _over_black(image, premultiplied)
        notes = (*notes, _ALPHA_NOTE) if transparent else notes
    if image.ndim == 3 and info.grey:
        image = image[:, :, 0]
    if isinstance(info.format_info, PngInfo):
        image = apply_orientation(image, info.format_info.orientation)
    return image if image.ndim == 2 else image[:, :, ::-1], notes


def _decode_tiff(data: bytes, page: TiffPage) -> NDArray[Any] | None:
    """A page of a TIFF file: grey, grey and opacity, BGR or BGRA; None if it cannot be decoded."""
    check_deflated(data, page.directory)
    if page.grey_alpha:
        return decode_grey_alpha(data, page)
    # Where there is no opacity, a fourth sample is none.
    flags = cv2.IMREAD_UNCHANGED if page.alpha else cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH
    return decode_tiff_with_opencv(only_page(data, page.directory), flags)


def needed_depth(image: NDArray[Any], info: ImageInfo) -> int:
    """Bits of a picture's samples, (H, W[, 3]) uint8 or uint16, that are used: 8 to 16, by the file or the values."""
    if image.dtype != np.uint16:
        return 8
    if isinstance(info.format_info, PngInfo) and info.format_info.significant is not None:
        return significant_depth(image, info.format_info.significant)
    if isinstance(info.format_info, TiffPage) and info.format_info.depth is not None:
        return max(info.format_info.depth, used_depth(image))
    return used_depth(image)


def white_to_bright(picture: NDArray[np.uint8], info: ImageInfo) -> NDArray[np.uint8]:
    """Invert a picture, (H, W[, 3]) uint8, of which the lowest sample is white, if the decoder has not."""
    if isinstance(info.format_info, TiffPage) and info.format_info.white_is_zero:
        return 255 - picture
    return picture


def _over_black(image: NDArray[Any], premultiplied: bool) -> tuple[NDArray[Any], bool]:
    """Lay grey or BGR with opacity over black, in integers, rounded.

    Returns:
        (H, W) grey or (H, W, 3) BGR of the same dtype; whether that changed it.
    """
    full = int(np.iinfo(image.dtype).max)
    opaque = image[:, :, 0] if image.shape[2] == 2 else image[:, :, :3]
    if image[:, :, -1].min() == full:
        return opaque, False
    if premultiplied:
        return opaque, True
    laid = np.empty(opaque.shape, image.dtype)
    for row, target in zip(image, laid, strict=True):  # row by row: what lies between is four times as large
        opacity = row[:, -1:].astype(np.uint32)
        target[:] = ((row[:, :-1] * opacity + full // 2) // full).reshape(target.shape)
    return laid, True
