"""From which mask value on there is lesion, and from which presence on it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.evaluation.evaluate import with_both
from training.evaluation.found_lesions import dices, find
from training.evaluation.metrics import threshold_for_sensitivity, youden

if TYPE_CHECKING:
    from training.evaluation.held_out_predictions import Rows

LEVELS = tuple(level / 20 for level in range(6, 17))
KEPT_LESIONS = 0.95
"""Share of the lesions found at all that the presence threshold keeps where no picture without a lesion is at hand."""
LEAST_PRESENCE = 0.95
"""Share of pictures with a lesion in which one must be found, whatever it costs in pictures without."""


def lesion_limits(rows: Rows) -> tuple[float, float, str]:
    """Mask level, least presence of a lesion, and how they were chosen.

    The level is the one with the best mean Dice. The presence: where a data set holds pictures without a lesion beside
    pictures with one, the value that parts them best (Youden) while a lesion is still found in `LEAST_PRESENCE` of the
    latter; else what keeps `KEPT_LESIONS` of the surest lesions.
    """
    ill = rows.masks.any(axis=(1, 2))
    masks, true = rows.masks_found()[ill], rows.masks[ill]
    level = max(LEVELS, key=lambda t: float(dices((masks >= t).astype(np.uint8), true).mean()))
    presence = np.array([each[0].score if each else 0.0 for each in find(rows.lesion, rows.size, level)])
    part = with_both(rows.sources, ill)
    if part.any():
        ill, presence = ill[part], presence[part]
        least = threshold_for_sensitivity(ill.astype(int), presence, LEAST_PRESENCE)
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
