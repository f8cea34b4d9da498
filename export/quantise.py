"""Full-integer quantisation: a float SavedModel becomes a uint8-in, uint8-out TFLite graph with int8 inside.

READ `quantise`, it is the whole recipe. What each step brings on a run is printed by ``python -m export quantise RUN``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from export.convert import INPUT, SIGNATURE, convert, quantise_graph, quiet, run_float
from export.equalise import equalise
from export.graph_edit import check_integers
from export.rounding import round_weights

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["INPUT", "SIGNATURE", "QuantiseRecipe", "quantise", "quantise_float", "quiet", "run_float", "span_the_range"]


@dataclass(frozen=True)
class QuantiseRecipe:
    """Which steps are taken before the converter's own quantiser."""

    equalise: float = 0.75
    """Strength of `export.equalise`; 0: none."""
    rounding: bool = True
    """Whether weights are rounded by `export.rounding`; else to nearest."""


BEST = QuantiseRecipe()
RECIPES = {
    "plain": QuantiseRecipe(equalise=0.0, rounding=False),
    "equalised": QuantiseRecipe(rounding=False),
    "rounded": QuantiseRecipe(equalise=0.0),
    "both": BEST,
}
"""For the table of what each step brings."""


def quantise(saved_model: Path, representative: NDArray[np.uint8], recipe: QuantiseRecipe = BEST) -> bytes:
    """Convert ``saved_model`` with the ranges that ``representative`` (n, height, width, channels) shows.

    Raises EdgeError if the converter refuses the model, or leaves an operator of it in floats.
    """
    return quantise_float(convert(saved_model, representative), representative, recipe)


def quantise_float(graph: bytes, representative: NDArray[np.uint8], recipe: QuantiseRecipe = BEST) -> bytes:
    """As `quantise`, of the float TFLite graph."""
    pictures = span_the_range(representative)
    if recipe.equalise:
        graph = equalise(graph, pictures, recipe.equalise)
    if recipe.rounding:
        graph = round_weights(graph, pictures)
    quantised = quantise_graph(graph, pictures)
    check_integers(quantised)
    return quantised


def span_the_range(tensors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The pictures, with a 0 and a 255 for certain: the input's quantisation is then the grey value itself."""
    result: NDArray[np.uint8] = tensors.copy()
    result[0, 0, 0], result[0, 0, 1] = 0, 255
    return result
