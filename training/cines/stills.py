"""Stills that cines are made of: held-out pictures of the breast sets where they are, rendered phantoms elsewhere.

Held out are the patients that the model that ships did not learn from (protocol ``all``, validation). Lesions are
parted by patient: of one half the first maker's cines are made, by which rules are chosen, of the other the second's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np

from edge.phantom.scene import PhantomScene, PhantomSpec
from training.augment.geometry import lesion_free_window
from training.breast import protocol
from training.cines.cine import Still
from training.datasets import BUSI, UNLABELLED, load_breast_sets

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from training.datasets import Item

Half = Literal["first", "second"]
LONG_SIDE = 320
"""Longest side of a still in pixels: twice what the model sees is enough."""
FREE_SIDE = 120
"""Shortest side of a window clear of the lesion that is taken for a lesion-free still, before it is enlarged."""


def held_out_stills(data: Path, half: Half, lesions: int, lesion_free: int) -> list[Still]:
    """Read held-out pictures: up to ``lesions`` patients with one, and ``lesion_free`` stills without.

    Lesion-free are all healthy breasts that were held out, then windows beside the lesions of this half's patients.
    """
    held = [item for item in protocol.assign_splits("all", load_breast_sets(data)) if item.split == "val"]
    healthy = [item for item in held if item.label == UNLABELLED]
    patients = _first_of_each([item for item in held if item.label != UNLABELLED and _half(item.group) == half])
    free = [still_of(item) for item in healthy]
    for item in patients:
        window = window_beside(item, len(free))
        if window is not None:
            free.append(window)
    return [*(still_of(item) for item in _spread(patients, lesions)), *free[:lesion_free]]


def window_beside(item: Item, seed: int = 0) -> Still | None:
    """Still of the largest part of a picture that is clear of its lesion; None where there is too little."""
    window = lesion_free_window(np.random.default_rng(seed), item.mask)
    if window is None or min(window[2:]) < FREE_SIDE:
        return None
    x, y, w, h = window
    pixels = item.image[y : y + h, x : x + w]
    return _sized(f"{item.id}-free", item.group, pixels, np.zeros_like(pixels), UNLABELLED)


def phantom_stills(lesions: int, lesion_free: int, seed: int = 0) -> list[Still]:
    """Render phantoms as stills, where no data set is; their lesions are neither benign nor malignant."""
    stills = []
    for number in range(lesions + lesion_free):
        with_lesion = number < lesions
        picture = PhantomScene(PhantomSpec(seed=seed + number, lesions=int(with_lesion), width=320, height=240)).render(
            0
        )
        x, y, w, h = picture.region.box
        pixels, mask = picture.pixels[y : y + h, x : x + w], picture.mask[y : y + h, x : x + w] > 0
        name = f"phantom-{seed + number}"
        stills.append(_sized(name, name, pixels, mask.astype(np.uint8), UNLABELLED))
    return stills


def _half(group: str) -> Half:
    """The half that a patient belongs to: by number within the set, whatever order they come in."""
    return "first" if sum(group.encode()) % 2 else "second"


def _first_of_each(items: Sequence[Item]) -> list[Item]:
    first: dict[str, Item] = {}
    for item in items:
        first.setdefault(item.group, item)
    return list(first.values())


def _spread(items: Sequence[Item], number: int) -> list[Item]:
    """So many of ``items``: those of BUSI, which are fewer and harder, and others spread over all."""
    hard = [item for item in items if item.source == BUSI][: number // 2]
    others = [item for item in items if item.source != BUSI]
    wanted = min(number - len(hard), len(others))
    return [*hard, *(others[k * len(others) // wanted] for k in range(wanted))]


def still_of(item: Item) -> Still:
    """Whole picture of a data set as a still."""
    return _sized(item.id, item.group, item.image, item.mask, item.label)


def _sized(name: str, group: str, pixels: np.ndarray, mask: np.ndarray, label: int) -> Still:
    scale = LONG_SIDE / max(pixels.shape[:2])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=how)
    inside = cv2.resize(mask, (small.shape[1], small.shape[0]), interpolation=cv2.INTER_NEAREST)
    return Still(name, group, small.astype(np.uint8), inside.astype(np.uint8), label)
