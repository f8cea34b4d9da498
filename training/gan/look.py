"""Sheet of triptychs for ``training look --gan``: pictures, what was taken out of them, and what was filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from training.augment.fillings import paste
from training.gan.eraser import Eraser
from training.gan.fill_pictures import hole_over
from training.gan.pictures import load_pictures
from training.gan.sheet import tile, triptych

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

HEIGHT = 240


def erased_sheet(run: Path, data: Path | None, count: int, seed: int) -> NDArray[np.uint8]:
    """Fill lesions of pictures chosen at random, first those that the generator did not learn from.

    Returns (H, W, 3) uint8 BGR. A generator that draws puts another lesion of the same shape in.
    """
    eraser = Eraser(run)
    _, items = load_pictures(data, eraser.recipe)
    known = set(eraser.record.pictures)
    rng = np.random.default_rng(seed)
    lesions = [items[i] for i in rng.permutation(len(items)).tolist() if items[i].mask.any()]
    shown = sorted(lesions, key=lambda item: item.id in known)[:count]
    rows = []
    for item in shown:
        hole = hole_over(item.mask)
        filling = eraser.draw(item.image, hole, item.mask, max(0, item.label), rng)
        parts = (item.image, hole, paste(item.image, filling))
        size = (max(1, round(item.image.shape[1] * HEIGHT / item.image.shape[0])), HEIGHT)
        resized = [np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_NEAREST), np.uint8) for part in parts]
        rows.append(triptych(*resized))
    return tile(rows)
