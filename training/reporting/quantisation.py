"""Quantisation error: predictions of the int8 model compared with those of the float model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from training.evaluation.bootstrap import BootstrapSamples
from training.evaluation.found_lesions import dice_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.evaluation.held_out_predictions import HeldOutPredictions

SHARES = (0.5, 0.9, 0.95, 0.99)


def compare(before: HeldOutPredictions, after: HeldOutPredictions, level: float = 0.5) -> dict[str, Any]:
    """Compare float and int8 predictions of the same pictures: |dp|, AUC, Dice, calls that change at 0.5.

    ``dp`` is the difference of the malignancy outputs, not calibrated.
    """
    known = before.known
    a, b = before.malignancy.astype(np.float64), after.malignancy.astype(np.float64)
    dp = np.abs(a - b)
    draws = BootstrapSamples(before.groups)
    masks = [(rows.mask_probabilities() >= level).astype(np.uint8) for rows in (before, after)]
    overlap = [dice_scores(m, before.masks) * known for m in masks]
    return {
        "pictures": len(before),
        "mean_abs_dp": draws.ratio(dp),
        "worst_abs_dp": float(dp.max()),
        "quantiles": {f"{share:.0%}": float(np.quantile(dp, share)) for share in SHARES},
        "auc_float": draws.auc(before.labels, a),
        "auc_int8": draws.auc(before.labels, b),
        "auc_drop": draws.auc_difference(before.labels, a, b),
        "dice_float": draws.ratio(overlap[0], known),
        "dice_int8": draws.ratio(overlap[1], known),
        "turned": draws.ratio(((a >= 0.5) != (b >= 0.5)) & known, known),
    }


def differences(before: HeldOutPredictions, after: HeldOutPredictions) -> NDArray[np.float64]:
    """Absolute difference of malignancy (n,) between float and int8 model, for the plot."""
    return np.abs(before.malignancy.astype(np.float64) - after.malignancy)
