"""Share of a graph that a delegate (accelerator) takes."""

from __future__ import annotations

import pytest

from edge.models.bundle import SHIPPED_BUNDLE
from edge.models.bundle_file import split_bundle
from export.delegate_placement import edge_tpu_placement, xnnpack_placement
from export.quantisation.graph_editor import GraphEditor


@pytest.fixture(scope="module")
def graph() -> bytes:
    return split_bundle(SHIPPED_BUNDLE.read_bytes()).graph


def test_xnnpack_takes_what_costs_time(graph):
    share = xnnpack_placement(graph)
    assert share.delegated_macs == share.macs
    assert 0.9 < share.delegated_ops / share.ops < 1.0
    assert sum(share.left.values()) == share.ops - share.delegated_ops


def test_an_edge_tpu_takes_8_bits_alone(graph):
    assert edge_tpu_placement(graph).delegated_macs == edge_tpu_placement(graph).macs
    editor = GraphEditor(graph)
    stem = next(op for op in editor.operators if editor.kind(op) == "CONV_2D")
    editor.tensors[int(stem.outputs[0])].type = 0  # float32
    less = edge_tpu_placement(editor.pack())
    assert less.left["CONV_2D"] == 1
    assert less.left["DEPTHWISE_CONV_2D"] == 1  # it reads what the stem wrote
    assert less.delegated_macs < 0.98 * less.macs
