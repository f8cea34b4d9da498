"""Preprocessor that runs a `PreprocessRecipe`: pixels in, the filled uint8 tensor and its geometry out."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.preprocess.crop import find_crop, largest_region, unseen_share
from edge.preprocess.letterbox import Letterbox, fit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.contracts.manifest import PreprocessRecipe
    from edge.contracts.region import Box, Region

MAX_PIXELS = 64_000_000
"""Pictures with more pixels are refused before they are worked on."""
KEPT_PIXELS = 4_000_000
"""Grey of larger pictures is not kept: frames on their way would hold it beside their own pixels."""


class Preprocessor:
    """Preprocessor of one recipe, made ready once. Not for use by two threads at once: it keeps its buffers."""

    def __init__(self, recipe: PreprocessRecipe) -> None:
        self.recipe = recipe
        table = recipe.contrast
        if table is not None and (len(table) != 256 or not all(0 <= v <= 255 for v in table)):
            raise ValueError("a contrast table has 256 values from 0 to 255")
        self._table = None if table is None else np.array(table, np.uint8)
        self.crop_grey: NDArray[np.uint8] | None = None
        """Grey of the last picture's crop, (h, w) uint8, before any filter; not written to. None: it was not kept."""
        self.small: NDArray[np.uint8] | None = None
        """The last picture's crop at the size it has in the tensor, (h, w) uint8 grey; not written to."""
        self.marks_ns = (0, 0, 0, 0)
        """Of the last picture, on the monotonic clock: begun, cropped, resized, copied into the tensor."""

    def crop_for(self, grey: NDArray[np.uint8], regions: tuple[Region, ...]) -> Box:
        """Crop of the picture, (x, y, w, h) in pixels, that the recipe looks at; ``grey`` is (H, W) uint8."""
        return self._given_crop(grey, regions) or find_crop(grey, self.recipe.background)

    def _given_crop(self, pixels: NDArray[np.uint8], regions: tuple[Region, ...]) -> Box | None:
        """The same, where it does not depend on what is in the picture; None where it does."""
        height, width = pixels.shape[:2]
        if self.recipe.crop == "full":
            return (0, 0, width, height)
        region = largest_region(regions, width, height)
        return None if region is None else region.box

    def unseen(self, pixels: NDArray[np.uint8], regions: tuple[Region, ...], crop: Box) -> float:
        """Share of scan data that ``crop`` leaves out: see `unseen_share`. ``pixels`` as for a call."""
        if self.recipe.crop == "full":
            return 0.0
        return unseen_share(to_grey(pixels), regions, crop, self.recipe.background)

    def __call__(
        self, pixels: NDArray[np.uint8], regions: tuple[Region, ...] = (), out: NDArray[np.uint8] | None = None
    ) -> tuple[NDArray[np.uint8], Letterbox]:
        """Fill the tensor.

        Args:
            pixels: (H, W) grey or (H, W, 3) RGB, uint8. Not changed.
            regions: parts of the picture that hold scan data; empty: looked for.
            out: (1, height, width, channels) uint8 of the recipe, to write into; None: a new one.

        Returns:
            The tensor (1, height, width, channels) uint8, and where its pixels lie in the source.
        """
        recipe, begun = self.recipe, time.monotonic_ns()
        crop = self._given_crop(pixels, regions)
        if crop is None:  # it has to be looked for, in all of the picture
            pixels = to_grey(pixels)
            crop = find_crop(pixels, recipe.background)
        box, halvings = plan(crop, recipe.width, recipe.height)
        x, y, w, h = box.crop
        grey = to_grey(pixels[y : y + h, x : x + w])
        self.crop_grey = grey if pixels.shape[0] * pixels.shape[1] <= KEPT_PIXELS else None
        if recipe.median:
            grey = cv2.medianBlur(grey, recipe.median)
        if self._table is not None:
            grey = cv2.LUT(grey, self._table)
        cropped = time.monotonic_ns()
        ix, iy, iw, ih = box.inner
        small = self.small = resize(halve(grey, halvings), iw, ih)
        resized = time.monotonic_ns()
        if out is None:
            out = np.empty((1, recipe.height, recipe.width, recipe.channels), np.uint8)
        if (iw, ih) != (recipe.width, recipe.height):
            out.fill(recipe.pad)
        view = out[0, iy : iy + ih, ix : ix + iw]
        if recipe.channels == 3:
            cv2.cvtColor(small, cv2.COLOR_GRAY2RGB, dst=view)
        else:
            view[:, :, 0] = small
        self.marks_ns = (begun, cropped, resized, time.monotonic_ns())
        return out, box


def to_grey(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Convert (H, W, 3) RGB uint8 to (H, W) grey uint8; (H, W) grey is returned as it is."""
    if pixels.ndim == 2:
        return pixels
    grey: NDArray[np.uint8] = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    return grey


def plan(crop: Box, width: int, height: int) -> tuple[Letterbox, int]:
    """Plan where ``crop`` comes to lie in the tensor, and how often it is halved before the last resize.

    Halving is exact and several times quicker than a wide Gaussian. It needs sides that divide, so up to
    2**halvings - 1 columns and rows are left off the far edges; the geometry says so.
    """
    placed = fit(crop, width, height)
    x, y, w, h = crop
    halvings = max(0, min(w // placed.inner[2], h // placed.inner[3]).bit_length() - 1)
    step = 1 << halvings
    return Letterbox((x, y, w - w % step, h - h % step), placed.inner), halvings


def halve(grey: NDArray[np.uint8], times: int) -> NDArray[np.uint8]:
    """Halve (H, W) uint8 grey ``times`` times, by the mean of 2x2 blocks. H and W must divide by 2**times."""
    for _ in range(times):
        grey = cv2.resize(grey, (grey.shape[1] // 2, grey.shape[0] // 2), interpolation=cv2.INTER_AREA)
    return grey


def resize(grey: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Resize (H, W) uint8 grey to (height, width): Gaussian against aliasing, then INTER_LINEAR_EXACT.

    Both are integer arithmetic in OpenCV for 8-bit pictures and give the same bytes on x86 and Arm, which
    INTER_LINEAR, INTER_CUBIC and INTER_AREA (but at integer factors) do not. The Gaussian's sigma of
    0.5 (1/scale - 1) source pixels keeps what the smaller grid cannot hold from folding back into it.
    """
    sigma_x, sigma_y = (0.5 * (old / new - 1) for old, new in ((grey.shape[1], width), (grey.shape[0], height)))
    if sigma_x > 0 or sigma_y > 0:
        # Kernel sides are chosen here, not by OpenCV: 3 sigma to each side. A side of 1 leaves its axis alone.
        sides = tuple(2 * math.ceil(3 * max(s, 0.0)) + 1 for s in (sigma_x, sigma_y))
        grey = cv2.GaussianBlur(
            grey, sides, sigmaX=max(sigma_x, 1e-6), sigmaY=max(sigma_y, 1e-6), borderType=cv2.BORDER_REPLICATE
        )
    result: NDArray[np.uint8] = cv2.resize(grey, (width, height), interpolation=cv2.INTER_LINEAR_EXACT)
    return result
