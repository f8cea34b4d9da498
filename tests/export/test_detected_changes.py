"""What a picture shows of changed weights is found by arithmetic as by running the head with each change."""

from __future__ import annotations

import numpy as np
import pytest

from edge.models.bundle import load_bundle
from edge.models.bundle_file import split_bundle
from export.golden.detected_changes import DetectedChanges
from export.golden.weight_changes import HeadRunner, draw_changes
from export.head_layers import cut_heads
from export.head_replacement.replaced_graph import with_new_head
from export.input_gradient import TracedGraph
from tests.export import small_gated_graph
from tests.export.small_int8_graphs import SIDE, two_heads


def pictures(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(8)
    coarse = rng.integers(0, 256, (count, 8, 8, 1)).repeat(SIDE // 8, axis=1).repeat(SIDE // 8, axis=2)
    noisy = np.clip(coarse + rng.normal(0, 20, (count, SIDE, SIDE, 1)), 0, 255)
    return [each[None] for each in noisy.repeat(3, axis=3).astype(np.uint8)]


@pytest.mark.parametrize("head", [0, 1])
def test_all_changes_of_a_small_graph_are_found_as_by_running_it(head):
    graph = two_heads()
    traced, cut = TracedGraph(graph), cut_heads(graph)[head]
    runner = HeadRunner(cut, graph)
    changes = draw_changes(runner, 10**6, np.random.default_rng(1))
    assert {change.layer for change in changes} == set(cut.layers)
    noticing = DetectedChanges(graph, traced, cut)
    shown = 0.0
    for tensor in pictures(3):
        results = traced.run(tensor)
        expected = runner.noticed(changes, [results])[:, 0]
        np.testing.assert_array_equal(noticing.noticed(changes, results), expected)
        shown += expected.mean() / 3
    assert 0.05 < shown < 0.95, "neither all nor nothing: the comparison would prove little"


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 3, 6])
def test_all_changes_of_a_replaced_head_are_found_as_by_running_it(seed):
    """Bands, a convolution that gathers from a neighbourhood, and layers that are joined and compared."""
    shown = small_gated_graph.pictures(4, seed)
    graph = with_new_head(small_gated_graph.gated_graph(), "gate", small_gated_graph.small_design(seed), shown).graph
    traced, cut = TracedGraph(graph), cut_heads(graph)[-1]
    assert cut.name == "gate"
    runner = HeadRunner(cut, graph)
    changes = draw_changes(runner, 10**6, np.random.default_rng(1))
    noticing = DetectedChanges(graph, traced, cut)
    found = 0.0
    for tensor in shown:
        results = traced.run(tensor[None])
        expected = runner.noticed(changes, [results])[:, 0]
        np.testing.assert_array_equal(noticing.noticed(changes, results), expected)
        found += expected.mean() / len(shown)
    assert 0.05 < found < 0.95


@pytest.mark.slow
def test_changes_of_the_shipped_heads_are_found_as_by_running_them():
    bundle = load_bundle()
    graph = split_bundle(bundle.model_bytes).graph
    traced = TracedGraph(graph)
    results = traced.run(bundle.golden.tensors[-1:])
    for head in cut_heads(graph):
        runner = HeadRunner(head, graph)
        changes = draw_changes(runner, 120, np.random.default_rng(2))
        found = DetectedChanges(graph, traced, head).noticed(changes, results)
        np.testing.assert_array_equal(found, runner.noticed(changes, [results])[:, 0])


def test_what_moved_in_one_picture_is_carried_to_one_that_differs_little():
    graph = two_heads()
    traced, cut = TracedGraph(graph), cut_heads(graph)[0]
    changes = draw_changes(HeadRunner(cut, graph), 400, np.random.default_rng(3))
    noticing = DetectedChanges(graph, traced, cut)
    tensor = pictures(1)[0]
    before = traced.run(tensor)
    moved = noticing.begin(changes, before)
    assert sum(len(each.numbers) for each in moved) < len(changes), "changes that move nothing are left out"
    same = noticing.finish(noticing.carry(moved, before, before), before, len(changes))
    np.testing.assert_array_equal(same, noticing.noticed(changes, before))
    nudged = tensor.copy()
    nudged[0, 5, 7] ^= 1
    after = traced.run(nudged)
    guessed = noticing.finish(noticing.carry(moved, before, after), after, len(changes))
    assert (guessed == noticing.noticed(changes, after)).mean() > 0.9


def test_a_layer_that_rounds_otherwise_is_told():
    graph = two_heads()
    traced, cut = TracedGraph(graph), cut_heads(graph)[0]
    changes = draw_changes(HeadRunner(cut, graph), 50, np.random.default_rng(3))
    results = traced.run(pictures(1)[0])
    layer = changes[0].layer
    results[layer.result] = results[layer.result] ^ 1
    with pytest.raises(ArithmeticError, match=f"operator {layer.operator} rounds otherwise"):
        DetectedChanges(graph, traced, cut).noticed(changes, results)
