"""A trained generator as a way to fill: at the scale that it learnt, and back into the picture's own pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import tensorflow as tf

from edge.preprocess.preprocessor import Preprocessor
from training.augment.fillings import Filling
from training.gan.fillers import around, seam
from training.gan.filling_step import fill, generator_input
from training.gan.holes import bounding_box
from training.gan.patches import to_grey, to_unit
from training.gan.pictures import resize, scale_of
from training.gan.run import load_gan_record, load_generator

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


class Eraser:
    """Fills holes by the generator of a finished run; a `fillers.Filler`."""

    def __init__(self, run: Path) -> None:
        """Load the run. Raises ConfigError where it is none."""
        self.record = load_gan_record(run)
        self.recipe = self.record.recipe
        self._generator = load_generator(run, self.record)
        self._preprocess = Preprocessor(self.recipe.preprocess)
        self._call = tf.function(self._filled, reduce_retracing=True)

    def __call__(
        self, image: NDArray[np.uint8], hole: NDArray[np.uint8], taken: NDArray[np.uint8], rng: np.random.Generator
    ) -> Filling | None:
        """Fill a hole with tissue, as `fillers` says; ``taken`` is not used."""
        return self.draw(image, hole, np.zeros_like(hole), 0, rng)

    def draw(
        self,
        image: NDArray[np.uint8],
        hole: NDArray[np.uint8],
        lesion: NDArray[np.uint8],
        label: int,
        rng: np.random.Generator,
    ) -> Filling:
        """Fill a hole; where the generator draws, with a lesion of ``label`` in the shape of ``lesion`` (H, W) 0/1.

        A hole that is longer than those that it learnt is filled at a smaller scale.
        """
        longest = max(bounding_box(hole)[2:])
        scale = scale_of(image, self._preprocess, self.recipe.scale)
        scale = min(scale, self.recipe.largest * self.recipe.patch / longest)
        small, small_hole, small_lesion = (resize(part, scale) for part in (image, 255 * hole, 255 * lesion))
        side = self.recipe.patch
        window, pad = _window(bounding_box((small_hole > 0).astype(np.uint8)), side, small.shape)
        parts = [np.pad(part, pad, mode="symmetric")[window] for part in (small, small_hole, small_lesion)]
        inside = (parts[1] > 0).astype(np.uint8)
        drawn = (parts[2] > 127).astype(np.uint8)
        made = self._run(parts[0], inside, drawn, label, rng)
        whole = np.pad(small, pad, mode="symmetric")
        whole[window] = made
        whole = whole[pad[0][0] : pad[0][0] + small.shape[0], pad[1][0] : pad[1][0] + small.shape[1]]
        height, width = image.shape
        back = np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
        x, y, w, h = around(hole)
        place = np.s_[y : y + h, x : x + w]
        return Filling(x, y, back[place].copy(), seam(hole, width)[place])

    def _run(
        self,
        pixels: NDArray[np.uint8],
        hole: NDArray[np.uint8],
        lesion: NDArray[np.uint8],
        label: int,
        rng: np.random.Generator,
    ) -> NDArray[np.uint8]:
        noise = rng.standard_normal(pixels.shape, np.float32)
        parts = (to_unit(pixels), hole.astype(np.float32), lesion.astype(np.float32))
        given = [part[None, ..., None] for part in (*parts, parts[2] * label, noise)]
        return to_grey(np.asarray(self._call(*map(tf.constant, given)))[0, ..., 0])

    def _filled(self, pixels: Any, hole: Any, lesion: Any, label: Any, noise: Any) -> Any:
        given = generator_input(pixels, hole, lesion, label, noise, conditioned=self.recipe.task == "draw")
        return fill(self._generator, given, pixels, hole)


def _window(
    box: tuple[int, int, int, int], side: int, shape: tuple[int, ...]
) -> tuple[tuple[slice, slice], tuple[tuple[int, int], tuple[int, int]]]:
    """Square of ``side`` pixels around a box, and the padding that the picture needs to hold it."""
    x, y, w, h = box
    slices, pads = [], []
    for start, length, size in ((y, h, shape[0]), (x, w, shape[1])):
        first = start + length // 2 - side // 2
        if size >= side:
            first = min(max(0, first), size - side)
        before, after = max(0, -first), max(0, first + side - size)
        slices.append(slice(first + before, first + before + side))
        pads.append((before, after))
    return (slices[0], slices[1]), (pads[0], pads[1])
