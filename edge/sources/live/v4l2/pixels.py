"""Converts what a video device gives (YUYV, NV12, RGB, JPEG …) to RGB or grey pixels of the port."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.contracts.errors import SourceError
from edge.images.decode import decode_with_opencv
from edge.sources.live.v4l2.modes import JPEG_FORMATS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.sources.live.v4l2.device import CaptureLayout

PACKED = {
    "YUYV": (2, cv2.COLOR_YUV2RGB_YUYV),
    "UYVY": (2, cv2.COLOR_YUV2RGB_UYVY),
    "YVYU": (2, cv2.COLOR_YUV2RGB_YVYU),
    "RGB3": (3, None),
    "BGR3": (3, cv2.COLOR_BGR2RGB),
    "XR24": (4, cv2.COLOR_BGRA2RGB),
    "BX24": (4, None),
    "GREY": (1, None),
}
"""Formats of one plane: bytes a pixel, and OpenCV's conversion to RGB."""
PLANAR = {
    "NV12": cv2.COLOR_YUV2RGB_NV12,
    "NV21": cv2.COLOR_YUV2RGB_NV21,
    "YU12": cv2.COLOR_YUV2RGB_I420,
    "YV12": cv2.COLOR_YUV2RGB_YV12,
}
"""Formats with a plane of brightness, and colour at half its width and height below it."""
YUV_PLACES = {"YUYV": (0, 1, 3), "UYVY": (1, 0, 2), "YVYU": (0, 3, 1)}
"""Places of the first brightness, of U and of V among the four bytes of two pixels."""
JPEG_START = b"\xff\xd8"


class WrongPictureError(Exception):
    """What the device gave is no whole picture of the format and size that it said."""


def to_pixels(data: memoryview, layout: CaptureLayout) -> NDArray[np.uint8]:
    """Pixels of one picture, a copy: (H, W, 3) RGB, or (H, W) if the format is grey.

    Raises `WrongPictureError` if there is less than a whole picture, or another one than ``layout`` says.
    """
    if layout.pixel_format in JPEG_FORMATS:
        return _decode_jpeg(data, layout)
    if layout.is_full_range and layout.pixel_format in (*PLANAR, *YUV_PLACES):
        return _full_range(data, layout)
    if layout.pixel_format in PLANAR:
        return _planar(data, layout)
    return _packed(data, layout)


def _packed(data: memoryview, layout: CaptureLayout) -> NDArray[np.uint8]:
    each, conversion = PACKED[layout.pixel_format]
    rows = _rows(data, layout.height, layout.width * each, layout.line_bytes)
    pixels = rows.reshape(layout.height, layout.width, each)
    if layout.pixel_format == "GREY":
        grey: NDArray[np.uint8] = pixels[:, :, 0].copy()
        return grey
    if layout.pixel_format == "BX24":
        pixels = pixels[:, :, 1:]
    converted: NDArray[np.uint8] = pixels.copy() if conversion is None else cv2.cvtColor(pixels, conversion)
    return converted


def _full_range(data: memoryview, layout: CaptureLayout) -> NDArray[np.uint8]:
    """A YUV picture whose brightness goes from 0 to 255: OpenCV has no conversion for it, and would clip it."""
    width, height, code = layout.width, layout.height, layout.pixel_format
    if code in YUV_PLACES:
        first, u_at, v_at = YUV_PLACES[code]
        rows = _rows(data, height, 2 * width, layout.line_bytes)
        luma, u, v = rows[:, first::2], rows[:, u_at::4], rows[:, v_at::4]
    else:
        rows = _planes(data, layout)
        luma, chroma = rows[:height], rows[height:]
        if code in ("NV12", "NV21"):
            u, v = chroma[:, 0::2], chroma[:, 1::2]
        else:
            u, v = chroma.reshape(2, height // 2, width // 2)
        if code in ("NV21", "YV12"):
            u, v = v, u
        u, v = u.repeat(2, axis=0), v.repeat(2, axis=0)
    merged = cv2.merge([np.ascontiguousarray(luma), v.repeat(2, axis=1), u.repeat(2, axis=1)])
    converted: NDArray[np.uint8] = cv2.cvtColor(merged, cv2.COLOR_YCrCb2RGB)
    return converted


def _planar(data: memoryview, layout: CaptureLayout) -> NDArray[np.uint8]:
    converted: NDArray[np.uint8] = cv2.cvtColor(_planes(data, layout), PLANAR[layout.pixel_format])
    return converted


def _planes(data: memoryview, layout: CaptureLayout) -> NDArray[np.uint8]:
    """Lines of brightness, and below them those of colour: half as many, without padding."""
    width, height = layout.width, layout.height
    line = max(layout.line_bytes, width)
    if width % 2 or height % 2:
        raise WrongPictureError(f"{layout.pixel_format} of {width} x {height} pixels, which is not even")
    if layout.pixel_format in ("NV12", "NV21"):
        return _rows(data, height * 3 // 2, width, line)
    luma = _rows(data, height, width, line)
    chroma = _rows(data[line * height :], height, width // 2, line // 2)  # half as long, padding included
    return np.vstack((luma, chroma.reshape(height // 2, width)))


def _rows(data: memoryview, count: int, used: int, stride: int) -> NDArray[np.uint8]:
    """Lines of a picture, without the padding at their ends; nothing is copied where there is none."""
    stride = max(stride, used)
    needed = stride * (count - 1) + used
    if len(data) < needed:
        raise WrongPictureError(f"{len(data)} bytes of a picture that has {needed}")
    if stride == used:
        return np.frombuffer(data, np.uint8, count * used).reshape(count, used)
    padded = np.frombuffer(data, np.uint8)
    view = np.lib.stride_tricks.as_strided(padded, (count, used), (stride, 1), writeable=False)
    return np.ascontiguousarray(view)


def _decode_jpeg(data: memoryview, layout: CaptureLayout) -> NDArray[np.uint8]:
    if bytes(data[:2]) != JPEG_START:
        raise WrongPictureError("what should be a JPEG is none")
    try:
        pixels = decode_with_opencv(bytes(data), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    except SourceError as error:
        raise WrongPictureError(error.message) from error
    if pixels is None:
        raise WrongPictureError("a JPEG that cannot be decoded")
    height, width = pixels.shape[:2]
    if (width, height) != (layout.width, layout.height):
        raise WrongPictureError(f"a JPEG of {width} x {height} pixels instead of {layout.width} x {layout.height}")
    return pixels
