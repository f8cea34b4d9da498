"""Anatomy gate (is this a breast B-mode picture?): a small network on means of the backbone's maps in depth bands.

A breast is skin, fat, gland, fascia and muscle, in this order; the order shows in the means of thirds of the depth, and
the shape of a scan does not. One hidden layer tells breasts in every scan shape from other organs in every shape
(`training.gate.examples`). All of it is matrices with ReLU, which a device computes in int8 (`training.gate.head`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.contracts.errors import UsageError
from training.gate.hidden_layer import fit_hidden_layer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from training.gate.examples import GateExamples
    from training.recipe import GateSection

    Floats = NDArray[np.floating]
    Features = Mapping[str, Floats]
    """Means by block, each (n, `BANDS` * channels): band after band, from the probe downwards."""

BLOCKS = ("block4", "block7", "block10", "block15")
"""Blocks of the backbone whose maps the gate sees: strides 8, 16, 16 and 32."""
BANDS = 3
"""Equal bands of depth that means are taken of."""
LOGIT_LIMIT = 8.0
"""Logits beyond this, in both directions, say no more."""
MEDIAN_LOGIT = 3.0
"""Logit of a picture in the middle of known breasts: the lower limit for refusals is at 0."""


@dataclass(frozen=True, eq=False)
class AnatomyGate:
    """Fitted anatomy gate: hidden units of ReLU, and their weighted sum."""

    kernels: dict[str, NDArray[np.float64]]
    """By block, (`BANDS` * channels, units)."""
    bias: NDArray[np.float64]
    """(units,)."""
    weights: NDArray[np.float64]
    """(units,) of the sum."""
    offset: float

    def logits(self, found: Features) -> NDArray[np.float64]:
        """Logit of each picture, (n,): 0 is the limit that `scaled` put there."""
        units = self.bias + sum(np.asarray(found[name], np.float64) @ kernel for name, kernel in self.kernels.items())
        logits: NDArray[np.float64] = np.maximum(units, 0.0) @ self.weights + self.offset
        return np.clip(logits, -LOGIT_LIMIT, LOGIT_LIMIT)

    def __call__(self, found: Features) -> NDArray[np.float64]:
        """Score (n,) from 0 to 1, not a calibrated probability."""
        return score_of(self.logits(found))

    def scaled(self, limit: float, median: float) -> AnatomyGate:
        """The same gate with logits moved and stretched: ``limit`` becomes 0, ``median`` `MEDIAN_LOGIT`.

        Raises UsageError unless ``median`` is over ``limit``: too few known pictures differ.
        """
        if not median > limit:
            raise UsageError(
                "the known breasts are too few to choose the anatomy gate's limit on",
                hint="give more pictures: a limit that refuses 1 % of them needs hundreds",
            )
        factor = MEDIAN_LOGIT / (median - limit)
        return AnatomyGate(self.kernels, self.bias, self.weights * factor, (self.offset - limit) * factor)


def score_of(logits: Floats | float) -> NDArray[np.float64]:
    """Sigmoid of logits, as the head's output is, float64 of the same shape."""
    scores: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-np.asarray(logits, np.float64)))
    return scores


def fit(
    found: Features, data: GateExamples, options: GateSection, chosen: NDArray[np.bool_] | None = None
) -> AnatomyGate:
    """Fit the anatomy gate to its examples.

    Args:
        found: features of ``data``.
        data: what it learns from.
        options: section of the recipe.
        chosen: (n,) which examples it learns from; None: all.
    """
    chosen = np.ones(len(data.wanted), bool) if chosen is None else chosen
    values = joined(found)[chosen]
    kernel, bias, weights, offset = fit_hidden_layer(values, data.wanted[chosen], data.weights(chosen), options)
    stops = np.cumsum([found[name].shape[1] for name in BLOCKS])[:-1]
    return AnatomyGate(dict(zip(BLOCKS, np.split(kernel, stops), strict=True)), bias, weights, offset)


def without(data: GateExamples, family: str) -> NDArray[np.bool_]:
    """Examples that are left where a family of files is left out, (n,)."""
    kept: NDArray[np.bool_] = data.families != family
    return kept


def joined(found: Features) -> NDArray[np.float64]:
    """Features of all blocks side by side, (n, features)."""
    return np.concatenate([found[name] for name in BLOCKS], axis=1).astype(np.float64)
