"""Preprocessor that runs a `PictureRecipe`: pixels in, the filled tensor of any type and its geometry out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from edge.preprocess.crop import find_crop, largest_region, unseen_share
from edge.preprocess.letterbox import Letterbox
from edge.preprocess.preprocessor import KEPT_PIXELS, halve, plan, resize, to_grey

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.contracts.picture_recipe import PictureRecipe
    from edge.contracts.region import Box, Region
    from edge.contracts.tensors import TensorSpec


LEAST_SMALL = 128
"""Shortest side in pixels at which speckle and layers look as the abstention rules know them."""


class PicturePreprocessor:
    """Preprocessor of one recipe of version 2. Not for use by two threads at once: it keeps its buffers."""

    def __init__(self, recipe: PictureRecipe, spec: TensorSpec) -> None:
        """``spec``: of the model's input, which says what a tensor stores."""
        self.recipe, self._spec = recipe, spec
        table = value_table(recipe, spec)
        self._contrast = None if recipe.contrast is None else np.array(recipe.contrast, np.uint8)
        self._pad = table[recipe.pad]
        self._table = None if is_identity(table) else _as_opencv_takes_it(table)
        self.crop_grey: NDArray[np.uint8] | None = None
        """Grey of the last picture's crop, (h, w) uint8; not written to. None: it was not kept, or made at all."""
        self.small: NDArray[np.uint8] | None = None
        """The last picture's crop at the size it has in the tensor, (h, w) uint8 grey; not written to. None: the tensor
        is so small that the limits of the rules that look at it do not hold."""
        self.marks_ns = (0, 0, 0, 0)
        """Of the last picture, on the monotonic clock: begun, cropped, resized, stored in the tensor."""

    def unseen(self, pixels: NDArray[np.uint8], regions: tuple[Region, ...], crop: Box) -> float:
        """Share of scan data that ``crop`` leaves out: see `unseen_share`. ``pixels`` as for a call."""
        if self.recipe.crop == "full" and self.recipe.fit != "centre-crop":
            return 0.0
        return unseen_share(to_grey(pixels), regions, crop, self.recipe.background)

    def __call__(
        self, pixels: NDArray[np.uint8], regions: tuple[Region, ...] = (), out: NDArray[Any] | None = None
    ) -> tuple[NDArray[Any], Letterbox]:
        """Fill the tensor.

        Args:
            pixels: (H, W) grey or (H, W, 3) RGB, uint8. Not changed.
            regions: parts of the picture that hold scan data; empty: looked for.
            out: (1, height, width, channels) of the input's type, to write into; None: a new one.

        Returns:
            The tensor (1, height, width, channels), and where its pixels lie in the source.
        """
        recipe, begun = self.recipe, time.monotonic_ns()
        box, halvings = self._plan(self._crop(pixels, regions))
        part = self._part(pixels, box.crop)
        cropped = time.monotonic_ns()
        ix, iy, iw, ih = box.inner
        small = resize(halve(part, halvings), iw, ih)
        self.small = to_grey(small) if min(recipe.width, recipe.height) >= LEAST_SMALL else None
        resized = time.monotonic_ns()
        if out is None:
            out = np.empty((1, recipe.height, recipe.width, recipe.channels), self._spec.dtype)
        if (iw, ih) != (recipe.width, recipe.height):
            out[0] = self._pad
        self._store(small, out[0, iy : iy + ih, ix : ix + iw])
        self.marks_ns = (begun, cropped, resized, time.monotonic_ns())
        return out, box

    def _part(self, pixels: NDArray[np.uint8], crop: Box) -> NDArray[np.uint8]:
        """The crop, (h, w) or (h, w, 3), filtered as the recipe says."""
        x, y, w, h = crop
        part = pixels[y : y + h, x : x + w]
        if self.recipe.colour == "grey":
            part = to_grey(part)
        self.crop_grey = part if part.ndim == 2 and pixels.shape[0] * pixels.shape[1] <= KEPT_PIXELS else None
        if self.recipe.median:
            part = np.asarray(cv2.medianBlur(np.ascontiguousarray(part), self.recipe.median), np.uint8)
        if self._contrast is not None:
            part = np.asarray(cv2.LUT(part, self._contrast), np.uint8)
        return part

    def _crop(self, pixels: NDArray[np.uint8], regions: tuple[Region, ...]) -> Box:
        """Part of the picture that is taken, (x, y, w, h) in pixels, before it is fitted."""
        height, width = pixels.shape[:2]
        if self.recipe.crop == "full":
            return (0, 0, width, height)
        region = largest_region(regions, width, height)
        return find_crop(to_grey(pixels), self.recipe.background) if region is None else region.box

    def _plan(self, crop: Box) -> tuple[Letterbox, int]:
        """Where ``crop`` comes to lie in the tensor, and how often it is halved before the last resize."""
        width, height = self.recipe.width, self.recipe.height
        if self.recipe.fit == "letterbox":
            return plan(crop, width, height)
        x, y, w, h = crop if self.recipe.fit == "stretch" else centre_crop(crop, width, height)
        halvings = max(0, min(w // width, h // height).bit_length() - 1)
        step = 1 << halvings
        return Letterbox((x, y, w - w % step, h - h % step), (0, 0, width, height)), halvings

    def _store(self, small: NDArray[np.uint8], view: NDArray[Any]) -> None:
        """Store the resized picture, (h, w) or (h, w, 3), in its part of the tensor, (h, w, channels)."""
        if view.shape[2] == 1:
            view[:, :, 0] = small if self._table is None else cv2.LUT(small, self._table).view(view.dtype)
            return
        if small.ndim == 2:
            small = np.asarray(cv2.cvtColor(small, cv2.COLOR_GRAY2RGB), np.uint8)
        view[:] = small if self._table is None else cv2.LUT(small, self._table).view(view.dtype)


def value_table(recipe: PictureRecipe, spec: TensorSpec) -> NDArray[Any]:
    """What the tensor stores for each of the 256 pixel values: (256, channels) of the input's type.

    Computed in float64 and rounded once, so that it is the same on every processor.
    """
    shape = (recipe.channels,)
    mean, std = (np.broadcast_to(np.array(values, np.float64), shape) for values in (recipe.mean, recipe.std))
    real = (np.arange(256, dtype=np.float64)[:, None] - mean) / std
    if spec.dtype == "float32":
        return real.astype(np.float32)
    limits = np.iinfo(spec.dtype)
    stored = np.rint(real / np.float64(np.float32(spec.scale))) + spec.zero_point
    table: NDArray[Any] = np.clip(stored, limits.min, limits.max).astype(spec.dtype)
    return table


def is_identity(table: NDArray[Any]) -> bool:
    """Whether a table, (256, channels), stores the pixel values themselves in the tensor."""
    return table.dtype == np.uint8 and bool((table == np.arange(256, dtype=np.uint8)[:, None]).all())


def centre_crop(crop: Box, width: int, height: int) -> Box:
    """Largest part in the middle of ``crop`` that has the aspect of ``width`` x ``height``, in whole pixels."""
    x, y, w, h = crop
    if w * height > h * width:
        wanted = max(1, h * width // height)
        return (x + (w - wanted) // 2, y, wanted, h)
    wanted = max(1, w * height // width)
    return (x, y + (h - wanted) // 2, w, wanted)


def _as_opencv_takes_it(table: NDArray[Any]) -> NDArray[Any]:
    """(256,) where all channels have one table, else (1, 256, channels); bytes unsigned, since OpenCV's are."""
    if table.dtype == np.int8:
        table = table.view(np.uint8)
    if (table == table[:, :1]).all():
        return np.ascontiguousarray(table[:, 0])
    return np.ascontiguousarray(table[None])
