"""Golden pictures are searched by what they notice; a bundle is repacked with them, its graph untouched."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from edge.contracts.errors import ModelError
from edge.models.bundle import load_bundle
from edge.models.bundle_file import split_bundle
from export import noticing_cases
from export.golden_pictures import can_wake, logits_of
from export.golden_search import GoldenSearch, SearchEffort
from export.head_layers import cut_heads
from export.input_gradient import TracedGraph
from export.repack import repack
from export.rounding_edges import edge_distance, layer_sums, narrow_layers
from tests.export.small_graphs import GraphMaker

if TYPE_CHECKING:
    from pathlib import Path

    from edge.models.bundle import Bundle

LITTLE = SearchEffort(
    drawn=40, scored=20, woken=300, wake_steps=4, explore_steps=3, explored=1, variants=12, finalists=4
)
"""Seconds instead of minutes."""


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle()


@pytest.fixture(scope="module")
def graph(bundle: Bundle) -> bytes:
    return split_bundle(bundle.model_bytes).graph


def linear_graph() -> tuple[bytes, int, int]:
    """A graph of sums and products alone, the number of its output, and of a map before it."""
    rng = np.random.default_rng(5)
    make = GraphMaker()
    image = make.tensor((1, 6, 6, 3))
    first = make.conv(image, rng.normal(0, 1, (4, 3, 3, 3)), np.zeros(4), 6)
    deep = make.depthwise(first, rng.normal(0, 1, (1, 3, 3, 4)), np.zeros(4), 6)
    one = make.conv(deep, rng.normal(0, 1, (4, 1, 1, 4)), np.zeros(4), 6)
    both = make.binary("ADD", one, first, (1, 6, 6, 4))
    out = make.conv(both, rng.normal(0, 1, (2, 1, 1, 4)), np.ones(2), 6)
    return make.pack([image], [out]), out, deep


def test_a_gradient_is_what_small_steps_of_the_picture_show():
    graph, out, deep = linear_graph()
    traced = TracedGraph(graph)
    rng = np.random.default_rng(6)
    seed = {out: rng.normal(0, 1, (1, 6, 6, 2)), deep: rng.normal(0, 1, (1, 6, 6, 4))}
    picture = rng.normal(0, 1, (1, 6, 6, 3)).astype(np.float32)

    def value(at: Any) -> float:
        results = traced.run(at)
        return float(sum((results[number] * weight).sum() for number, weight in seed.items()))

    gradient = traced.backward(traced.run(picture), seed)
    for place in [(0, 0, 0, 0), (0, 5, 5, 2), (0, 2, 3, 1), (0, 0, 4, 2)]:
        moved = picture.copy()
        moved[place] += 1
        assert value(moved) - value(picture) == pytest.approx(gradient[place], rel=1e-3, abs=1e-3)


def test_sleeping_weights_wake_step_by_step(bundle, graph):
    search = GoldenSearch(graph, bundle.manifest, lambda _: None, effort=LITTLE)
    state = search.heads[0]
    sleeping = state.sleeping
    assert sleeping is not None
    assert sleeping.layer.shape == (1280, 1, 1, 320)
    assert can_wake(search.traced, sleeping.layer)
    assert [each.sleeping is None for each in search.heads[1:]][-1], "the anatomy head has no layer of that kind"

    def asleep(picture: Any) -> float:
        sleeping.asleep[:] = True
        sleeping.see(search.traced.run(search.tensor(picture)))
        left = float(sleeping.asleep.mean())
        sleeping.asleep[:] = True
        return left

    first, *_, last = search._make.wake(state.head, sleeping, 20, masks=True)
    assert last.dtype == np.uint8
    assert last.shape == search.shape
    assert asleep(last) < asleep(first) - 0.1


def test_weights_that_a_picture_shows_are_awake_until_all_are(bundle, graph):
    search = GoldenSearch(graph, bundle.manifest, lambda _: None, effort=LITTLE)
    sleeping = search.heads[0].sleeping
    assert sleeping is not None
    sleeping.see(search.traced.run(bundle.golden.tensors[:1]))
    before = sleeping.asleep.copy()
    assert 0 < before.sum() < len(before)
    sleeping.see(search.traced.run(bundle.golden.tensors[1:2]))
    assert not (sleeping.asleep & ~before).any()
    sleeping.asleep[:] = False
    sleeping.see(search.traced.run(bundle.golden.tensors[:1]))
    assert sleeping.asleep.all()


def test_sums_of_a_narrow_layer_are_those_that_are_rounded(bundle, graph):
    traced = TracedGraph(graph)
    head = cut_heads(graph)[0]
    wide = next(each for each in head.layers if each.shape == (1280, 1, 1, 320))
    (last,) = narrow_layers(traced, head, wide)
    assert last.shape == (2, 1280)
    assert narrow_layers(traced, head, last) == [last]
    results = traced.run(bundle.golden.tensors[:1])
    sums = layer_sums(traced, last, results)
    np.testing.assert_array_equal(np.rint(sums) + traced.zero(last.result), results[last.result])
    close = {**results, last.source: results[last.source]}
    assert edge_distance(traced, [last], close) == pytest.approx(np.log(np.abs(sums % 1 - 0.5) + 0.002).mean())
    assert edge_distance(traced, [], results) == 0


def test_logits_are_found_behind_every_head(bundle, graph):
    search = GoldenSearch(graph, bundle.manifest, lambda _: None, effort=LITTLE)
    shapes = {state.head.name: search.traced.shape(logits_of(search.traced, state.head)) for state in search.heads}
    assert shapes == {"malignancy": (1, 2), "lesion_mask": (1, 48, 40, 1), "anatomy": (1, 1)}


@pytest.mark.slow
def test_a_search_adds_what_is_not_noticed_yet_and_refuses_what_does_not_fit(bundle, graph):
    search = GoldenSearch(graph, bundle.manifest, lambda _: None, effort=replace(LITTLE, rounds=3))
    search.add(search.candidate(bundle.golden.frames[0], bundle.golden.tensors[:1]))
    before = [state.share for state in search.heads]
    refused: list[Any] = []

    def fits(candidate: Any) -> bool:
        if not refused:
            refused.append(candidate)
            return False
        return True

    found = search.run(0.999, 2, fits)
    after = [state.share for state in search.heads]
    assert 1 <= len(found) <= 2
    assert refused[0] not in found
    assert all(b >= a for a, b in zip(before, after, strict=True))
    assert sum(after) > sum(before)
    again = search.candidate(found[0].picture)
    np.testing.assert_array_equal(again.outputs["lesion_mask"], found[0].outputs["lesion_mask"])


def test_a_search_that_finds_nothing_ends(bundle, graph):
    search = GoldenSearch(graph, bundle.manifest, lambda _: None, effort=replace(LITTLE, rounds=1))
    search.heads = search.heads[2:]
    assert search.run(0.999, 3, lambda _: False) == []


@pytest.mark.slow
def test_a_repacked_bundle_has_the_same_graph_and_other_golden_vectors(bundle, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(noticing_cases, "MOST", 1)
    monkeypatch.setattr(noticing_cases, "SearchEffort", lambda: replace(LITTLE, rounds=3))
    shown = [bundle.golden.tensors[i : i + 1] for i in range(2)]
    made, noticed = repack(bundle, tmp_path / "new.tflite", "9.9.9", shown, lambda _: None, "Because a test said so.")
    assert split_bundle(made.model_bytes).graph == split_bundle(bundle.model_bytes).graph
    old, new = bundle.manifest, made.manifest
    assert new.version == "9.9.9"
    assert {name for name in new.__struct_fields__ if getattr(new, name) != getattr(old, name)} == {"version"}
    assert made.labels == bundle.labels
    assert made.sha256 != bundle.sha256
    assert [head.head for head in noticed] == ["malignancy", "lesion_mask", "anatomy"]
    assert "Because a test said so." in made.card
    assert f"malignancy {noticed[0].noticed} of {noticed[0].drawn}" in made.card
    altered = made.golden.frames[-1]
    assert altered.shape == (old.recipe.height, old.recipe.width)


def test_one_version_is_given_once(bundle, tmp_path: Path):
    with pytest.raises(ModelError, match="already"):
        repack(bundle, tmp_path / "new.tflite", bundle.manifest.version, None, lambda _: None)
    assert not (tmp_path / "new.tflite").exists()
