"""A head is replaced in an int8 graph: the others give the same bytes, and the new one does what its floats say."""

from __future__ import annotations

import dataclasses
import importlib.util
from typing import TYPE_CHECKING

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edge.contracts.errors import EdgeError, UsageError
from edge.models.bundle import load_bundle
from edge.models.bundle_file import split_bundle
from export.converted_graph import check_quantisation, pack_model, text, unpack_model
from export.delegate_placement import xnnpack_placement
from export.golden.vectors import empty_tensors
from export.head_layers import cut_heads, head_operators
from export.head_replacement.float_head import run_head, standardise
from export.head_replacement.graph_merge import replace_head
from export.head_replacement.head_design import HeadDesign, HeadLayer, read_design, shapes, write_design
from export.head_replacement.int8_head import int8_head
from export.head_replacement.replaced_graph import probabilities, trunk_features, with_new_head
from export.head_replacement.steps import Steps
from export.other_runtimes import largest_differences, run_onnx, to_onnx
from export.predict import run_graph
from tests.export.lifted_head import lift_head
from tests.export.small_gated_graph import contents, gated_graph, pictures, small_design

if TYPE_CHECKING:
    from pathlib import Path

STEP = 1 / 256


@pytest.fixture(scope="module")
def graph() -> bytes:
    return gated_graph()


@pytest.fixture(scope="module")
def made(graph: bytes) -> bytes:
    return with_new_head(graph, "gate", small_design(), pictures(60)).graph


def head_of(graph: bytes, design: HeadDesign) -> bytes:
    return int8_head(design, trunk_features(graph, design.tensors, pictures(20)), "gate")


@pytest.mark.parametrize("kernels", ["xnnpack", "builtin", "reference"])
def test_the_other_heads_give_the_same_bytes(graph: bytes, made: bytes, kernels: str):
    rng = np.random.default_rng(5)
    shown = np.concatenate([pictures(60, 7), rng.integers(0, 256, (60, 32, 32, 3)).astype(np.uint8)])
    before, now = run_graph(graph, shown, kernels), run_graph(made, shown, kernels)
    assert now.keys() == before.keys() == {"score", "map", "gate"}
    np.testing.assert_array_equal(now["score"], before["score"])
    np.testing.assert_array_equal(now["map"], before["map"])
    assert not np.array_equal(now["gate"], before["gate"])


def test_the_rest_of_the_graph_stays_as_it_is(graph: bytes, made: bytes):
    gone = set(head_operators(unpack_model(graph))["gate"])
    kept = [each for number, each in enumerate(contents(graph)) if number not in gone]
    assert contents(made)[: len(kept)] == kept
    check_quantisation(made)
    before, now = unpack_model(graph), unpack_model(made)
    assert [text(e.name) for e in now.signatureDefs[0].outputs] == ["score", "map", "gate"]
    outputs = [int(e.tensorIndex) for e in now.signatureDefs[0].outputs]
    assert now.subgraphs[0].outputs.tolist() == outputs
    assert len(now.subgraphs) == len(before.subgraphs) == 1


def test_nothing_of_the_old_head_is_left(made: bytes):
    model = unpack_model(made)
    subgraph = model.subgraphs[0]
    read = {int(t) for each in subgraph.operators for t in (*each.inputs, *each.outputs) if t >= 0}
    assert read == set(range(len(subgraph.tensors)))
    assert {0, *(tensor.buffer for tensor in subgraph.tensors)} == set(range(len(model.buffers)))
    assert {each.opcodeIndex for each in subgraph.operators} == set(range(len(model.operatorCodes)))
    assert "gated" not in {text(tensor.name) for tensor in subgraph.tensors}
    with_data = [t.buffer for t in subgraph.tensors if model.buffers[t.buffer].data is not None]
    assert len(with_data) == len(set(with_data))  # each constant has a buffer of its own


def test_the_same_head_again_gives_the_same_file(made: bytes):
    assert with_new_head(made, "gate", small_design(), pictures(60)).graph == made


def test_a_smaller_head_makes_a_smaller_file(graph: bytes):
    layers = (
        HeadLayer(name="trunk", kind="tensor", tensor="trunk"),
        HeadLayer(name="mean", kind="mean", inputs=["trunk"]),
        HeadLayer(name="logit", kind="conv", inputs=["mean"]),
    )
    design = HeadDesign(layers, {"logit.weights": np.ones((1, 1, 12, 1))})
    assert len(with_new_head(graph, "gate", design, pictures(8)).graph) < len(graph)


