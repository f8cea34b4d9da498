"""Changes of single weights (mutations), and whether golden outputs notice them: a head is run with each change.

A golden case that every changed weight passes proves nothing. What is counted is what a device would see: the raw
output of the head, compared without tolerance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export.head_layers import read_weights

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from export.head_layers import HeadGraph, WeightedLayer

LIMIT = 127
"""Largest quantised weight; TFLite's int8 weights are symmetrical."""
QUARTER = 64
"""A quarter of the range of an int8 weight."""


@dataclass(frozen=True, slots=True)
class ChangedWeight:
    """One weight of a layer and the value that it is changed to."""

    layer: WeightedLayer
    index: int
    """Number of the weight in the layer's flattened weights."""
    value: float


def changed_value(weight: float, *, up: bool, largest: float | None = None) -> float:
    """Change of a weight: its negative, or a quarter of the range away, whichever is farther.

    ``up``: the way that it is moved, unless that leaves the range. ``largest``: of the layer's weights, for floats;
    None: int8.
    """
    limit, quarter = (LIMIT, QUARTER) if largest is None else (largest, largest / 2)
    moved = weight + quarter if up else weight - quarter
    if abs(moved) > limit:
        moved = 2 * weight - moved
    return max(moved, -weight, key=lambda value: abs(value - weight))


class HeadRunner:
    """Runs one head by itself on what the trunk gave, with its weights as they are or with one of them changed."""

    def __init__(self, head: HeadGraph, graph: bytes) -> None:
        self.head = head
        self._weights = {layer.weights: read_weights(graph, layer.weights) for layer in head.layers}
        model = schema.Model.GetRootAs(head.graph, 0)
        subgraph = model.Subgraphs(0)
        self._output = int(subgraph.Outputs(0))
        start = np.frombuffer(head.graph, np.uint8).__array_interface__["data"][0]
        self._places = {
            tensor: model.Buffers(subgraph.Tensors(tensor).Buffer()).DataAsNumpy().__array_interface__["data"][0]
            - start
            for tensor in self._weights
        }

    def change(self, layer: WeightedLayer, index: int, *, up: bool) -> ChangedWeight:
        """The change that one weight is tried with, see `changed_value`."""
        weights = self._weights[layer.weights]
        largest = None if weights.dtype == np.int8 else float(np.abs(weights).max())
        return ChangedWeight(layer, index, changed_value(float(weights.flat[index]), up=up, largest=largest))

    def interpreter(self, change: ChangedWeight | None = None) -> Any:
        """A LiteRT interpreter of the head, ready to run."""
        from ai_edge_litert.interpreter import Interpreter

        graph = self.head.graph if change is None else self.edited(change)
        interpreter = Interpreter(model_content=graph, num_threads=1)
        interpreter.allocate_tensors()
        return interpreter

    def edited(self, change: ChangedWeight) -> bytes:
        """The head's graph with one weight changed."""
        graph, dtype = self.head.graph, self._weights[change.layer.weights].dtype
        at = self._places[change.layer.weights] + change.index * dtype.itemsize
        body = np.array(change.value, dtype).tobytes()
        return graph[:at] + body + graph[at + len(body) :]

    def run(self, interpreter: Any, tensors: Mapping[int, NDArray[Any]]) -> NDArray[Any]:
        """Run the head on the trunk's ``tensors``, by tensor number; returns its raw output (1, …)."""
        for number in self.head.sources:
            interpreter.set_tensor(number, tensors[number])
        interpreter.invoke()
        output: NDArray[Any] = interpreter.get_tensor(self._output)
        return output

    def noticed(
        self, changes: Sequence[ChangedWeight], cases: Sequence[Mapping[int, NDArray[Any]]], *, first_only: bool = False
    ) -> NDArray[np.bool_]:
        """Which case notices which change, (changes, cases) bool.

        ``first_only``: a change that one case notices is not tried on those after it.
        """
        whole = self.interpreter()
        expected = [self.run(whole, case) for case in cases]
        found = np.zeros((len(changes), len(cases)), np.bool_)
        for row, change in enumerate(changes):
            interpreter = self.interpreter(change)
            for column, case in enumerate(cases):
                found[row, column] = not np.array_equal(self.run(interpreter, case), expected[column])
                if first_only and found[row, column]:
                    break
        return found


def draw_changes(
    runner: HeadRunner, number: int, rng: np.random.Generator, counted: Mapping[int, NDArray[np.bool_]] | None = None
) -> list[ChangedWeight]:
    """Draw ``number`` weights of a head evenly among all that count, each with its change, up or down by chance.

    ``counted``: by the number of a layer's tensor of weights, flat, which of them count; None, or a layer that is not
    named: all.
    """
    layers = runner.head.layers
    open_ = [
        np.flatnonzero(counted[layer.weights]) if counted and layer.weights in counted else np.arange(layer.size)
        for layer in layers
    ]
    ends = np.cumsum([len(each) for each in open_])
    drawn = np.sort(rng.choice(ends[-1], min(number, int(ends[-1])), replace=False))
    changes = []
    for flat in drawn.tolist():
        which = int(np.searchsorted(ends, flat, side="right"))
        index = int(open_[which][flat - (ends[which - 1] if which else 0)])
        changes.append(runner.change(layers[which], index, up=bool(rng.integers(2))))
    return changes
