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


def cases_kept(tensor_bytes: int) -> int:
    """Number of golden vectors of a model whose input has so many bytes; two at least."""
    return max(2, min(KEPT, TENSOR_BYTES // tensor_bytes))


def most_different(cases: Sequence[MadePicture], head: str, number: int) -> list[MadePicture]:
    """Choose at most ``number`` cases whose outputs of ``head`` are farthest apart, in the order in which they came.

    Each next one is that which is farthest from all that were chosen: what is alike shows nothing twice.
    """
    outputs = np.stack([case.outputs[head].astype(np.float64).reshape(-1) for case in cases])
    chosen = [0]
    nearest = np.abs(outputs - outputs[0]).max(axis=1)
    while len(chosen) < min(number, len(cases)):
        best = int(nearest.argmax())
        if nearest[best] == 0:
            break
        chosen.append(best)
        nearest = np.minimum(nearest, np.abs(outputs - outputs[best]).max(axis=1))
    return [cases[number] for number in sorted(chosen)]
