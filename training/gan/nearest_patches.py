"""Distance of filled patches to the nearest training patch: whether a generator gives training pictures away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from training.gan.windows import FilledPicture

PATCH = 16
"""Side of a compared patch in pixels of the network's tensor."""
KEPT = 100_000
"""Training patches that are compared with, drawn at random."""
QUERIES = 200
CHUNK = 50


def nearest_patch_distances(
    filled: Sequence[FilledPicture],
    held_back: Sequence[NDArray[np.uint8]],
    learnt: Sequence[NDArray[np.uint8]],
    seed: int,
) -> dict[str, float]:
    """Compare how near fillings and held-back real pictures come to the training pictures.

    ``held_back`` and ``learnt`` are tensors (height, width) uint8 grey. Returns the 1 % quantiles of the distance to
    the nearest training patch (root mean square of grey values), of 200 fillings and of as many real patches.
    """
    rng = np.random.default_rng(seed)
    base = _random_patches(rng, learnt, KEPT)
    inside = [patch for one in filled if (patch := _inside(one)) is not None]
    made = np.array([inside[i] for i in rng.permutation(len(inside))[:QUERIES]], np.float32)
    real = _random_patches(rng, held_back, QUERIES)
    if not len(made) or not len(real) or not len(base):
        return {"filled": float("nan"), "real": float("nan"), "patches": 0}
    return {
        "filled": float(np.quantile(_nearest(made, base), 0.01)),
        "real": float(np.quantile(_nearest(real, base), 0.01)),
        "patches": len(made),
    }


def _inside(one: FilledPicture) -> NDArray[np.float32] | None:
    """Patch in the middle of a filled hole, flat; None where the hole is smaller than a patch."""
    rows, columns = np.nonzero(one.hole)
    top, left = (round(float(part.mean())) - PATCH // 2 for part in (rows, columns))
    place = np.s_[max(0, top) : max(0, top) + PATCH, max(0, left) : max(0, left) + PATCH]
    whole = one.hole[place].shape == (PATCH, PATCH) and one.hole[place].mean() > 0.9
    return one.filled[place].astype(np.float32).reshape(-1) if whole else None


def _random_patches(rng: np.random.Generator, pictures: Sequence[NDArray[np.uint8]], count: int) -> NDArray[np.float32]:
    """Patches of tissue at random places, (count, 256) float32."""
    out = []
    for _ in range(4 * count if pictures else 0):
        picture = pictures[int(rng.integers(len(pictures)))]
        top, left = (int(rng.integers(0, size - PATCH + 1)) for size in picture.shape)
        patch = picture[top : top + PATCH, left : left + PATCH]
        if patch.min() > 2:  # no padding
            out.append(patch.astype(np.float32).reshape(-1))
        if len(out) == count:
            break
    return np.array(out, np.float32).reshape(-1, PATCH * PATCH)


def _nearest(queries: NDArray[np.float32], base: NDArray[np.float32]) -> NDArray[np.float32]:
    squares = (base * base).sum(axis=1)
    out = []
    for start in range(0, len(queries), CHUNK):
        part = queries[start : start + CHUNK]
        distance = (part * part).sum(axis=1)[:, None] - 2 * part @ base.T + squares
        out.append(np.sqrt(np.maximum(distance.min(axis=1), 0) / base.shape[1]))
    return np.concatenate(out)
