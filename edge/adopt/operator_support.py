"""Which operators of a model an Edge TPU could take, by what its compiler documents: integers and known kinds alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.models.delegate_placement import count_by_kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.models.operators import Operator

NAMES = """
ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D EXPAND_DIMS FULLY_CONNECTED L2_NORMALIZATION LOGISTIC LSTM
MAXIMUM MAX_POOL_2D MEAN MINIMUM MUL PACK PAD PRELU QUANTIZE REDUCE_MAX REDUCE_MIN RELU RELU6 RELU_N1_TO_1 RESHAPE
RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR RSQRT SLICE SOFTMAX SPACE_TO_DEPTH SPLIT SQUEEZE STRIDED_SLICE SUB
SQUARED_DIFFERENCE SUM TANH TRANSPOSE TRANSPOSE_CONV
"""
EDGE_TPU = frozenset(NAMES.split())
"""Kinds that the Edge TPU's compiler maps, as it documents them."""
INTEGERS = frozenset({"int8", "uint8", "int16", "int32"})


def edge_tpu_line(operators: Sequence[Operator]) -> str:
    """One line for people: how many operators could be mapped to an Edge TPU, and what could not."""
    left = [op for op in operators if op.kind not in EDGE_TPU or not op.types <= INTEGERS]
    if len(left) == len(operators):
        return "none of it: an Edge TPU takes models that are quantised to 8 bits throughout"
    names = ", ".join(f"{number} {kind}" for kind, number in count_by_kind(left).items()) or "nothing"
    return (
        f"{len(operators) - len(left)} of {len(operators)} operators could be mapped by edgetpu_compiler; left: {names}"
    )
