"""Two learning rates: layers from ImageNet weights learn slowly, the new layers of the mask may learn faster.

Adam's steps do not grow with the gradient (Kingma & Ba 2015), so a larger weight in the loss makes a head of its own
learn no faster: it takes a rate of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

if TYPE_CHECKING:
    from collections.abc import Sequence

    from training.recipe import OptimiserSection

MASK_LAYERS = ("lateral", "refine", "mask")
"""Prefixes of the names of layers that serve the lesion mask alone (`training.network`)."""


class LearningRates:
    """AdamW optimiser whose learning rate is ``mask_rate`` times as high for the layers of the lesion mask."""

    def __init__(self, learner: keras.Model, options: OptimiserSection) -> None:
        mask = {
            id(variable)
            for layer in learner.layers
            if layer.name.startswith(MASK_LAYERS)
            for variable in layer.trainable_variables
        }
        self._places: list[list[int]] = [[], []]
        for place, variable in enumerate(learner.trainable_variables):
            self._places[id(variable) in mask].append(place)
        self._factors = (1.0, options.mask_rate)
        self._optimisers = [keras.optimizers.AdamW(weight_decay=options.weight_decay) for _ in self._factors]
        for optimiser, places in zip(self._optimisers, self._places, strict=True):
            optimiser.build([learner.trainable_variables[place] for place in places])

    @property
    def variables(self) -> list[Any]:
        """All variables that a checkpoint must keep, always in one order."""
        return [variable for optimiser in self._optimisers for variable in optimiser.variables]

    def set(self, rate: float) -> None:
        """Set the learning rate from now on."""
        for optimiser, factor in zip(self._optimisers, self._factors, strict=True):
            optimiser.learning_rate.assign(rate * factor)

    def apply(self, gradients: Sequence[Any], variables: Sequence[Any]) -> None:
        """Apply one step of gradients. ``variables``: the learner's trainable ones, in its order."""
        for optimiser, places in zip(self._optimisers, self._places, strict=True):
            optimiser.apply([gradients[place] for place in places], [variables[place] for place in places])
