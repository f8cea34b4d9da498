"""Give a graph a new head from its float design: representative pictures through the trunk, then the int8 layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.contracts.errors import UsageError
from export.converted_graph import text
from export.head_replacement.float_head import run_head, standardise
from export.head_replacement.graph_merge import replace_head
from export.head_replacement.head_design import shapes
from export.head_replacement.int8_head import int8_head
from export.head_replacement.steps import Steps
from export.input_gradient import TracedGraph
from export.predict import run_graph

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from export.head_replacement.head_design import HeadDesign

    Features = dict[str, tuple[NDArray[np.int8], Steps]]


@dataclass(frozen=True, eq=False)
class ReplacedHead:
    """A graph with its new head, and how far that is from the float design on the representative pictures."""

    graph: bytes
    floats: NDArray[np.float64]
    """(n,) probabilities of the float design, on the trunk's int8 features."""
    int8: NDArray[np.float64]
    """(n,) probabilities of the graph."""

    @property
    def mean_difference(self) -> float:
        """Mean absolute difference of the two."""
        return float(np.abs(self.floats - self.int8).mean())

    @property
    def largest_difference(self) -> float:
        """Largest absolute difference of the two."""
        return float(np.abs(self.floats - self.int8).max())


def with_new_head(graph: bytes, head: str, design: HeadDesign, representative: NDArray[np.uint8]) -> ReplacedHead:
    """Replace a head of ``graph`` by one of a float design.

    ``representative``: input tensors (n, height, width, channels) uint8, whose features set the ranges of the layers.
    """
    features = trunk_features(graph, design.tensors, representative)
    shapes(design, {name: values.shape[1:] for name, (values, _) in features.items()})
    real = {name: steps.real(values) for name, (values, steps) in features.items()}
    adapted = standardise(design, run_head(design, real))
    made = replace_head(graph, head, int8_head(adapted, features, head))
    return ReplacedHead(made, probabilities(design, features), run_graph(made, representative)[head].reshape(-1) / 256)


def trunk_features(graph: bytes, names: Sequence[str], tensors: NDArray[np.uint8]) -> Features:
    """Values (n, height, width, channels) int8 and steps of a graph's tensors by name, for input tensors.

    Raises UsageError for a name that the graph does not have, or has not in int8.
    """
    everything = TracedGraph(graph, [])
    numbers: dict[str, int] = {}
    for operator in everything.subgraph.operators:
        for number in map(int, operator.outputs):
            numbers.setdefault(text(everything.subgraph.tensors[number].name), number)
    if missing := [name for name in names if name not in numbers]:
        parts = [n for n in numbers if any(part in n for name in missing for part in name.split("/") if len(part) > 3)]
        raise UsageError(
            f"the graph has no tensor {missing[0]!r}", hint=f"it has, among others: {', '.join(parts[:5]) or 'none'}"
        )
    if not len(tensors):
        raise UsageError("no representative picture", hint="give a file with tensors (n, height, width, channels)")
    traced = TracedGraph(graph, [numbers[name] for name in names])
    rows = [traced.run(tensor[None]) for tensor in tensors]
    found = {}
    for name in names:
        number = numbers[name]
        values = np.concatenate([row[number] for row in rows])
        if values.dtype != np.int8 or values.ndim != 4:
            raise UsageError(f"the tensor {name!r} is {values.dtype} {values.shape[1:]}, expected a map in int8")
        found[name] = values, Steps(float(traced.scale(number)[0]), traced.zero(number))
    return found


def probabilities(design: HeadDesign, features: Features) -> NDArray[np.float64]:
    """What the float design says of features, (n,)."""
    real = {name: steps.real(values) for name, (values, steps) in features.items()}
    logits = run_head(design, real)[design.layers[-1].name].reshape(-1)
    return np.asarray(1 / (1 + np.exp(-logits)))
