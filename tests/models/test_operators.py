"""Operators of a graph, read without a runtime, are those that LiteRT runs; and their delegate placement."""

from __future__ import annotations

import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from edge.contracts.errors import ModelError
from edge.models.bundle import SHIPPED_BUNDLE, load_bundle
from edge.models.bundle_file import split_bundle
from edge.models.delegate_placement import describe_placement, graph_placement, operators_between
from edge.models.operators import NAMES, Operator, read_operators


@pytest.fixture(scope="module")
def operators():
    return read_operators(SHIPPED_BUNDLE.read_bytes())


def test_as_litert_reads_them(operators):
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(model_path=str(SHIPPED_BUNDLE), experimental_op_resolver_type=plain)
    theirs = interpreter._get_ops_details()
    assert [op.kind for op in operators] == [node["op_name"] for node in theirs]
    assert [op.inputs for op in operators] == [tuple(i for i in node["inputs"] if i >= 0) for node in theirs]
    assert [op.outputs for op in operators] == [tuple(node["outputs"]) for node in theirs]


def test_names_stand_at_their_numbers_in_the_schema():
    from ai_edge_litert.schema_py_generated import BuiltinOperator

    numbers = {name: number for name, number in vars(BuiltinOperator).items() if isinstance(number, int)}
    assert {name: number for number, name in enumerate(NAMES)}.items() <= numbers.items()


def test_work_is_counted_as_the_layers_shapes_have_it(operators):
    height, width = load_bundle().manifest.input.shape[1:3]
    first = {op.kind: op for op in reversed(operators)}
    outputs = (height // 2) * (width // 2) * 32
    assert first["CONV_2D"].macs == outputs * 3 * 3 * 3  # the stem
    assert first["DEPTHWISE_CONV_2D"].macs == outputs * 3 * 3
    assert first["SOFTMAX"].macs == 0


def test_types_are_of_what_is_computed(operators):
    assert operators[0].types == {"uint8", "int8"}  # the grey value, made signed; 32-bit biases are constants
    assert set().union(*(op.types for op in operators)) <= {"uint8", "int8", "int32"}


def test_what_lies_between_tensors_is_found_and_no_more():
    def op(inputs, outputs, macs):
        return Operator("CONV_2D", inputs, outputs, macs, frozenset())

    # 0 -> a -> 1 -> b -> 2 -> c -> 3, and d beside them: 1 -> 4
    chain = [op((0, 9), (1,), 5), op((1,), (2,), 7), op((2,), (3,), 11), op((1,), (4,), 13)]
    assert operators_between(chain, [1, 9], [3]) == {1, 2}
    found = graph_placement(chain, dict.fromkeys(operators_between(chain, [1, 9], [3]), "x"), 1, "runtime")
    assert (found.ops, found.delegated_ops, found.macs, found.delegated_macs) == (4, 2, 36, 18)
    assert (found.left, found.by) == ({"CONV_2D": 2}, {"x": 2})
    words = "x 2 of 4 operators in 1 piece, 50.0% of MACs; left on plain kernels: 2 CONV_2D (runtime)"
    assert describe_placement(found) == words
    none = graph_placement(chain, {}, None, "graph")
    assert describe_placement(none).startswith("no delegate of 4 operators, 0.0% of MACs")


def test_a_damaged_graph_is_a_model_error_or_still_a_graph():
    graph = bytearray(split_bundle(SHIPPED_BUNDLE.read_bytes()).graph)
    refused = 0
    for at in [*range(0, 200, 4), *range(len(graph) - 20000, len(graph), 397)]:
        kept, graph[at] = graph[at], graph[at] ^ 0xFF
        try:
            read_operators(bytes(graph))
        except ModelError:
            refused += 1
        graph[at] = kept
    assert refused > 5
