"""How much of a graph an accelerator takes."""

from __future__ import annotations

import pytest

from edge.models.bundle import DEFAULT
from edge.models.container import split
from export.float_graph import GraphEditor
from export.placement import edge_tpu, macs, xnnpack


@pytest.fixture(scope="module")
def graph() -> bytes:
    return split(DEFAULT.read_bytes()).graph


def test_work_is_counted_as_the_layers_shapes_have_it(graph):
    editor = GraphEditor(graph)
    work = {editor.kind(op): macs(editor, op) for op in reversed(editor.operators)}
    assert work["CONV_2D"] == 80 * 80 * 32 * 3 * 3 * 3  # the stem
    assert work["DEPTHWISE_CONV_2D"] == 80 * 80 * 32 * 3 * 3
    assert work["SOFTMAX"] == 0
    assert 200e6 < sum(macs(editor, op) for op in editor.operators) < 240e6


def test_xnnpack_takes_what_costs_time(graph):
    share = xnnpack(graph)
    assert share.macs == 1.0
    assert 0.9 < share.operators < 1.0
    assert sum(share.left.values()) == round((1 - share.operators) * len(GraphEditor(graph).operators))


def test_an_edge_tpu_takes_8_bits_alone(graph):
    assert edge_tpu(graph).macs == 1.0
    editor = GraphEditor(graph)
    stem = next(op for op in editor.operators if editor.kind(op) == "CONV_2D")
    editor.tensors[int(stem.outputs[0])].type = 0  # float32
    less = edge_tpu(editor.pack())
    assert less.left["CONV_2D"] == 1
    assert less.left["DEPTHWISE_CONV_2D"] == 1  # it reads what the stem wrote
    assert less.macs < 0.97
