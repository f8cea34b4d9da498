"""Choice of the lesion thresholds: from which mask value on is lesion, and from which score on it is reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.evaluation.evaluate import in_mixed_sources
from training.evaluation.found_lesions import dice_scores, lesions_in_masks
from training.evaluation.metrics import threshold_for_sensitivity, youden

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.evaluation.held_out_predictions import HeldOutPredictions

LEVELS = tuple(level / 20 for level in range(6, 17))
KEPT_LESIONS = 0.95
"""Share of the lesions found at all that the score threshold keeps where no picture without a lesion is at hand."""
MIN_LESION_RECALL = 0.95
"""Share of pictures with a lesion in which one must be found, whatever it costs in pictures without."""


def choose_lesion_thresholds(rows: HeldOutPredictions) -> tuple[float, float, str]:
    """Choose the mask level, the least score of a lesion, and describe for people how they were chosen.

    The level is the one with the best mean Dice. The score: where a data set holds pictures without a lesion beside
    pictures with one, the value that separates them best (Youden) while a lesion is still found in `MIN_LESION_RECALL`
    of the latter; else what keeps `KEPT_LESIONS` of the most probable lesions.
    """
    ill: NDArray[np.bool_] = np.asarray(rows.masks.any(axis=(1, 2)))
    masks, true = rows.mask_probabilities()[ill], rows.masks[ill]
    level = max(LEVELS, key=lambda t: float(dice_scores((masks >= t).astype(np.uint8), true).mean()))
    presence = np.array([each[0].score if each else 0.0 for each in lesions_in_masks(rows.lesion, rows.size, level)])
    part = in_mixed_sources(rows.sources, ill)
    if part.any():
        ill, presence = ill[part], presence[part]
        least = threshold_for_sensitivity(ill.astype(int), presence, MIN_LESION_RECALL)
        score = max(level, min(least, youden(ill.astype(int), presence)))
        empty = float((presence[~ill] < score).mean())
        how = (
            f"mask level by Dice, presence by {int((~ill).sum())} pictures without a lesion (none found in {empty:.0%})"
            f" against {int(ill.sum())} with one of the same data sets (found in"
            f" {float((presence[ill] >= score).mean()):.0%}), the pictures that it was chosen on"
        )
    else:
        score = max(level, float(np.quantile(presence[ill & (presence > 0)], 1 - KEPT_LESIONS)))
        how = f"mask level by Dice, presence to keep {KEPT_LESIONS:.0%} of lesions found"
    return level, round(score, 3), how