@pytest.mark.parametrize("seed", [1, 3, 6, 7])
@pytest.mark.parametrize("kernels", ["xnnpack", "builtin"])
def test_int8_says_what_the_floats_say(graph: bytes, seed: int, kernels: str):
    design, shown = small_design(seed), pictures(80, 11)
    made = with_new_head(graph, "gate", design, pictures(60))
    floats = probabilities(design, trunk_features(graph, design.tensors, shown))
    int8 = run_graph(made.graph, shown, kernels)["gate"].reshape(-1) * STEP
    assert floats.std() > 0.02  # else nothing is shown
    assert np.abs(floats - int8).mean() < 0.02
    assert np.abs(floats - int8).max() < 0.12
    assert made.largest_difference < 0.12
    assert np.corrcoef(floats, int8)[0, 1] > 0.98


def test_all_of_the_graph_is_one_piece_for_xnnpack(graph: bytes, made: bytes):
    placement = xnnpack_placement(made)
    assert placement.partitions == 1
    assert placement.left == xnnpack_placement(graph).left


@pytest.mark.skipif(not all(map(importlib.util.find_spec, ("tf2onnx", "onnxruntime"))), reason="no ONNX here")
def test_onnx_takes_the_new_head(made: bytes, tmp_path: Path):
    to_onnx(made, tmp_path / "new.onnx")
    shown = pictures(20, 3)
    off = largest_differences(run_onnx(tmp_path / "new.onnx", made, shown), run_graph(made, shown))
    assert off["gate"] <= 16


def test_standardised_means_change_nothing_in_floats(graph: bytes):
    design = small_design()
    real = {n: steps.real(v) for n, (v, steps) in trunk_features(graph, design.tensors, pictures(30)).items()}
    found = run_head(design, real)
    adapted = standardise(design, found)
    again = run_head(adapted, real)
    assert not np.allclose(found["bands"], again["bands"])
    np.testing.assert_allclose(again["bands"].mean(axis=(0, 1, 2)), 0, atol=1e-9)
    np.testing.assert_allclose(again["bands"].std(axis=(0, 1, 2)), 1, atol=1e-9)
    np.testing.assert_allclose(again["looks"], found["looks"])  # it is clipped, and stays
    np.testing.assert_allclose(again["logit"], found["logit"], atol=1e-9)


def test_channels_of_unlike_size_keep_their_precision(graph: bytes):
    """One channel of a mean is a thousand times as large as the others, which decide."""
    layers = (
        HeadLayer(name="trunk", kind="tensor", tensor="trunk"),
        HeadLayer(name="large", kind="conv", inputs=["trunk"]),
        HeadLayer(name="mean", kind="mean", inputs=["large"]),
        HeadLayer(name="logit", kind="conv", inputs=["mean"]),
    )
    features = trunk_features(graph, ["trunk"], pictures(60))
    values = features["trunk"][1].real(features["trunk"][0]).mean(axis=(1, 2))
    weights = np.zeros((1, 1, 12, 2))
    weights[0, 0, 0, 0], weights[0, 0, 1, 1] = 30, 1
    sharp = np.zeros((1, 1, 2, 1))
    sharp[0, 0, 1, 0] = 3 / values[:, 1].std()
    bias = -sharp[0, 0, 1] * values[:, 1].mean()
    design = HeadDesign(layers, {"large.weights": weights, "logit.weights": sharp, "logit.bias": bias})
    made = with_new_head(graph, "gate", design, pictures(60))
    assert made.floats.std() > 0.3
    assert np.abs(made.floats - made.int8).mean() < 0.2


