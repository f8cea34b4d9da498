"""Golden pictures are searched by what they notice; a bundle is repacked with them, its graph untouched."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from edge.contracts.errors import ModelError, UsageError
from edge.models.bundle import load_bundle
from edge.models.bundle_file import split_bundle
from export.bundle_file import append_zip
from export.golden import cases
from export.golden.feature_pictures import can_wake, climb, logits_of
from export.golden.picture_store import FoundPictures
from export.golden.picture_variants import LEVELS, coarse
from export.golden.rounding_edges import edge_distance, layer_sums, narrow_layers
from export.golden.search import GoldenSearch, SearchEffort
from export.golden.starting_pictures import BasePictures
from export.golden.undetected_weights import UndetectedWeights
from export.golden.weight_changes import HeadRunner, draw_changes
from export.head_layers import cut_heads
from export.input_gradient import TracedGraph
from export.repack import repack
from tests.export.small_graphs import GraphMaker
from tests.export.small_int8_graphs import SIDE, two_heads

if TYPE_CHECKING:
    from pathlib import Path

    from edge.contracts.manifest import ModelManifest
    from edge.models.bundle import Bundle

LITTLE = SearchEffort(
    drawn=300,
    drawn_of_maps=60,
    scored=100,
    scored_of_maps=20,
    wake_steps=6,
    explore_steps=3,
    explored=1,
    variants=20,
    guessed=6,
    finalists=2,
    rounds=3,
)
"""Seconds instead of minutes."""


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle()


@pytest.fixture(scope="module")
def graph(bundle: Bundle) -> bytes:
    return split_bundle(bundle.model_bytes).graph


@pytest.fixture(scope="module")
def small_manifest(bundle: Bundle) -> ModelManifest:
    """Of a model whose input is that of the small graph with two heads."""
    recipe = msgspec.structs.replace(bundle.manifest.recipe, width=SIDE, height=SIDE)
    return msgspec.structs.replace(bundle.manifest, recipe=recipe)


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


def test_a_picture_climbs_to_where_a_chosen_value_is_larger():
    traced = TracedGraph(two_heads())
    (score, _) = cut_heads(two_heads())
    tensor = next(layer.result for layer in score.layers if layer.shape[0] == 24)
    start = np.full((SIDE, SIDE), 90, np.uint8)

    def make(picture: Any) -> Any:
        return np.repeat(picture[None, :, :, None], 3, axis=3)

    def total(picture: Any) -> int:
        return int(traced.run(make(picture))[tensor].astype(int).sum())

    seed = np.ones(traced.shape(tensor), np.float32)
    pictures = list(climb(traced, start, make, lambda _: [(1.0, {tensor: seed})], 15))
    assert [each.dtype for each in pictures] == [np.dtype(np.uint8)] * 15
    assert total(pictures[-1]) > total(pictures[3]) > total(start)


def wide_weights(traced: TracedGraph, graph: bytes) -> UndetectedWeights:
    """All weights of the wide layer of the small graph."""
    head = cut_heads(graph)[0]
    layer = next(each for each in head.layers if each.shape[0] == 24)
    assert can_wake(traced, layer)
    changes = draw_changes(HeadRunner(head, graph), 10**6, np.random.default_rng(0))
    return UndetectedWeights(traced, layer, [each for each in changes if each.layer == layer])


def test_weights_that_are_chosen_sleep():
    graph = two_heads()
    sleeping = wide_weights(TracedGraph(graph), graph)
    assert sleeping.asleep.all()
    left = np.arange(len(sleeping.asleep)) % 3 == 0
    sleeping.choose(left, 10**6, np.random.default_rng(1))
    np.testing.assert_array_equal(sleeping.asleep, left)
    sleeping.choose(left, 20, np.random.default_rng(1))
    assert sleeping.asleep.sum() == 20
    assert not (sleeping.asleep & ~left).any()


def test_only_channels_that_sleep_are_woken():
    graph = two_heads()
    traced = TracedGraph(graph)
    sleeping = wide_weights(traced, graph)
    black = np.zeros((1, SIDE, SIDE, 3), np.uint8)
    results = traced.run(black)
    (at,) = sleeping.seed(results)
    assert at == sleeping.layer.source
    assert np.abs(sleeping.seed(results)[at]).sum() > 0
    sleeping.choose(np.zeros(len(sleeping.asleep), np.bool_), 5, np.random.default_rng(1))
    assert np.abs(sleeping.seed(results)[at]).sum() == 0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_undetected_weights_of_the_shipped_model_are_woken_step_by_step(bundle, graph):
    search = GoldenSearch(graph, bundle.manifest, lambda _: None, effort=replace(LITTLE, drawn=1500))
    state = search.heads[0]
    sleeping = state.sleeping
    assert sleeping is not None
    assert sleeping.layer.shape == (1280, 1, 1, 320)
    assert search.heads[-1].sleeping is None, "the anatomy head has no layer of that kind"

    def awake(picture: Any) -> float:
        values = search.traced.run(search.tensor(picture))[sleeping.layer.result]
        return float((values > -128).any(axis=(0, 1, 2)).mean())

    first, *_, last = search._make.wake(state.head, sleeping, 25, masks=True)
    assert last.dtype == np.uint8
    assert last.shape == search.shape
    assert awake(last) > awake(first) + 0.1
    assert awake(coarse(last)) > awake(first) + 0.1, "few grey levels are enough"


@pytest.mark.parametrize("shape", [(96, 96), (32, 32), (512, 96), (96, 512), (192, 160)])
def test_there_are_phantoms_of_every_shape(shape):
    make = BasePictures(TracedGraph(two_heads()), [], shape, lambda picture: picture, np.random.default_rng(0))
    for _ in range(3):
        picture = make.phantom()
        assert picture.shape == shape
        assert picture.max() > 50


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


def test_a_search_adds_what_is_not_noticed_yet_and_refuses_what_does_not_fit(small_manifest):
    search = GoldenSearch(two_heads(), small_manifest, lambda _: None, effort=LITTLE)
    search.add(np.zeros((1, SIDE, SIDE, 3), np.uint8))
    before = [state.share for state in search.heads]
    refused: list[Any] = []
    kept: list[Any] = []

    def fits(candidate: Any) -> bool:
        if not refused:
            refused.append(candidate)
            return False
        return True

    found = search.run(0.999, 3, fits, kept.append)
    after = [state.share for state in search.heads]
    assert 1 <= len(found) <= 3
    assert [each.picture.tobytes() for each in found] == [each.tobytes() for each in kept]
    assert refused[0] not in found
    assert all(b >= a for a, b in zip(before, after, strict=True))
    assert sum(after) > sum(before)
    assert all(len(np.unique(picture)) <= LEVELS for picture in kept)
    again = search.candidate(found[0].picture)
    np.testing.assert_array_equal(again.outputs["map"], found[0].outputs["map"])


def test_what_a_search_says_is_noticed_is_what_running_the_changes_shows(small_manifest):
    graph = two_heads()
    search = GoldenSearch(graph, small_manifest, lambda _: None, effort=LITTLE)
    found = search.run(0.999, 2)
    traced = TracedGraph(graph)
    cases = [traced.run(search.tensor(each.picture)) for each in found]
    for state in search.heads:
        noticed = HeadRunner(state.head, graph).noticed(state.changes, cases).any(axis=1)
        np.testing.assert_array_equal(noticed, state.noticed)


def test_a_search_that_finds_nothing_ends(small_manifest):
    search = GoldenSearch(two_heads(), small_manifest, lambda _: None, effort=LITTLE)
    assert search.run(0.999, 3, lambda _: False) == []
    assert search.run(0.0, 3) == [], "enough is noticed already"


def test_found_pictures_are_kept_in_their_order(tmp_path: Path):
    found = FoundPictures(tmp_path / "new", (20, 30))
    assert found.read() == []
    pictures = [np.full((20, 30), 16 * i, np.uint8) for i in range(12)]
    for picture in pictures:
        found.keep(picture)
    np.testing.assert_array_equal(FoundPictures(tmp_path / "new", (20, 30)).read(), pictures)
    with pytest.raises(UsageError, match=r"000\.png is no grey picture of 30 x 40 pixels"):
        FoundPictures(tmp_path / "new", (40, 30)).read()
    (tmp_path / "new" / "000.png").write_bytes(b"")
    with pytest.raises(UsageError, match="is no grey picture"):
        found.read()
    nowhere = FoundPictures(None, (20, 30))
    nowhere.keep(pictures[0])
    assert nowhere.read() == []


@pytest.mark.slow
def test_a_repacked_bundle_has_the_same_graph_and_other_golden_vectors(bundle, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(cases, "MOST", 1)
    monkeypatch.setattr(cases, "SearchEffort", lambda: LITTLE)
    parts = split_bundle(bundle.model_bytes)
    (tmp_path / "old.tflite").write_bytes(append_zip(parts.graph, parts.members | {"later.tflite": b"kept"}))
    bundle = load_bundle(tmp_path / "old.tflite")
    shown = [bundle.golden.tensors[i : i + 1] for i in range(2)]
    folder = tmp_path / "found"
    picture = np.ascontiguousarray(bundle.golden.tensors[-1, :, :, 0])
    FoundPictures(folder, picture.shape).keep(picture)
    made, noticed = repack(
        bundle, tmp_path / "new.tflite", "9.9.9", shown, lambda _: None, "Because a test said so.", folder
    )
    assert split_bundle(made.model_bytes).graph == split_bundle(bundle.model_bytes).graph
    old, new = bundle.manifest, made.manifest
    assert new.version == "9.9.9"
    made_now = {"version", "created", "git_revision"} | (set() if old.trained else {"trained"})
    assert {name for name in new.__struct_fields__ if getattr(new, name) != getattr(old, name)} == made_now
    assert made.labels == bundle.labels
    assert made.optional == bundle.optional == {"later.tflite": 4}
    assert made.sha256 != bundle.sha256
    assert [head.head for head in noticed] == ["malignancy", "lesion_mask", "anatomy"]
    assert "Because a test said so." in made.card
    assert f"malignancy {noticed[0].noticed} of {noticed[0].drawn}" in made.card
    np.testing.assert_array_equal(made.golden.frames[-1], picture)  # found before: the search went on from it


def test_one_version_is_given_once(bundle, tmp_path: Path):
    with pytest.raises(ModelError, match="already"):
        repack(bundle, tmp_path / "new.tflite", bundle.manifest.version, None, lambda _: None)
    assert not (tmp_path / "new.tflite").exists()
