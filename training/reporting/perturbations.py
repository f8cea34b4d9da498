"""Perturbation tests: callipers painted in, bright marks removed, the lesion hidden, and what that does to the AUC.

The callipers here are painted by other code than the augmentation's (`training.augment.appearance`): rendered with
smooth edges in shapes that it does not use (a gap in the middle of the cross, arrow tips, ticks, outlined in black), on
the true ends of the lesion's axes, with a measurement beside them in digits drawn stroke by stroke. Marks painted by
the augmentation itself would prove only that the model knows those marks.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.contracts.manifest import MALIGNANCY
from training.evaluation.bootstrap import BootstrapSamples
from training.evaluation.held_out_predictions import POOLED, HeldOutPredictions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    Tensor = NDArray[np.uint8]

FINE = 4
"""Marks are drawn on a grid so many times finer and averaged down, as a scanner's screen would look after resizing."""
COVERED = 0.9
"""Share of lesions that the box is large enough for; larger ones are left out of that comparison."""
NEAR, OUTLIER, LEAST_CONTRAST, TALLEST = 25, 3.6, 30, 14
"""Of a mark to be removed: window of its surroundings in tensor pixels, least contrast as a multiple of the usual one
there, least contrast in grey levels, greatest height in tensor pixels."""
SEGMENTS = {
    "0": "abcdef", "1": "bc", "2": "abged", "3": "abgcd", "4": "fgbc",
    "5": "afgcd", "6": "afgedc", "7": "abc", "8": "abcdefg", "9": "abcdfg",
}  # fmt: skip
STROKES = {
    "a": ((0, 0), (2, 0)), "b": ((2, 0), (2, 2)), "c": ((2, 2), (2, 4)), "d": ((0, 4), (2, 4)),
    "e": ((0, 2), (0, 4)), "f": ((0, 0), (0, 2)), "g": ((0, 2), (2, 2)),
}  # fmt: skip
"""A seven-segment numeral on a 2 x 4 grid."""