def test_another_step_is_converted_and_an_equal_one_is_not(graph: bytes):
    design = small_design()
    features = trunk_features(graph, design.tensors, pictures(60))
    plain = replace_head(graph, "gate", int8_head(design, features, "gate"))
    values, steps = features["trunk"]
    other = Steps(steps.scale * 1.25, steps.zero - 3)
    stored = np.clip(np.rint(steps.real(values) / other.scale) + other.zero, -128, 127).astype(np.int8)
    converted = replace_head(graph, "gate", int8_head(design, features | {"trunk": (stored, other)}, "gate"))
    kinds = [row[0] for row in contents(converted)]
    assert kinds.count(schema.BuiltinOperator.QUANTIZE) == 1 + [row[0] for row in contents(plain)].count(
        schema.BuiltinOperator.QUANTIZE
    )
    one, two = (run_graph(g, pictures(60, 3)) for g in (plain, converted))
    np.testing.assert_array_equal(one["score"], two["score"])
    assert np.abs(one["gate"].astype(int) - two["gate"]).mean() < 6
    assert len(converted) > len(plain)


def edited(head: bytes, change) -> bytes:
    model = unpack_model(head)
    change(model)
    return pack_model(model)


def rename(model: schema.ModelT) -> None:
    model.signatureDefs[0].inputs[0].name = b"nowhere"


def reshape_input(model: schema.ModelT) -> None:
    model.subgraphs[0].tensors[0].shape = np.array([1, 8, 8, 11], np.int32)


def retype(model: schema.ModelT) -> None:
    model.subgraphs[0].tensors[0].type = schema.TensorType.INT16


def reshape_output(model: schema.ModelT) -> None:
    model.subgraphs[0].tensors[int(model.subgraphs[0].outputs[0])].shape = np.array([1, 2], np.int32)


def rescale_output(model: schema.ModelT) -> None:
    tensor = model.subgraphs[0].tensors[int(model.subgraphs[0].outputs[0])]
    tensor.quantization.scale = np.array([1 / 128], np.float32)


def two_outputs(model: schema.ModelT) -> None:
    model.signatureDefs[0].outputs *= 2


def two_signatures(model: schema.ModelT) -> None:
    model.signatureDefs *= 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (rename, "the graph has no tensor nowhere"),
        (reshape_input, r"tensor trunk: the new head reads \(1, 8, 8, 11\) int8, the graph has \(1, 8, 8, 12\) int8"),
        (retype, "the new head reads .* int16"),
        (reshape_output, r"the head's output is \(1, 1\) uint8 .*, the new one's \(1, 2\)"),
        (rescale_output, "the new one's .*0.0078125"),
        (two_outputs, "2 outputs, expected one"),
        (two_signatures, "expected one subgraph and one signature"),
    ],
)
def test_a_head_that_does_not_fit_is_refused(graph: bytes, change, said: str):
    with pytest.raises(EdgeError, match=said):
        replace_head(graph, "gate", edited(head_of(graph, small_design()), change))


def test_a_head_that_is_not_there_is_refused(graph: bytes):
    with pytest.raises(EdgeError, match="no head door, only gate, map, score"):
        replace_head(graph, "door", head_of(graph, small_design()))


def test_two_tensors_of_one_name_are_none(graph: bytes):
    model = unpack_model(graph)
    made = [int(op.outputs[0]) for op in model.subgraphs[0].operators]
    names = [text(model.subgraphs[0].tensors[t].name) for t in made]
    model.subgraphs[0].tensors[made[names.index("wide")]].name = b"trunk"
    with pytest.raises(EdgeError, match="the graph has no tensor trunk"):
        replace_head(pack_model(model), "gate", head_of(graph, small_design()))


def test_layers_of_the_old_head_stay_if_the_new_one_reads_them(graph: bytes):
    layers = (
        HeadLayer(name="old", kind="tensor", tensor=tensor_before(graph, "gated")),
        HeadLayer(name="logit", kind="conv", inputs=["old"]),
    )
    made = with_new_head(graph, "gate", HeadDesign(layers, {"logit.weights": np.ones((1, 1, 7, 1))}), pictures(9)).graph
    names = {text(tensor.name) for tensor in unpack_model(made).subgraphs[0].tensors}
    assert tensor_before(graph, "gated") in names
    assert "gated" not in names
    np.testing.assert_array_equal(run_graph(graph, pictures(9))["map"], run_graph(made, pictures(9))["map"])


def tensor_before(graph: bytes, name: str) -> str:
    """Name of the tensor that the one with ``name`` is made of."""
    subgraph = unpack_model(graph).subgraphs[0]
    for operator in subgraph.operators:
        if text(subgraph.tensors[int(operator.outputs[0])].name) == name:
            return text(subgraph.tensors[int(operator.inputs[0])].name)
    raise AssertionError(name)


