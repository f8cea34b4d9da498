"""Full-integer quantisation of a float SavedModel to a TFLite graph: uint8 input and outputs, int8 inside.

READ `quantise`, it is the whole recipe. What each step brings on a run is printed by ``python -m export quantise RUN``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from export.quantisation.convert import convert, quantise_graph
from export.quantisation.cross_layer_equalisation import equalise
from export.quantisation.integer_check import check_integers
from export.quantisation.weight_rounding import round_weights

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class QuantiseRecipe:
    """Recipe of quantisation: the steps that are taken before the converter's own quantiser."""

    equalise: float = 0.75
    """Strength of `export.quantisation.cross_layer_equalisation`; 0: none."""
    rounding: bool = True
    """Whether weights are rounded by `export.quantisation.weight_rounding`; else to nearest."""


BEST = QuantiseRecipe()
RECIPES = {
    "plain": QuantiseRecipe(equalise=0.0, rounding=False),
    "equalised": QuantiseRecipe(rounding=False),
    "rounded": QuantiseRecipe(equalise=0.0),
    "both": BEST,
}
"""Recipes by name, for the table of what each step brings."""


def quantise(saved_model: Path, representative: NDArray[np.uint8], recipe: QuantiseRecipe = BEST) -> bytes:
    """Convert ``saved_model`` to an int8 graph with the ranges that ``representative`` shows.

    ``representative``: (n, height, width, channels) uint8, 0 to 255: training pictures after preprocessing.

    Raises EdgeError if the converter refuses the model, or leaves an operator of it in floats.
    """
    return quantise_float(convert(saved_model, representative), representative, recipe)


def quantise_float(graph: bytes, representative: NDArray[np.uint8], recipe: QuantiseRecipe = BEST) -> bytes:
    """Quantise a float TFLite graph by the recipe, as `quantise` does. ``representative``: (n, h, w, c) uint8."""
    pictures = with_full_range(representative)
    if recipe.equalise:
        graph = equalise(graph, pictures, recipe.equalise)
    if recipe.rounding:
        graph = round_weights(graph, pictures)
    quantised = quantise_graph(graph, pictures)
    check_integers(quantised)
    return quantised


def with_full_range(tensors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Copy of the tensors (n, height, width, channels) that holds a 0 and a 255 for certain.

    The input's quantisation is then the grey value itself.
    """
    result: NDArray[np.uint8] = tensors.copy()
    result[0, 0, 0], result[0, 0, 1] = 0, 255
    return result
