"""Delegate placement in a TFLite interpreter: asks LiteRT or tflite-runtime which operators its delegates took."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.models.delegate_placement import graph_placement, operators_between
from edge.models.operators import read_operators

if TYPE_CHECKING:
    from edge.contracts.placement import Placement
    from edge.models.operators import Operator

DELEGATE = "DELEGATE"
"""What the interpreter calls a node that stands for all that a delegate took in one piece."""


class DelegatedOperators:
    """Records which operators each delegate took of a loaded graph.

    To be asked once for each delegate, as soon as it has been applied: nodes do not say which delegate made them.
    """

    def __init__(self, model: bytes | memoryview, source: str = "runtime") -> None:
        """``model``: the flatbuffer or a whole bundle (`ModelError` if damaged); ``source``: see `Placement`."""
        self._source = source
        self._operators: list[Operator] = read_operators(model)
        self._takers: dict[int, str] = {}
        self._partitions: list[int] = []
        """Numbers of the delegates' nodes."""

    def record_taken(self, interpreter: Any, delegate: str) -> int:
        """Record the operators that ``delegate`` has taken since the last call; returns how many they are."""
        before = len(self._takers)
        nodes = interpreter._interpreter
        for number in range(nodes.NumNodes()):
            # Only these in full: the details of all nodes cost milliseconds.
            if nodes.NodeName(number) != DELEGATE or number in self._partitions:
                continue
            self._partitions.append(number)
            node = interpreter._get_op_details(number)
            given, wanted = ([int(t) for t in node[end]] for end in ("inputs", "outputs"))
            for taken in operators_between(self._operators, given, wanted):
                self._takers[taken] = delegate
        return len(self._takers) - before

    @property
    def placement(self) -> Placement:
        """Delegate placement of all operators recorded so far."""
        return graph_placement(self._operators, self._takers, len(self._partitions), self._source)
