"""Which part of a graph an accelerator takes: operators, and multiply-accumulates (MACs), where the work is.

XNNPACK is asked: LiteRT says what it handed over on this machine. The Edge TPU is not here; what it takes is read off
the table that its maker publishes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from export.float_graph import GraphEditor

EDGE_TPU = frozenset(
    {
        *("ADD", "AVERAGE_POOL_2D", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "EXPAND_DIMS", "FULLY_CONNECTED"),
        *("L2_NORMALIZATION", "LOGISTIC", "LSTM", "MAXIMUM", "MAX_POOL_2D", "MEAN", "MINIMUM", "MUL", "PACK", "PAD"),
        *("PRELU", "QUANTIZE", "REDUCE_MAX", "REDUCE_MIN", "RELU", "RELU6", "RELU_N1_TO_1", "RESHAPE", "RSQRT"),
        *("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "SLICE", "SOFTMAX", "SPACE_TO_DEPTH", "SPLIT", "SQUEEZE"),
        *("SQUARED_DIFFERENCE", "STRIDED_SLICE", "SUB", "SUM", "TANH", "TRANSPOSE", "TRANSPOSE_CONV"),
    }
)
"""Operators of coral.ai/docs/edgetpu/models-intro, "Supported operations", under the schema's names. The table's limits
by size (bilinear resizing above all) are the compiler's to decide: this share is the most that it can be."""


@dataclass(frozen=True, slots=True)
class Share:
    """How much of a graph is taken."""

    operators: float
    """0 to 1."""
    macs: float
    """0 to 1, of multiply-accumulates."""
    left: dict[str, int]
    """Operators that stay behind, by name."""


def edge_tpu(graph: bytes) -> Share:
    """What an Edge TPU could take by its table: known operators, all of whose activations have 8 bits."""
    editor = GraphEditor(graph)

    def taken(operator: Any) -> bool:
        tensors = [*(int(i) for i in operator.inputs if i >= 0), *(int(o) for o in operator.outputs)]
        computed = [t for t in tensors if editor.constant(t) is None]
        return editor.kind(operator) in EDGE_TPU and all(editor.tensors[t].type in (3, 9) for t in computed)

    return _share(editor, [taken(operator) for operator in editor.operators])


def xnnpack(graph: bytes) -> Share:
    """What XNNPACK took when LiteRT loaded the graph on this machine."""
    from ai_edge_litert.interpreter import Interpreter

    editor = GraphEditor(graph)
    interpreter = Interpreter(model_content=graph, num_threads=1)
    interpreter.allocate_tensors()
    maker = {int(t): i for i, operator in enumerate(editor.operators) for t in operator.outputs}
    taken = [False] * len(editor.operators)
    for node in interpreter._get_ops_details():
        if node["op_name"] != "DELEGATE":
            continue
        # Between what the delegate reads and what it writes lies what it computes.
        given, open_ = {int(t) for t in node["inputs"]}, [int(t) for t in node["outputs"]]
        while open_:
            tensor = open_.pop()
            at = maker.get(tensor)
            if at is None or tensor in given or taken[at]:
                continue
            taken[at] = True
            open_ += [int(t) for t in editor.operators[at].inputs if t >= 0]
    return _share(editor, taken)


def macs(editor: GraphEditor, operator: Any) -> int:
    """Multiply-accumulates of one operator; 0 for those that do not multiply by weights."""
    kind = editor.kind(operator)
    if kind not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
        return 0
    weights = editor.shape(int(operator.inputs[1]))
    out = int(np.prod(editor.shape(int(operator.outputs[0]))))
    if kind == "DEPTHWISE_CONV_2D":
        return out * int(np.prod(weights[1:3]))
    return out * int(np.prod(weights[1:]))


def _share(editor: GraphEditor, taken: list[bool]) -> Share:
    work = [macs(editor, operator) for operator in editor.operators]
    total = sum(work)
    left = Counter(editor.kind(op) for op, yes in zip(editor.operators, taken, strict=True) if not yes)
    return Share(
        operators=sum(taken) / len(taken) if taken else 0.0,
        macs=sum(w for w, yes in zip(work, taken, strict=True) if yes) / total if total else 1.0,
        left=dict(sorted(left.items())),
    )