def paint_callipers(rng: np.random.Generator, tensor: Tensor, mask: NDArray[np.uint8]) -> Tensor:
    """Paint two pairs of callipers on the ends of the lesion's axes, dashed lines and a number.

    Takes the tensor (H, W, 3) uint8 and the lesion's mask (H, W) uint8 0/1; returns a new tensor of the same shape.
    """
    height, width = tensor.shape[:2]
    ink = np.zeros((height * FINE, width * FINE), np.uint8)
    shadow = np.zeros_like(ink)
    (cx, cy), (w, h), angle = cv2.minAreaRect(np.argwhere(mask > 0)[:, ::-1].astype(np.float32))
    turn = np.deg2rad(angle)
    along, across = np.array([np.cos(turn), np.sin(turn)]) * w / 2, np.array([-np.sin(turn), np.cos(turn)]) * h / 2
    kind = int(rng.integers(3))
    size = FINE * rng.uniform(2.0, 3.5)
    for axis in (along, across):
        ends = [(np.array([cx, cy]) + s * axis + 0.5) * FINE for s in (-1, 1)]
        for layer, thick in ((shadow, 3), (ink, 1)):
            for end in ends:
                _mark(layer, end, size, kind, FINE // 2 + thick)
            for t in np.linspace(0.06, 0.94, 12):
                start, stop = (ends[0] + (ends[1] - ends[0]) * v for v in (t, t + 0.02))
                cv2.line(layer, _place(start), _place(stop), 255, FINE // 2 + thick)
    _number(ink, shadow, f"{int(rng.integers(5, 45)):02d}", (int(rng.integers(4, width // 3)), height - 14))
    shade = float(rng.uniform(200, 255))
    out = tensor.astype(np.float32)
    for layer, value in ((shadow, 0.0), (ink, shade)):
        share = cv2.resize(layer, (width, height), interpolation=cv2.INTER_AREA)[..., None].astype(np.float32) / 255
        out = out * (1 - share) + value * share
    return np.round(out).astype(np.uint8)


def _place(point: NDArray[np.floating]) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))


def _mark(layer: NDArray[np.uint8], at: NDArray[np.floating], size: float, kind: int, thick: int) -> None:
    """Draw a cross with an open middle, a pair of arrow tips, or an I of two ticks."""
    x, y = at
    arms: list[tuple[tuple[float, float], tuple[float, float]]]
    if kind == 0:
        arms = [((d * 0.4, 0.0), (d, 0.0)) for d in (-1, 1)] + [((0.0, d * 0.4), (0.0, d)) for d in (-1, 1)]
    elif kind == 1:
        arms = [
            ((-1.0, -0.7), (0.0, 0.0)),
            ((0.0, 0.0), (-1.0, 0.7)),
            ((1.0, -0.7), (0.0, 0.0)),
            ((0.0, 0.0), (1.0, 0.7)),
        ]
    else:
        arms = [((-0.8, -1.0), (0.8, -1.0)), ((-0.8, 1.0), (0.8, 1.0)), ((0.0, -1.0), (0.0, 1.0))]
    for (ax, ay), (bx, by) in arms:
        ends = [np.array([x + size * px, y + size * py]) for px, py in ((ax, ay), (bx, by))]
        cv2.line(layer, _place(ends[0]), _place(ends[1]), 255, thick)


def _number(ink: NDArray[np.uint8], shadow: NDArray[np.uint8], digits: str, at: tuple[int, int]) -> None:
    unit = 1.6 * FINE
    for layer, thick in ((shadow, FINE + 2), (ink, FINE)):
        for k, digit in enumerate(digits):
            corner = np.array(at, float) * FINE + (k * 3.2 * unit, 0)
            for name in SEGMENTS[digit]:
                a, b = (corner + np.array(p) * unit for p in STROKES[name])
                cv2.line(layer, _place(a), _place(b), 255, thick)


def remove_bright_marks(tensor: Tensor) -> tuple[Tensor, float]:
    """Remove small bright marks that stand out from what is around them, by inpainting (Telea 2004).

    A mark is small, and brighter than its surroundings by far more than echoes near it are: callipers, arrows, parts of
    letters; now and then a bright echo. Takes a tensor (H, W, 3) uint8; returns a new one and the share of its pixels
    that were painted over.
    """
    grey = np.ascontiguousarray(tensor[..., 0])
    thin = cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5)))
    usual = np.sqrt(cv2.blur(thin.astype(np.float32) ** 2, (NEAR, NEAR)))
    bright = ((thin > LEAST_CONTRAST) & (thin > OUTLIER * usual)).astype(np.uint8)
    seen = cv2.dilate(bright, np.ones((3, 3), np.uint8))
    count, parts, stats, _ = cv2.connectedComponentsWithStats(seen, connectivity=8)
    small = np.concatenate([[False], (stats[1:count, cv2.CC_STAT_HEIGHT] <= TALLEST)])
    spot = small[parts].astype(np.uint8)
    clean = cv2.inpaint(grey, spot, 3, cv2.INPAINT_TELEA)
    return np.repeat(clean[..., None], 3, axis=2), float(spot.mean())


def box_side(masks: NDArray[np.uint8], covered: float = COVERED) -> int:
    """Side of a square that covers this share of lesions, in tensor pixels, with a margin. ``masks``: (n, H, W) 0/1."""
    sides = [max(cv2.boundingRect(m)[2:]) for m in masks if m.any()]
    return int(np.quantile(sides, covered)) + 8


def hide_lesion(tensor: Tensor, mask: NDArray[np.uint8], side: int) -> Tensor | None:
    """Hide the lesion under an even grey square of a fixed size, which tells nothing; None if it reaches beyond.

    Takes the tensor (H, W, 3) uint8 and the mask (H, W) uint8 0/1; returns a new tensor.
    """
    x, y, w, h = cv2.boundingRect(mask)
    left, top = x + w // 2 - side // 2, y + h // 2 - side // 2
    if left > x or top > y or left + side < x + w or top + side < y + h:
        return None
    out: Tensor = tensor.copy()
    out[max(0, top) : top + side, max(0, left) : left + side] = 64
    return out


def ablation(
    rows: HeldOutPredictions, predict: Callable[[NDArray[np.int_], list[Tensor]], NDArray[np.float64]], seed: int = 0
) -> list[dict[str, object]]:
    """Ablation: the area under the ROC curve on changed pictures, beside that on the very same ones unchanged.

    Args:
        rows: pictures with a lesion that is known to be benign or malignant.
        predict: malignancy (n,) of tensors, given the numbers of the rows that they come from.
        seed: seed of the painted callipers.
    """
    rng = np.random.default_rng(seed)
    every = np.arange(len(rows))
    side = box_side(rows.masks)
    painted = [paint_callipers(rng, t, m) for t, m in zip(rows.tensors, rows.masks, strict=True)]
    cleaned = [remove_bright_marks(t) for t in rows.tensors]
    boxed = [(i, hide_lesion(rows.tensors[i], rows.masks[i], side)) for i in every]
    hidden = [(i, t) for i, t in boxed if t is not None]
    spots = float(np.mean([share for _, share in cleaned]))
    fitting = np.array([i for i, _ in hidden])
    plans: list[tuple[str, NDArray[np.int_], list[Tensor]]] = [
        ("callipers painted in by an unseen painter", every, painted),
        (f"bright marks painted out ({spots:.1%} of the pixels)", every, [t for t, _ in cleaned]),
        (f"lesion under a fixed box of {side} x {side} pixels", fitting, [t for _, t in hidden]),
    ]
    out = []
    for name, chosen, tensors in plans:
        part = rows.take(chosen)
        draws = BootstrapSamples(part.groups)
        given = predict(chosen, tensors)
        before = part.malignancy.astype(np.float64)
        out.append(
            {
                "name": name,
                "pictures": len(part),
                "before": draws.auc(part.labels, before),
                "after": draws.auc(part.labels, given),
                "change": draws.auc_difference(part.labels, given, before),
                "mean_shift": float(np.abs(given - before).mean()),
            }
        )
    return out


def predict_by_fold(
    run: Path, rows: HeldOutPredictions
) -> Callable[[NDArray[np.int_], list[Tensor]], NDArray[np.float64]]:
    """Function that predicts malignancy (n,) of tensors by the model that never saw them: the run's or a fold's."""
    from training.reporting.saved_model import SavedModelRunner

    pooled = (run / POOLED).is_file()
    models = cache(lambda fold: SavedModelRunner(run / f"fold-{fold}" if pooled else run))

    def predict(chosen: NDArray[np.int_], tensors: list[Tensor]) -> NDArray[np.float64]:
        out = np.zeros(len(tensors))
        folds = rows.fold[chosen]
        for fold in np.unique(folds):
            model = models(int(fold))
            for i in np.flatnonzero(folds == fold):
                out[i] = model(tensors[i])[MALIGNANCY][1]
        return out

    return predict