def with_layer(design: HeadDesign, number: int, **changes) -> HeadDesign:
    layers = list(design.layers)
    fields = {name: getattr(layers[number], name) for name in layers[number].__struct_fields__}
    layers[number] = HeadLayer(**(fields | changes))
    return dataclasses.replace(design, layers=tuple(layers))


def with_array(design: HeadDesign, name: str, values) -> HeadDesign:
    return dataclasses.replace(design, arrays={**design.arrays, name: np.asarray(values, float)})


SMALL = small_design()
WRONG = [
    (with_layer(SMALL, 1, name="trunk"), "two layers are called trunk"),
    (with_layer(SMALL, 2, inputs=["later"]), "reads later, which is no earlier layer"),
    (with_layer(SMALL, 0, tensor="nowhere"), "the graph has no tensor 'nowhere'"),
    (with_layer(SMALL, 2, bands=3), "3 bands of 8 rows"),
    (with_layer(SMALL, 2, bands=0), "0 bands of 8 rows"),
    (with_layer(SMALL, 0, activation="relu"), "an activation or limits"),
    (with_layer(SMALL, 9, limits=(1.0, 1.0)), "limits"),
    (with_layer(SMALL, 9, limits=(float("nan"), 1.0)), "limits"),
    (with_layer(SMALL, 9, limits=(0.5, 1.0)), "expected finite ones around 0"),
    (with_layer(SMALL, 10, inputs=["one"]), "1 inputs, expected 2"),
    (with_layer(SMALL, 10, inputs=["one", "looks"]), "of two shapes"),
    (with_layer(SMALL, 8, inputs=["mixed", "look"]), "of other sizes"),
    (with_layer(SMALL, 4, inputs=["mean"]), "expected .height, width, 10, channels out."),
    (with_array(SMALL, "mixed.weights", np.ones((9, 1, 12, 5))), "a kernel .* larger than its input"),
    (with_array(SMALL, "mixed.bias", np.ones(4)), "bias"),
    (with_array(SMALL, "logit.bias", [np.inf]), "not finite"),
    (with_array(SMALL, "mean.weights", np.ones(9)), "weights .9,., expected"),
    (with_array(SMALL, "none.weights", np.ones(9)), "no layer reads none.weights"),
    (dataclasses.replace(SMALL, layers=SMALL.layers[:-1]), "expected one logit"),
    (HeadDesign((), {}), "expected one logit"),
]


@pytest.mark.parametrize(("design", "said"), WRONG, ids=[said for _, said in WRONG])
def test_a_design_that_cannot_be_computed_is_refused(design: HeadDesign, said: str):
    with pytest.raises(UsageError, match=said):
        shapes(design, {"trunk": (8, 8, 12), "wide": (8, 8, 10)})


def test_a_tensor_that_the_graph_does_not_have_is_named_with_its_like(graph: bytes):
    with pytest.raises(UsageError, match="no tensor 'wider'"):
        trunk_features(graph, ["trunk", "wider"], pictures(2))
    with pytest.raises(UsageError, match="no representative picture"):
        trunk_features(graph, ["trunk"], pictures(2)[:0])
    with pytest.raises(UsageError, match=r"'gated' is int8 .*expected a map in int8"):
        trunk_features(graph, ["gated"], pictures(2))


def test_a_design_comes_back_from_its_file(tmp_path: Path):
    write_design(SMALL, tmp_path / "head.npz")
    found = read_design(tmp_path / "head.npz")
    assert found.layers == SMALL.layers
    assert found.arrays.keys() == SMALL.arrays.keys()
    for name, values in SMALL.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], values)


@pytest.mark.parametrize(
    "layers", [None, "[", '[{"name": "a", "kind": "spell"}]', '[{"name": "a", "kind": "mean", "band": 2}]', "7"]
)
def test_a_file_that_is_no_design_is_refused(tmp_path: Path, layers: str | None):
    path = tmp_path / "head.npz"
    if layers is None:
        np.savez(path, tensors=np.zeros(3))
    else:
        np.savez(path, layers=np.array(layers))
    with pytest.raises(UsageError, match="is no head"):
        read_design(path)
    path.write_bytes(b"nothing")
    with pytest.raises(UsageError, match="is no head"):
        read_design(path)


