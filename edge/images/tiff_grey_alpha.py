"""Decodes grey TIFF pages with opacity, of which OpenCV gives the grey alone.

It is given the same samples as a page without opacity: of twice the width, or each plane as one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.contracts.errors import SourceError
from edge.images.decode import decode_tiff_with_opencv
from edge.images.orientation import apply_orientation
from edge.images.tiff import (
    BITS,
    COMPRESSION,
    EXTRA,
    FORMAT,
    MAX_VALUE,
    PLANAR,
    SAMPLES,
    SIGNED_MAX,
    STRIPS,
    TILE_WIDTH,
    TILES,
    WIDTH,
    TiffReader,
)
from edge.images.tiff_single_page import only_page

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from edge.images.tiff import TiffPage

_MIN_VALUE, _ORIENTATION, _PREDICTOR, _SIGNED_MIN = 280, 274, 317, 340
_PREDICTED = (5, 8, 32946, 34925, 50000)
"""Compressions behind which samples may be differences: LZW, deflate, LZMA, Zstandard."""
_FLAGS = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH


def decode_grey_alpha(data: bytes, page: TiffPage) -> NDArray[Any]:
    """Decode a page of grey and opacity to (H, W, 2), uint8 or uint16, upright.

    Args:
        data: the bytes of the whole TIFF file.
        page: one whose `TiffPage.grey_alpha` is set.

    Raises:
        SourceError: it is damaged, or cannot be decoded.
    """
    reader = TiffReader(data)
    entries, _ = reader.directory(page.directory)
    orientation = reader.first(entries, _ORIENTATION, 1)
    changes: dict[int, int | None] = dict.fromkeys(
        (EXTRA, FORMAT, _MIN_VALUE, MAX_VALUE, _SIGNED_MIN, SIGNED_MAX, _ORIENTATION, PLANAR)
    )
    changes |= {SAMPLES: 1, BITS: page.bits}
    if reader.first(entries, PLANAR, 1) == 2:
        half = len(reader.values(entries, TILES if TILES in entries else STRIPS)) // 2
        parts = (slice(half), slice(half, 2 * half))
        planes = [_decode(data, page, changes, part, page.width) for part in parts]
        image = np.stack(planes, axis=-1)
    else:
        tile = reader.first(entries, TILE_WIDTH, 0) if TILES in entries else 0
        changes |= {WIDTH: 2 * page.width} | ({TILE_WIDTH: 2 * tile} if tile else {})
        compression, predictor = reader.first(entries, COMPRESSION, 1), reader.first(entries, _PREDICTOR, 1)
        differences = compression in _PREDICTED and predictor == 2
        if differences:
            changes[_PREDICTOR] = None  # they are of the pixel before: two samples back
        image = _decode(data, page, changes, slice(None), 2 * page.width).reshape(page.height, page.width, 2)
        if differences:
            wide = tile or page.width
            for at in range(0, page.width, wide):
                part = image[:, at : at + wide]
                np.cumsum(part, axis=1, dtype=image.dtype, out=part)
    return apply_orientation(image, orientation if 1 <= orientation <= 8 else 1)


def _decode(data: bytes, page: TiffPage, changes: dict[int, int | None], part: slice, width: int) -> NDArray[Any]:
    image = decode_tiff_with_opencv(only_page(data, page.directory, changes, part), _FLAGS)
    if image is None or image.shape != (page.height, width):
        raise SourceError("a TIFF that cannot be decoded", hint="convert it to an 8-bit PNG")
    return image
