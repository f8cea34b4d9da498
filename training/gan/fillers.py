"""Ways to fill a hole in a picture: by a trained generator, and the two cheap ones that it has to beat.

Each is called with a picture (H, W) uint8, a hole (H, W) uint8 0/1, what must not be copied from (H, W) uint8 0/1, and
a random generator; each returns a `Filling` in the picture's pixels, or None where it cannot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

import cv2
import numpy as np

from training.augment.fillings import Filling
from training.gan.holes import bounding_box, grow

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]

Method = Literal["generator", "inpaint", "copy"]
FEATHER = 0.012
"""Width of the seam, as a share of the picture's width: one pixel of the network's grid or two."""
INPAINT_RADIUS = 5.0
COPY_TRIES = 32


class Filler(Protocol):
    """Callable that fills one hole in a picture."""

    def __call__(
        self, image: NDArray[np.uint8], hole: NDArray[np.uint8], taken: NDArray[np.uint8], rng: np.random.Generator
    ) -> Filling | None:
        """See the module."""
        ...


def seam(hole: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """Weight of a filling (h, w) uint8: 255 in the hole, falling to 0 over a few pixels outside of it.

    ``width``: the picture's, in pixels.
    """
    sigma = max(0.7, FEATHER * width / 2)
    wide = grow(hole, max(1, round(sigma)))
    soft = cv2.GaussianBlur(wide.astype(np.float32), (0, 0), sigma)
    return np.asarray(np.maximum(255 * hole, np.rint(255 * soft)), np.uint8)


def around(hole: NDArray[np.uint8], share: float = 0.06) -> tuple[int, int, int, int]:
    """Box (x, y, w, h) of a hole (H, W) and its seam, within the picture."""
    height, width = hole.shape
    x, y, w, h = bounding_box(hole)
    margin = max(4, round(share * width))
    left, top = max(0, x - margin), max(0, y - margin)
    return left, top, min(width, x + w + margin) - left, min(height, y + h + margin) - top


def inpaint(image: Picture, hole: Picture, taken: Picture, rng: np.random.Generator) -> Filling | None:
    """Fill from the rim inwards (Telea 2004), by OpenCV. ``taken`` and ``rng`` are not used."""
    x, y, w, h = around(hole)
    place = np.s_[y : y + h, x : x + w]
    filled = cv2.inpaint(image[place], hole[place], INPAINT_RADIUS, cv2.INPAINT_TELEA)
    return Filling(x, y, np.asarray(filled, np.uint8), seam(hole, image.shape[1])[place])


def copy_beside(image: Picture, hole: Picture, taken: Picture, rng: np.random.Generator) -> Filling | None:
    """Copy tissue of the same depth from beside the hole, mirrored at even odds; None where none is free."""
    width = image.shape[1]
    x, y, w, h = around(hole)
    weight = seam(hole, width)[y : y + h, x : x + w]
    blocked = (taken | hole)[y : y + h]
    for _ in range(COPY_TRIES):
        left = int(rng.integers(0, width - w + 1))
        patch, used = image[y : y + h, left : left + w], blocked[:, left : left + w]
        if rng.random() < 0.5:
            patch, used = patch[:, ::-1], used[:, ::-1]
        if not np.any(used[weight > 0]):
            return Filling(x, y, patch.copy(), weight)
    return None
