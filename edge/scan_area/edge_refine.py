"""Refinement of a scan's sides at the source's resolution, to the pixel at which the texture begins.

The search looks at a reduced picture, and a codec's ringing spreads texture by a block. Along each side the picture is
sampled in steps of one pixel across it: the side lies where what varies along it becomes most of all more, inwards.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.scan_area.scan_model import ScanModel

    Values = NDArray[np.floating[Any]]

SAMPLES = 96
"""Places along a side."""
ENDS = 0.08
"""Share of a side at either end that is not looked at: corners belong to the others."""
WINDOW = 4
"""Pixels on either side of an edge that are compared."""
SHARP = 0.4
"""Least share of the variation further inside that a step has at a sharp edge."""
FADED = 4.0
"""Least variation just inside of a sharp edge, in grey values: what fades into black has less where it ends."""
LEAST_STEP = 0.6
"""Grey values by which the variation must become more: less is no edge."""


def refine(model: ScanModel, pixels: NDArray[np.uint8], inwards: int, outwards: int) -> tuple[ScanModel, bool]:
    """Move the sides of a model, in pixels of the source picture (H, W[, 3]), by up to so many pixels each.

    What is searched lies outside of the scan rather than inside; and outside stand bars and frames, whose edges are
    sharper than a scan's: so ``outwards`` is to be small.

    Returns the model, and whether all four sides are sharp: the texture ends there, and does not fade away before.
    """
    y = np.linspace(*_rows(model), SAMPLES)
    shift = np.arange(-outwards - WINDOW, inwards + WINDOW) + 0.5
    rows = y[:, None] + 0 * shift
    left, left_sharp = _step(outwards, _samples(pixels, model.left[0] + model.left[1] * y[:, None] + shift, rows))
    right, right_sharp = _step(outwards, _samples(pixels, model.right[0] + model.right[1] * y[:, None] - shift, rows))
    model = model.with_sides((model.left[0] + left, model.left[1]), (model.right[0] - right, model.right[1]))
    near, near_sharp = _step(outwards, _samples(pixels, *_across(model, model.near, model.near_round, shift)))

    far, far_sharp = _step(outwards, _samples(pixels, *_across(model, model.far, model.far_round, -shift)))
    sharp = left_sharp and right_sharp and near_sharp and far_sharp and model.bounds is None
    return replace(model, near=model.near + near, far=model.far - far), sharp


def _rows(model: ScanModel) -> tuple[float, float]:
    """Rows between which the straight sides are looked at."""
    tops = [model.end(side, model.near, model.near_round)[1] for side in (model.left, model.right)]
    ends = [model.end(side, model.far, model.far_round)[1] for side in (model.left, model.right)]
    top, bottom = max(tops), min(ends)
    if model.bounds is not None:
        top, bottom = max(top, model.bounds[1]), min(bottom, model.bounds[3])
    margin = ENDS * (bottom - top)
    return top + margin, bottom - margin


def _across(model: ScanModel, at: float, is_round: bool, shift: Values) -> tuple[Values, Values]:
    """Places (samples, shifts) across the upper or lower side; ``shift``: downwards, or away from the apex."""
    along = np.linspace(ENDS, 1 - ENDS, SAMPLES)[:, None]
    if not is_round:
        first, last = (side[0] + side[1] * at for side in (model.left, model.right))
        return first + (last - first) * along + 0 * shift, at + shift + 0 * along
    first, last = model.angles()
    turn, radius = first + (last - first) * along, at + shift
    return model.apex[0] + radius * np.sin(turn), model.apex[1] + radius * np.cos(turn)


def _samples(pixels: NDArray[np.uint8], x: Values, y: Values) -> Values:
    """Grey values at places (samples, shifts) in pixel edges; NaN where there is no picture."""
    height, width = pixels.shape[:2]
    column, row = np.floor(x).astype(np.intp), np.floor(y).astype(np.intp)
    within = (column >= 0) & (row >= 0) & (column < width) & (row < height)
    values = pixels[np.where(within, row, 0), np.where(within, column, 0)]
    if values.ndim == 3:
        values = cv2.cvtColor(values, cv2.COLOR_RGB2GRAY)
    return np.where(within, values.astype(np.float64), np.nan)


def _step(outwards: int, values: Values) -> tuple[float, bool]:
    """Pixels by which a side is to move inwards, and whether it is sharp; ``values`` (samples, shifts) inwards."""
    differences = np.abs(np.diff(values, axis=0))
    if np.isnan(differences).all(axis=0).any():  # the scan reaches the picture's edge, and there the side stays
        return 0.0, False
    varies = np.nanmean(differences, axis=0)
    level = np.nanmean(values, axis=0)
    activity = np.nan_to_num(varies + 0.5 * np.abs(level - level[0]))
    sums = np.concatenate([[0.0], np.cumsum(activity)])
    edges = np.arange(WINDOW, len(activity) - WINDOW + 1)
    step = (sums[edges + WINDOW] - 2 * sums[edges] + sums[edges - WINDOW]) / WINDOW
    best = int(step.argmax())
    if step[best] < LEAST_STEP:
        return 0.0, False
    edge = int(edges[best])
    inside, further = activity[edge : edge + WINDOW].mean(), activity[edge + WINDOW :]
    sharp = len(further) >= WINDOW and inside >= FADED and step[best] >= SHARP * further.mean()
    return float(edge - WINDOW - outwards), bool(sharp)
