"""Share of a TFLite graph that a delegate (accelerator) takes: by operators, and by multiply-accumulates (MACs).

MACs tell where the work is. XNNPACK is asked: LiteRT says what it handed over on this machine. The Edge TPU is not
here; what it takes is read off the table that its maker publishes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.models.delegate_placement import graph_placement
from edge.models.operators import read_operators
from edge.runtimes.tflite_placement import DelegatedOperators

if TYPE_CHECKING:
    from edge.contracts.placement import Placement

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


def edge_tpu_placement(graph: bytes) -> Placement:
    """Placement that an Edge TPU could take by its table: known operators, all of whose activations have 8 bits."""
    operators = read_operators(graph)
    takers = {
        number: "edgetpu"
        for number, operator in enumerate(operators)
        if operator.kind in EDGE_TPU and operator.types <= {"int8", "uint8"}
    }
    return graph_placement(operators, takers, None, "op table")


def xnnpack_placement(graph: bytes) -> Placement:
    """Placement that XNNPACK took when LiteRT loaded the graph on this machine."""
    from ai_edge_litert.interpreter import Interpreter

    delegated = DelegatedOperators(graph)
    interpreter = Interpreter(model_content=graph, num_threads=1)
    interpreter.allocate_tensors()
    delegated.record_taken(interpreter, "xnnpack")
    return delegated.placement
