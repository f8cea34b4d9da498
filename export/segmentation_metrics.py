"""Metrics of a segmentation on held-back pictures, by class, with 95 % intervals that draw patients; its thresholds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from export.classifier_metrics import draw_weights, figure_metric, is_known

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge.contracts.manifest import Metric
    from export.segmentation_run import MaskedPictures

    Floats = NDArray[np.float64]

TRIED = tuple(round(0.1 * step, 1) for step in range(3, 9))
"""Thresholds that are tried for a class."""
LEAST_PICTURES = 10
"""Fewer pictures of a class say too little: its threshold stays the default."""
FOUND_SHARE = 0.001
"""Share of a picture's pixels from which a class counts as found in it."""


def called_classes(maps: NDArray[np.floating], shape: tuple[int, int], limits: Sequence[float]) -> NDArray[np.uint8]:
    """Class of each pixel (n, h, w) that maps (n, h', w', k) give at the tensor's size ``shape`` (h, w).

    It is the likeliest if that is at or over its limit, else the background, as on a device.
    """
    size, least = (shape[1], shape[0]), np.array(limits)
    called = np.empty((len(maps), *shape), np.uint8)
    for i, each in enumerate(maps):
        wide = cv2.resize(np.ascontiguousarray(each, np.float32), size, interpolation=cv2.INTER_LINEAR)
        best = wide.argmax(axis=2)
        sure = np.take_along_axis(wide, best[..., None], axis=2)[..., 0] >= least[best]
        called[i] = np.where(sure, best, 0)
    return called


def pixel_counts(called: NDArray[np.uint8], masks: NDArray[np.uint8], size: int) -> NDArray[np.int64]:
    """Pixels by true and called class in each picture, (n, size, size), of (n, h, w) each."""
    pairs = masks.astype(np.int64).reshape(len(masks), -1) * size + called.reshape(len(called), -1)
    return np.stack([np.bincount(row, minlength=size * size).reshape(size, size) for row in pairs])


def choose_limits(maps: NDArray[np.floating], pictures: MaskedPictures, default: float) -> list[float]:
    """Limit of each class, background first: the one of best mean Dice on these pictures, of equal ones the nearest."""
    size, shape = maps.shape[3], pictures.masks.shape[1:]
    limits = [0.0] + [default] * (size - 1)
    for k in range(1, size):
        holds = (pictures.masks == k).any(axis=(1, 2))
        if holds.sum() < LEAST_PICTURES:
            continue
        scores = {}
        for tried in TRIED:
            limits[k] = tried
            counts = pixel_counts(called_classes(maps[holds], shape, limits), pictures.masks[holds], size)
            scores[tried] = round(float(_dice(counts, k).mean()), 4)
        best = max(scores.values())
        limits[k] = min((t for t, score in scores.items() if score == best), key=lambda t: abs(t - default))
    return limits


def segmentation_metrics(
    int8: NDArray[np.int64], floats: NDArray[np.int64], groups: NDArray[np.str_], names: Sequence[str], data: str
) -> list[Metric]:
    """Metrics of the quantised model, and how far it is from the float one, of pixel counts (n, k, k) each."""
    weights = draw_weights(groups)
    truth, called = int8.sum(axis=2), int8.sum(axis=1)
    pixels = int(int8[0].sum())
    figures: list[tuple[str, Floats, str]] = [
        ("macro Dice", _macro(weights, int8), "mean over the classes, of each over the pictures that hold it"),
    ]
    for k, name in enumerate(names):
        if k == 0:
            continue
        holds, found = truth[:, k] > 0, called[:, k] >= FOUND_SHARE * pixels
        figures += [
            (f"Dice {name}", _mean(weights, _dice(int8, k), holds), "mean over the pictures that hold it"),
            (f"missed {name}", _mean(weights, ~found, holds), "pictures that hold it, and none is found; 0 is best"),
            (f"found elsewhere {name}", _mean(weights, found, ~holds), "pictures that do not hold it; 0 is best"),
            (f"pixel recall {name}", _ratio(weights, int8[:, k, k], truth[:, k]), "of all pixels together"),
            (f"pixel precision {name}", _ratio(weights, int8[:, k, k], called[:, k]), "of all pixels together"),
        ]
    plain = _macro(weights, floats)
    figures += [
        ("macro Dice, float", plain, "the float model"),
        ("macro Dice, int8 - float", _macro(weights, int8) - plain, "paired"),
    ]
    return [figure_metric(name, values, len(groups), data, how) for name, values, how in figures if is_known(values)]


def macro_dice(counts: NDArray[np.int64]) -> float:
    """Mean over the classes that occur of their mean Dice, of pixel counts (n, k, k)."""
    return float(_macro(np.ones((1, len(counts))), counts)[0])


def _dice(counts: NDArray[np.int64], k: int) -> Floats:
    total = counts.sum(axis=2)[:, k] + counts.sum(axis=1)[:, k]
    return np.asarray(2 * counts[:, k, k] / np.maximum(total, 1), np.float64)


def _macro(weights: Floats, counts: NDArray[np.int64]) -> Floats:
    """Mean over the classes that occur in a draw, (draws,); NaN where none does."""
    holds = counts.sum(axis=2) > 0
    each = np.stack([_mean(weights, _dice(counts, k), holds[:, k]) for k in range(1, counts.shape[1])], axis=1)
    known = np.isfinite(each)
    return _share(np.where(known, each, 0.0).sum(axis=1), known.sum(axis=1).astype(np.float64))


def _mean(weights: Floats, values: NDArray[np.floating] | NDArray[np.bool_], chosen: NDArray[np.bool_]) -> Floats:
    return _share(weights @ (values * chosen).astype(np.float64), weights @ chosen.astype(np.float64))


def _ratio(weights: Floats, part: NDArray[np.int64], whole: NDArray[np.int64]) -> Floats:
    return _share(weights @ part.astype(np.float64), weights @ whole.astype(np.float64))


def _share(part: Floats, whole: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(whole > 0, part / whole, np.nan)
