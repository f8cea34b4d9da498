"""Operators of a TFLite graph, read without a runtime: kind, tensors, types and multiply-accumulates of each."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

from edge.contracts.errors import ModelError
from edge.models.graph import HINT, TYPES, Buffer, FlatbufferTable, shape_of, subgraph_of

NAMES = """
ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE EMBEDDING_LOOKUP FLOOR
FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION LSTM
MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS
SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND
TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT
LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL
LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW
ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK REDUCE_MIN FLOOR_DIV
REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR LEAKY_RELU SQUARED_DIFFERENCE MIRROR_PAD ABS
SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS WHERE RANK ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG
ROUND HARD_SWISH IF WHILE NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM
BATCH_MATMUL
""".split()  # noqa: SIM905  (a hundred quoted lines would be harder to check against the schema)
"""BuiltinOperator of the schema, by its number, up to the first that a picture's network has no use for."""


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator (node) of a TFLite graph. Tensors are named by their number in the graph."""

    kind: str
    """Its name in the schema: ``CONV_2D``; ``CUSTOM`` and its own name for what the schema does not know."""
    inputs: tuple[int, ...]
    """Constants (weights) among them; an input that is left out is not."""
    outputs: tuple[int, ...]
    macs: int
    """Multiply-accumulates for one picture; 0 for what does not multiply by weights."""
    types: frozenset[str]
    """Types of the tensors that it reads and writes, constants left out: ``int8``; ``other`` for the rarer ones."""


def read_operators(data: Buffer) -> list[Operator]:
    """Read the operators of the signature's subgraph in running order; ``data`` may be a whole bundle.

    Raises `ModelError` if ``data`` is damaged or has not exactly one signature.
    """
    try:
        model = FlatbufferTable(data, struct.unpack_from("<I", data, 0)[0])
        subgraph = subgraph_of(model)
        tensors = subgraph.tables(0)
        buffers = model.tables(4)
        codes = [_kind(code) for code in model.tables(1)]
        return [_operator(each, codes, tensors, buffers) for each in subgraph.tables(3)]
    except (struct.error, UnicodeDecodeError, OverflowError, IndexError) as error:
        raise ModelError(f"the flatbuffer is damaged: {error}", hint=HINT) from error


def operator_kinds(model: FlatbufferTable) -> list[list[str]]:
    """Kinds of the operators of each subgraph, in running order; ``model`` is the root table.

    Raises IndexError, struct.error or `ModelError` for a damaged one.
    """
    codes = [_kind(code) for code in model.tables(1)]
    return [[codes[each.number(0, "I", 0)] for each in subgraph.tables(3)] for subgraph in model.tables(2)]


def _kind(code: FlatbufferTable) -> str:
    # Numbers over 127 came later, into a wider field; the old one then holds 127.
    number = max(code.number(0, "b", 0), code.number(3, "i", 0))
    if number < len(NAMES):
        name = NAMES[number]
        return f"CUSTOM {code.text(1)}" if name == "CUSTOM" else name
    return f"OPERATOR_{number}"


def _operator(
    operator: FlatbufferTable, codes: list[str], tensors: list[FlatbufferTable], buffers: list[FlatbufferTable]
) -> Operator:
    kind = codes[operator.number(0, "I", 0)]
    inputs = tuple(int(i) for i in operator.numbers(1, "i") if i >= 0)
    outputs = tuple(int(i) for i in operator.numbers(2, "i"))
    if min((*inputs, *outputs), default=0) < 0:
        raise ModelError("the flatbuffer is damaged: an operator writes a tensor that is none", hint=HINT)
    computed = [tensors[i] for i in {*inputs, *outputs} if not buffers[tensors[i].number(2, "I", 0)].length(0)]
    return Operator(
        kind=kind,
        inputs=inputs,
        outputs=outputs,
        macs=_macs(kind, [tensors[i] for i in inputs], [tensors[o] for o in outputs]),
        types=frozenset(TYPES.get(tensor.number(1, "b", 0), "other") for tensor in computed),
    )


def _macs(kind: str, inputs: list[FlatbufferTable], outputs: list[FlatbufferTable]) -> int:
    if kind == "TRANSPOSE_CONV":  # reads its output's shape, the weights, and then the picture
        return math.prod(shape_of(inputs[2])) * math.prod(shape_of(inputs[1])[:3])
    if kind not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
        return 0
    weights, out = shape_of(inputs[1]), math.prod(shape_of(outputs[0]))
    return out * math.prod(weights[1:3] if kind == "DEPTHWISE_CONV_2D" else weights[1:])
