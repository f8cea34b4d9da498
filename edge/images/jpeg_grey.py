"""Decodes only the luminance (grey) of a JPEG: about three quarters of the time that colour takes.

For sources that are told to be grey.

Not by itself: the pixel gate (photographs, colour bars), the overlay and the viewer look at colour, and of no frame is
it known before it is decoded that it has none.

What is equal to decoding in colour and then ``cv2.COLOR_RGB2GRAY``, which the model's recipe does:

- Y of a picture without colour (Cb and Cr neutral everywhere): every byte, at every subsampling.
- Y of a picture with colour: all but about half a percent of the pixels of a tinted scan, which differ by 1 or 2 steps:
  RGB is rounded, and clipped, on the way. Fully saturated noise differs by up to 31.
- A reduced DCT scale (``IMREAD_REDUCED_GRAYSCALE_2``) against halving what was decoded: 10 to 15 % of the pixels
  differ, by up to 7 steps at quality 75. It is not what the model was measured with, saves a tenth (the entropy
  coding is the time), and is not used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import cv2

from edge.contracts.errors import SourceError
from edge.images.decode import decode_with_opencv
from edge.images.jpeg import read_jpeg_header
from edge.images.limits import check_picture_size

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def decode_jpeg_grey(data: bytes) -> NDArray[np.uint8]:
    """Decode the luminance (grey) of one baseline or progressive JPEG of 8 bits.

    Args:
        data: a whole JPEG stream: what a decoder that knows nothing else takes for YCbCr, is YCbCr.

    Returns:
        (H, W) uint8, contiguous.

    Raises:
        SourceError: it is no JPEG of 8-bit grey or YCbCr, cut short, damaged, or larger than any picture that is read.
    """
    info = read_jpeg_header(data)
    if info is None or not info.complete:
        raise SourceError("broken or cut short JPEG frame")
    check_picture_size(info.width, info.height)
    ybr = len(info.components) == 1 or (len(info.components) == 3 and info.decoded_as_ybr)
    if info.bits != 8 or info.lossless or not ybr:
        raise SourceError("expected a JPEG of 8-bit grey or YCbCr", hint="decode it in colour")
    picture = decode_with_opencv(data, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION)
    if picture is None or picture.shape != (info.height, info.width):
        raise SourceError("broken or cut short JPEG frame")
    return cast("NDArray[np.uint8]", picture)
