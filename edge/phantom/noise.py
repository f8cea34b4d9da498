"""Reproducible random fields: the same bits on every machine, smooth surfaces, Gaussian blur. float64 throughout.

Only ``Generator.random`` is drawn from: it is 53 bits of PCG64, without the transforms that a later NumPy may change.
Sums and products of float64 may differ in the last bit between machines; that is 1e-13 of a grey value.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def generator(seed: int, purpose: int) -> np.random.Generator:
    """Random generator with a stream of its own for each ``purpose``.

    So one part of a phantom can change without the others.
    """
    return np.random.Generator(np.random.PCG64([seed, purpose]))


def uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw one random number of [low, high)."""
    return low + (high - low) * float(rng.random())


def white(rng: np.random.Generator, rows: int, columns: int) -> NDArray[np.float64]:
    """White noise, (rows, columns) float64 of mean 0 and variance 1. Uniform: the blur after it makes it normal."""
    return (rng.random((rows, columns)) - 0.5) * math.sqrt(12)


def blur(field: NDArray[np.float64], sigma_y: float, sigma_x: float) -> NDArray[np.float64]:
    """Gaussian blur of a (rows, columns) float64 field; widths in samples, 0: none. Edges are mirrored."""
    sides = tuple(2 * math.ceil(3 * sigma) + 1 for sigma in (sigma_x, sigma_y))
    result: NDArray[np.float64] = cv2.GaussianBlur(field, sides, sigmaX=max(sigma_x, 1e-6), sigmaY=max(sigma_y, 1e-6))
    return result


def smooth(rng: np.random.Generator, rows: int, columns: int, cells_y: float, cells_x: float) -> NDArray[np.float64]:
    """Random cubic B-spline surface, (rows, columns) float64, of about -1 to 1, with so many hills along each axis."""
    along_y, along_x = _spline(rows, cells_y), _spline(columns, cells_x)
    knots = 2 * rng.random((along_y.shape[1], along_x.shape[1])) - 1
    result: NDArray[np.float64] = 1.6 * (along_y @ knots @ along_x.T)  # a spline stays inside its knots: widen it
    return result


def _spline(count: int, cells: float) -> NDArray[np.float64]:
    """(count, knots): weights of the uniform cubic B-spline at ``count`` places spread over ``cells`` intervals."""
    at = (np.arange(count) + 0.5) * (cells / count)
    left = np.floor(at).astype(np.intp)
    t = at - left
    weights = np.zeros((count, math.ceil(cells) + 3))
    place = np.arange(count)
    weights[place, left] = (1 - t) ** 3 / 6
    weights[place, left + 1] = (3 * t**3 - 6 * t**2 + 4) / 6
    weights[place, left + 2] = (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6
    weights[place, left + 3] = t**3 / 6
    return weights