def test_constant_features_and_huge_biases_still_make_a_graph(graph: bytes):
    layers = (
        HeadLayer(name="trunk", kind="tensor", tensor="trunk"),
        HeadLayer(name="mean", kind="mean", inputs=["trunk"]),
        HeadLayer(name="logit", kind="conv", inputs=["mean"]),
    )
    design = HeadDesign(layers, {"logit.weights": np.full((1, 1, 12, 1), 1e-9), "logit.bias": np.array([3.0])})
    black = np.zeros((4, 32, 32, 3), np.uint8)
    made = with_new_head(graph, "gate", design, black)
    np.testing.assert_allclose(made.int8, 1 / (1 + np.exp(-3)), atol=0.01)


@pytest.mark.slow
def test_the_shipped_gate_is_made_again_from_its_own_weights():
    bundle = load_bundle()
    graph = split_bundle(bundle.model_bytes).graph
    design = lift_head(graph, "anatomy")
    rng = np.random.default_rng(2)
    noise = rng.integers(0, 256, (20, *bundle.golden.tensors.shape[1:3], 1)).astype(np.uint8).repeat(3, axis=3)
    shown = np.concatenate([empty_tensors(bundle.manifest.recipe)[:30], bundle.golden.tensors, noise])
    made = with_new_head(graph, "anatomy", design, shown)
    before, now = run_graph(graph, shown), run_graph(made.graph, shown)
    for head in ("malignancy", "lesion_mask"):
        np.testing.assert_array_equal(now[head], before[head])
    off = np.abs(now["anatomy"].astype(int) - before["anatomy"])
    assert off.max() <= 20
    assert off.mean() < 3
    assert made.largest_difference < 0.06
    assert len(made.graph) <= len(graph)
    assert [head.name for head in cut_heads(made.graph)] == ["malignancy", "lesion_mask", "anatomy"]
    placement = xnnpack_placement(made.graph)
    assert placement.partitions == 1
    assert placement.left == xnnpack_placement(graph).left


def test_a_result_whose_range_no_kernel_could_reach_is_refused(graph: bytes):
    layers = (
        HeadLayer(name="trunk", kind="tensor", tensor="trunk"),
        HeadLayer(name="mean", kind="mean", inputs=["trunk"]),
        HeadLayer(name="logit", kind="conv", inputs=["mean"], limits=(-1e-6, 1e-6)),
    )
    design = HeadDesign(layers, {"logit.weights": np.full((1, 1, 12, 1), 1e6)})
    with pytest.raises(EdgeError, match="layer logit: its result's range is too small"):
        with_new_head(graph, "gate", design, pictures(4))


def test_what_is_joined_keeps_its_limits(graph: bytes):
    """A joined layer with limits, and a tensor of the graph, are converted: others are made in the joint steps."""
    layers = (
        HeadLayer(name="trunk", kind="tensor", tensor="trunk"),
        HeadLayer(name="one", kind="conv", inputs=["trunk"], limits=(-0.5, 0.5)),
        HeadLayer(name="two", kind="conv", inputs=["trunk"]),
        HeadLayer(name="joined", kind="concatenate", inputs=["one", "trunk", "two"]),
        HeadLayer(name="mean", kind="mean", inputs=["joined"]),
        HeadLayer(name="logit", kind="conv", inputs=["mean"]),
    )
    rng = np.random.default_rng(3)
    arrays = {"one.weights": rng.normal(0, 1, (1, 1, 12, 2)), "two.weights": rng.normal(0, 1, (1, 1, 12, 2))}
    arrays["logit.weights"] = rng.normal(0, 1, (1, 1, 16, 1))
    real = {n: steps.real(v) for n, (v, steps) in trunk_features(graph, ["trunk"], pictures(40)).items()}
    logits = run_head(HeadDesign(layers, arrays), real)["logit"]
    arrays["logit.weights"] /= logits.std()
    arrays["logit.bias"] = np.array([-logits.mean() / logits.std()])
    made = with_new_head(graph, "gate", HeadDesign(layers, arrays), pictures(40))
    assert made.floats.std() > 0.05
    assert made.mean_difference < 0.03
    kinds = [row[0] for row in contents(made.graph)]
    assert kinds.count(schema.BuiltinOperator.QUANTIZE) == 4 + 2
