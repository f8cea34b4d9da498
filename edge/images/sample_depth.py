"""Depth of 16-bit samples: how many of their bits a picture or clip uses, so that one scale holds for all its frames.

16-bit files of scanners hold 10 or 12 bits, and most do not say so. The rule, from the surest on:

1. A file that says it (sBIT of PNG, the maximum sample value of TIFF) is believed, unless its samples need more.
2. Else a picture uses the fewest of 8, 10, 12 and 16 bits that hold all its samples but `OUTLIERS`: one pixel in a
   corner decides nothing.
3. All frames of a clip have one depth, the largest that `PROBED` of its pages ask for. Loose files of one size in one
   folder go by the first; one that needs more raises it from there on, and says so.
   A page that was not looked at and needs more is refused: it would be white.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.contracts.errors import SourceError

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

DEPTHS = (8, 10, 12, 16)
"""Bits that scanners and grabbers give."""
OUTLIERS = 0.001
"""Share of the samples that may be brighter than the depth allows; they are shown as white."""
PROBED = 8
"""Most pages of a clip that are looked at beforehand."""


def used_depth(image: NDArray[np.uint16]) -> int:
    """Fewest of `DEPTHS` that hold all samples of a picture, uint16 of any shape, but `OUTLIERS` of them."""
    allowed = int(image.size * OUTLIERS)
    return next(bits for bits in DEPTHS if bits == 16 or np.count_nonzero(image >> bits) <= allowed)


def significant_depth(image: NDArray[np.uint16], bits: int) -> int:
    """Depth of a PNG's 16-bit samples (H, W[, 3]), of which ``bits`` count by its sBIT chunk.

    By the standard they were scaled to 16 bits, and repeat their highest bits in their lowest or leave those at zero;
    writers that do not know it leave the samples as they were.
    """
    if not 8 <= bits < 16:
        return 16
    below = image & ((1 << (16 - bits)) - 1)
    scaled = not below.any() or np.array_equal(below, image >> bits)
    return 16 if scaled and bool(image.any()) else max(bits, used_depth(image))


def probed_pages(count: int) -> list[int]:
    """Indices of the pages of a clip that decide its depth: the first, the last, and some between."""
    if count <= PROBED:
        return list(range(count))
    return [round(step * (count - 1) / (PROBED - 1)) for step in range(PROBED)]


def check_depth(image: NDArray[Any], depth: int) -> None:
    """Raise `SourceError` for a page, uint16 of any shape, of which more than `OUTLIERS` need more bits than its clip.

    Shown, they would all be white. uint8 passes.
    """
    if image.dtype != np.uint16 or depth >= 16 or int(image.max(initial=0)) < 1 << depth:
        return
    brighter = np.count_nonzero(image >= 1 << depth)
    if brighter > image.size * OUTLIERS:
        share = f"{100 * brighter / image.size:.1f} % of its samples"
        message = f"{share} need more than the {depth} bits that this clip is read as by {PROBED} of its pages"
        raise SourceError(message, hint="export it with the maximum sample value (tag 281), or as 8 bits")


def to_8_bits(image: NDArray[Any], depth: int | None = None) -> NDArray[np.uint8]:
    """Convert uint8 or uint16 samples of any shape to uint8: the highest 8 of ``depth`` bits; None: of those used.

    uint8 stays as it is. What is brighter than ``depth`` bits is white.
    """
    if image.dtype == np.uint16:
        depth = used_depth(image) if depth is None else depth
        image = image >> (depth - 8)
        np.minimum(image, 255, out=image)
    return image.astype(np.uint8, copy=False)
