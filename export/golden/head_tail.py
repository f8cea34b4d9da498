"""Tail of a head: what is left of it behind some tensors, run by itself on values that these might have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from export.converted_graph import pack_model, unpack_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Tensors = Mapping[int, NDArray[Any]]

VECTOR = 64
"""Most values of a result whose channels are all followed, and of inputs whose outputs are remembered."""


class Tail:
    """What is left of a head behind some of its tensors, run by itself."""

    def __init__(self, graph: bytes, operators: Sequence[int], inputs: Sequence[int], output: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        model = unpack_model(graph)
        subgraph = model.subgraphs[0]
        chosen = [subgraph.operators[n] for n in operators]
        made = {int(t) for each in chosen for t in each.outputs}
        read = {int(t) for each in chosen for t in each.inputs if t >= 0}
        constant = {t for t in read if model.buffers[subgraph.tensors[t].buffer].data is not None}
        self.others = sorted(read - made - constant - set(inputs))
        self._inputs, self._output = inputs, output
        subgraph.operators = chosen
        subgraph.inputs = np.array([*inputs, *self.others], np.int32)
        subgraph.outputs = np.array([output], np.int32)
        model.signatureDefs, model.metadata, model.metadataBuffer = None, None, None
        kept = {subgraph.tensors[t].buffer for t in made | read}
        for number, buffer in enumerate(model.buffers):
            if number not in kept:
                buffer.data = None
        self._interpreter = Interpreter(model_content=pack_model(model), num_threads=1)
        self._interpreter.allocate_tensors()
        shapes = [subgraph.tensors[t].shape for t in subgraph.inputs.tolist()]
        self._known: dict[bytes, NDArray[Any]] | None = {} if sum(map(np.prod, shapes)) <= VECTOR else None
        self._fixed: list[NDArray[Any]] = []

    def begin(self, results: Tensors) -> None:
        """Set the tensors that no change moves."""
        self._fixed = [results[number] for number in self.others]

    def run(self, values: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """Output (1, …) for values of the changed tensors; what was run with the same few values is not run again."""
        if self._known is None:
            return self._run(values)
        key = b"".join(each.tobytes() for each in (*values, *self._fixed))
        if key not in self._known:
            self._known[key] = self._run(values)
        return self._known[key]

    def _run(self, values: Sequence[NDArray[Any]]) -> NDArray[Any]:
        for number, each in zip((*self._inputs, *self.others), (*values, *self._fixed), strict=True):
            self._interpreter.set_tensor(number, each)
        self._interpreter.invoke()
        output: NDArray[Any] = self._interpreter.get_tensor(self._output)
        return output
