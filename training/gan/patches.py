"""Training patches of a generator: tissue with a hole in it, and what was there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.contracts.errors import ConfigError
from training.gan.holes import MARGIN, bounding_box, grow, lesion_shapes, not_tissue, place_hole, vary_shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from training.gan.pictures import ScaledPicture
    from training.gan.settings import Task

TRIES = 200


@dataclass(frozen=True, eq=False)
class Patches:
    """Batch of training patches; every array is (n, side, side, 1) float32."""

    pixels: NDArray[np.float32]
    """What is there, -1 (black) to 1 (white)."""
    hole: NDArray[np.float32]
    """1 where it is to be filled, else 0."""
    lesion: NDArray[np.float32]
    """1 where a lesion is to be drawn, else 0; 0 everywhere for ``erase``."""
    label: NDArray[np.float32]
    """1 malignant, 0 benign, within ``lesion``; 0 elsewhere."""


def to_unit(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Map grey 0..255 to -1..1, float32 of the same shape."""
    return pixels.astype(np.float32) / 127.5 - 1


def to_grey(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Map -1..1 back to grey 0..255, uint8 of the same shape."""
    return np.asarray(np.clip(np.rint((values + 1) * 127.5), 0, 255), np.uint8)


class PatchSource:
    """Draws training patches out of pictures at the generator's scale, at random, each batch by its own seed."""

    def __init__(self, pictures: Sequence[ScaledPicture], task: Task, largest: float) -> None:
        """``largest``: longest side of a hole as a share of the patch's. Raises ConfigError without any lesion."""
        self.task, self.largest = task, largest
        self.shapes = lesion_shapes(pictures)
        self._pictures = [one for one in pictures if task == "erase" or (one.mask.any() and one.label >= 0)]
        if not self._pictures:
            raise ConfigError(
                "no training picture has both a lesion's mask and a label",
                hint="--task draw needs both; erase does not",
            )
        self._taken = {id(one): grow(one.mask, MARGIN) | not_tissue(one.pixels) for one in self._pictures}

    def batch(self, rng: np.random.Generator, count: int, side: int) -> Patches:
        """Draw ``count`` patches of ``side`` pixels. Raises ConfigError where no picture has room for a hole."""
        drawn = [self._one(rng, side) for _ in range(count)]
        parts = [np.stack(part)[..., None].astype(np.float32) for part in zip(*drawn, strict=True)]
        return Patches(to_unit(parts[0].astype(np.uint8)), *parts[1:])

    def _one(self, rng: np.random.Generator, side: int) -> tuple[NDArray[np.uint8], ...]:
        for _ in range(TRIES):
            picture = self._pictures[int(rng.integers(len(self._pictures)))]
            found = self._beside(rng, picture, side) if self.task == "erase" else self._lesion(rng, picture, side)
            if found is not None:
                gain = rng.uniform(0.8, 1.2)
                pixels = np.clip(found[0] * gain, 0, 255).astype(np.uint8)
                out = (pixels, *found[1:])
                return tuple(part[:, ::-1] for part in out) if rng.random() < 0.5 else out
        raise ConfigError(
            "no picture has room for a hole beside its lesion", hint="give pictures with more tissue, or smaller holes"
        )

    def _beside(
        self, rng: np.random.Generator, picture: ScaledPicture, side: int
    ) -> tuple[NDArray[np.uint8], ...] | None:
        """Patch of tissue whose hole touches no lesion; a lesion may stand beside it."""
        pixels, taken = (_padded(part, side) for part in (picture.pixels, self._taken[id(picture)]))
        y, x = (int(rng.integers(0, size - side + 1)) for size in pixels.shape)
        window = np.s_[y : y + side, x : x + side]
        shape = vary_shape(rng, self.shapes[int(rng.integers(len(self.shapes)))], int(self.largest * side))
        hole = place_hole(rng, shape, taken[window])
        if hole is None:
            return None
        nothing = np.zeros_like(hole)
        return pixels[window], hole, nothing, nothing

    def _lesion(
        self, rng: np.random.Generator, picture: ScaledPicture, side: int
    ) -> tuple[NDArray[np.uint8], ...] | None:
        """Patch around a lesion; the hole is the lesion with its surroundings."""
        _, _, w, h = bounding_box(picture.mask)
        room = self.largest * side - 2 * MARGIN
        factor = min(1.0, room / max(w, h))
        pixels, mask = picture.pixels, picture.mask
        if factor < 1:
            size = tuple(max(8, round(length * factor)) for length in reversed(pixels.shape))
            pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
            mask = np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST), np.uint8)
        pixels, mask = _padded(pixels, side), _padded(mask, side)
        x, y, w, h = bounding_box(mask)
        slack = (side - max(w, h)) // 4
        top, left = (
            int(np.clip(start + length // 2 - side // 2 + rng.integers(-slack, slack + 1), 0, size - side))
            for start, length, size in ((y, h, pixels.shape[0]), (x, w, pixels.shape[1]))
        )
        window = np.s_[top : top + side, left : left + side]
        lesion = mask[window]
        if not lesion.any():
            return None
        return pixels[window], grow(lesion, MARGIN), lesion, lesion * np.uint8(picture.label)


def _padded(picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Mirror a picture (h, w) at its far sides until it holds a patch."""
    missing = [max(0, side - size) for size in picture.shape]
    return np.pad(picture, [(0, missing[0]), (0, missing[1])], mode="symmetric") if any(missing) else picture
