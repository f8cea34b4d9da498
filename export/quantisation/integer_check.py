"""Check that a quantised TFLite graph computes integers only, in every operator."""

from __future__ import annotations

from collections import Counter

from ai_edge_litert import schema_py_generated as schema

from edge.contracts.errors import EdgeError
from export.quantisation.graph_editor import GraphEditor

FLOATS = (schema.TensorType.FLOAT32, schema.TensorType.FLOAT16)


def check_integers(graph: bytes) -> None:
    """Raise EdgeError, naming them, if operators of a quantised graph still compute floats."""
    editor = GraphEditor(graph)
    stayed: Counter[str] = Counter()
    for operator in editor.operators:
        tensors = [*(int(i) for i in operator.inputs if i >= 0), *(int(o) for o in operator.outputs)]
        if any(editor.tensors[tensor].type in FLOATS for tensor in tensors):
            stayed[editor.kind(operator)] += 1
    if stayed:
        named = ", ".join(f"{count} {kind}" for kind, count in sorted(stayed.items()))
        raise EdgeError(
            f"the model cannot be quantised: {named} would compute floats",
            hint="build the network of operators that TFLite has in int8, as those of training/network.py",
        )
