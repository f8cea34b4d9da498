"""Golden vectors of an adopted model: made pictures that it tells apart as well as it can, never anybody's."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from edge.phantom.scene import PhantomScene
from edge.phantom.spec import PhantomSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from edge.contracts.region import Region

KEPT = 6
"""Golden vectors of a model with small tensors."""
TENSOR_BYTES = 24 * 2**20
"""Most bytes of all golden tensors together."""
OUTPUT_BYTES = 12 * 2**20
"""Most bytes of all golden outputs together: maps of floats cannot be packed much smaller."""
WIDTH, HEIGHT = 320, 240


@dataclass(frozen=True, eq=False)
class MadePicture:
    """A phantom or made picture, what preprocessing makes of it, and the model's raw outputs."""

    pixels: NDArray[np.uint8]
    regions: tuple[Region, ...]
    tensor: NDArray[Any]
    outputs: dict[str, NDArray[Any]]


@lru_cache(maxsize=1)
def made_pictures() -> tuple[tuple[NDArray[np.uint8], tuple[Region, ...]], ...]:
    """Made pictures, (H, W) grey or (H, W, 3) RGB uint8, with their regions; made once, and not to be written to."""
    return tuple(_made_pictures())


def _made_pictures() -> Iterator[tuple[NDArray[np.uint8], tuple[Region, ...]]]:
    """Phantoms in linear and sector shape, grey and tinted, and pictures of coloured noise, with their regions."""
    for geometry, lesions in (("linear", 1), ("sector", 0)):
        spec = PhantomSpec(seed=7 + lesions, width=WIDTH, height=HEIGHT, geometry=geometry, lesions=lesions)  # type: ignore[arg-type]
        scene = PhantomScene(spec)
        grey = scene.pixels(0)
        yield grey, (scene.region,)
        yield np.stack((grey, grey - grey // 16, grey - grey // 4), axis=2), (scene.region,)
        yield 255 - grey, (scene.region,)
    rng = np.random.default_rng(17)
    for cells in (3, 9, 40, 120):
        coarse = rng.integers(0, 256, (cells, cells, 3), np.uint8)
        yield np.asarray(cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR_EXACT), np.uint8), ()


@lru_cache(maxsize=1)
def made_figures() -> tuple[tuple[NDArray[np.uint8], tuple[Region, ...]], ...]:
    """Drawn heads and shoulders on plain ground, for networks that know people and not scans; made once."""
    looks = (
        ((200, 205, 210), (225, 180, 150), (40, 60, 120), (60, 40, 30)),
        ((20, 20, 20), (230, 190, 160), (90, 90, 95), (80, 50, 30)),
    )
    return tuple((_figure(*look), ()) for look in looks)


Colour = tuple[int, int, int]


def _figure(ground: Colour, skin: Colour, cloth: Colour, hair: Colour) -> NDArray[np.uint8]:
    """Drawn head and shoulders, (HEIGHT, WIDTH, 3) RGB."""
    picture, x = np.full((HEIGHT, WIDTH, 3), ground, np.uint8), WIDTH // 2
    cv2.ellipse(picture, (x, 270), (95, 110), 0, 0, 360, cloth, -1)
    cv2.rectangle(picture, (x - 17, 130), (x + 17, 175), skin, -1)
    cv2.ellipse(picture, (x, 95), (42, 54), 0, 0, 360, skin, -1)
    cv2.ellipse(picture, (x, 72), (46, 36), 0, 180, 360, hair, -1)
    for side in (-15, 15):
        cv2.ellipse(picture, (x + side, 92), (6, 3), 0, 0, 360, (40, 30, 30), -1)
    cv2.ellipse(picture, (x, 122), (13, 4), 0, 0, 360, (160, 80, 80), -1)
    return np.asarray(cv2.blur(picture, (5, 5)), np.uint8)


def cases_kept(tensor_bytes: int, output_bytes: int = 0) -> int:
    """Number of golden vectors of a model whose input and outputs have so many bytes; two at least."""
    return max(2, min(KEPT, TENSOR_BYTES // tensor_bytes, OUTPUT_BYTES // max(1, output_bytes)))


def most_different(cases: Sequence[MadePicture], head: str, number: int) -> list[MadePicture]:
    """Choose at most ``number`` cases whose outputs of ``head`` are farthest apart, in the order in which they came.

    Each next one is that which is farthest from all that were chosen: what is alike shows nothing twice.
    """
    outputs = np.stack([case.outputs[head].astype(np.float32).reshape(-1) for case in cases])
    chosen = [0]
    nearest = np.abs(outputs - outputs[0]).max(axis=1)
    while len(chosen) < min(number, len(cases)):
        best = int(nearest.argmax())
        if nearest[best] == 0:
            break
        chosen.append(best)
        nearest = np.minimum(nearest, np.abs(outputs - outputs[best]).max(axis=1))
    return [cases[number] for number in sorted(chosen)]
