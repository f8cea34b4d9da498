"""Cross-layer equalisation and weight rounding of a float graph, before it is quantised."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edge.contracts.errors import EdgeError
from export.quantisation.cross_layer_equalisation import CrossLayerEqualiser, equalise, peak_by_channel
from export.quantisation.graph_editor import GraphEditor, tensor_values
from export.quantisation.weight_rounding import round_rows, round_weights, rows_to_weights, weights_to_rows


def _small_graphs():
    """The neighbour of this file: tests are no package."""
    spec = importlib.util.spec_from_file_location("small_graphs", Path(__file__).with_name("small_graphs.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules["small_graphs"] = module
    spec.loader.exec_module(module)
    return module


_made = _small_graphs()
GraphMaker, small_network = _made.GraphMaker, _made.small_network


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    """Smooth, as pictures are: neighbours are nearly equal."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (12, 4, 4, 1)).repeat(4, axis=1).repeat(4, axis=2)
    return np.clip(coarse + rng.normal(0, 6, (12, 16, 16, 1)), 0, 255).repeat(3, axis=3).astype(np.uint8)


@pytest.fixture(scope="module")
def graph() -> bytes:
    return small_network()


def answers(graph: bytes, pictures: np.ndarray, tensor: int | None = None) -> np.ndarray:
    at = int(GraphEditor(graph).subgraph.outputs[0]) if tensor is None else tensor
    return np.stack([values[0] for values in tensor_values(graph, pictures, [at])])


def test_an_unchanged_graph_packs_to_the_same_function(graph, pictures):
    assert np.array_equal(answers(GraphEditor(graph).pack(), pictures), answers(graph, pictures))


def test_equalised_channels_are_as_loud_and_the_function_is_the_same(graph, pictures):
    after = equalise(graph, pictures)
    assert np.allclose(answers(after, pictures), answers(graph, pictures), rtol=1e-4, atol=1e-4)

    def spread(which: bytes, kind: str) -> float:
        editor = GraphEditor(which)
        tensor = next(int(op.outputs[0]) for op in editor.operators if editor.kind(op) == kind)
        peaks = peak_by_channel(which, pictures)[tensor]
        return float(peaks.max() / peaks.min())

    assert spread(graph, "ADD") > 15
    assert spread(after, "ADD") < spread(graph, "ADD") / 4


def test_no_strength_is_no_change(graph, pictures):
    assert np.array_equal(answers(equalise(graph, pictures, 0.0), pictures), answers(graph, pictures))


def test_ends_maps_and_clipped_channels_keep_their_meaning(graph, pictures):
    editor = GraphEditor(graph)
    peaks = peak_by_channel(graph, pictures)
    scales = CrossLayerEqualiser(editor).scales(peaks, 1.0)
    assert not editor.inputs_and_outputs() & scales.keys()
    by_kind = {editor.kind(op): op for op in editor.operators}
    add, mul = (int(by_kind[kind].outputs[0]) for kind in ("ADD", "MUL"))
    mean = int(by_kind["MEAN"].outputs[0])
    assert scales[add] is scales[mul] is scales[mean]  # one stream: summed, weighed, pooled
    assert int(by_kind["MUL"].inputs[1]) not in scales  # the map that weighs
    first = int(editor.operators[0].outputs[0])
    assert (scales[first] * peaks[first] <= 6.0 + 1e-6).all()  # ReLU6 clips nothing that it did not
    assert all((each >= 1).all() for each in scales.values())


def test_activations_that_no_scale_passes_through_keep_their_tensors(graph, pictures):
    """tanh(2 x) is not 2 tanh(x): unknown to the equaliser, it would be taken for a plain output."""
    editor = GraphEditor(graph)
    (deep,) = (op for op in editor.operators if editor.kind(op) == "DEPTHWISE_CONV_2D")
    deep.builtinOptions.fusedActivationFunction = schema.ActivationFunctionType.RELU
    assert int(deep.outputs[0]) in CrossLayerEqualiser(editor).scales(peak_by_channel(graph, pictures), 1.0)
    for activation in ("TANH", "RELU_N1_TO_1", "SIGN_BIT"):
        deep.builtinOptions.fusedActivationFunction = getattr(schema.ActivationFunctionType, activation)
        scales = CrossLayerEqualiser(editor).scales(peak_by_channel(graph, pictures), 1.0)
        assert int(deep.outputs[0]) not in scales
        assert int(deep.inputs[0]) in scales  # its weights take care of that


@pytest.mark.parametrize("dtype", ["int64", "float16", "bool", "uint32"])
def test_constants_of_any_number_are_read(dtype):
    make = GraphMaker()
    values = np.array([0, 1, 1], dtype)
    at = make.tensor((3,), [0.0, 0.0, 0.0])
    make.graph.tensors[at].type = getattr(schema.TensorType, dtype.upper())
    make.model.buffers[-1].data = np.frombuffer(values.tobytes(), np.uint8)
    assert GraphEditor(make.pack([at], [at])).constant(at).tolist() == values.tolist()


def test_a_constant_that_is_no_number_is_named():
    make = GraphMaker()
    at = make.tensor((3,), [0.0, 0.0, 0.0])
    make.graph.tensors[at].type = schema.TensorType.STRING
    with pytest.raises(EdgeError, match="the constant t0 has TFLite's type 5"):
        GraphEditor(make.pack([at], [at])).constant(at)


def test_rows_that_are_rounded_together_err_less_in_sum():
    rng = np.random.default_rng(1)
    rows = rng.normal(0.2, 0.3, (40, 25))
    covariance = 0.02 * np.eye(25)[None] + 1.0  # neighbours nearly equal
    scale = np.abs(rows).max(axis=1, keepdims=True) / 127
    nearest = np.rint(rows / scale) * scale
    chosen = round_rows(rows, covariance)

    def cost(q: np.ndarray) -> np.ndarray:
        return np.einsum("ok,kl,ol->o", rows - q, covariance[0], rows - q)

    assert (cost(chosen) <= cost(nearest) + 1e-15).all()
    assert cost(chosen).mean() < 0.4 * cost(nearest).mean()
    # Each is on its channel's grid, and the weight that sets the grid is still there: nothing rounds it again.
    assert np.allclose(chosen / scale, np.rint(chosen / scale), atol=1e-6)
    assert np.allclose(np.abs(chosen).max(axis=1), np.abs(rows).max(axis=1))
    each = round_rows(rows, np.repeat(covariance, 40, axis=0))
    assert np.allclose(each, chosen)


def test_zero_rows_stay_zero():
    assert not round_rows(np.zeros((2, 9)), np.eye(9)[None]).any()


@pytest.mark.parametrize("kind", ["CONV_2D", "DEPTHWISE_CONV_2D"])
def test_rows_go_back_where_they_came_from(kind):
    weights = np.arange(2 * 3 * 3 * 4, dtype=float).reshape((2, 3, 3, 4) if kind == "CONV_2D" else (1, 6, 3, 4))
    rows = weights_to_rows(weights, kind)
    assert len(rows) == (2 if kind == "CONV_2D" else 4)
    assert np.array_equal(rows_to_weights(rows, weights.shape, kind), weights)


def nearest(graph: bytes) -> bytes:
    """Every layer's weights rounded by themselves."""
    editor = GraphEditor(graph)
    for op in editor.operators:
        if editor.kind(op) in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            weights = editor.constant(int(op.inputs[1]))
            rows = weights_to_rows(weights, editor.kind(op))
            scale = np.abs(rows).max(axis=1, keepdims=True) / 127
            editor.set_constant(op, 1, rows_to_weights(np.rint(rows / scale) * scale, weights.shape, editor.kind(op)))
    return editor.pack()


def test_a_graph_with_weights_rounded_together_is_nearer_to_the_float_one(pictures):
    away = {"together": [], "nearest": []}
    for seed in range(3, 9):
        graph = small_network(seed)
        truth = answers(graph, pictures[6:])
        away["together"].append(np.abs(answers(round_weights(graph, pictures[:6]), pictures[6:]) - truth).mean())
        away["nearest"].append(np.abs(answers(nearest(graph), pictures[6:]) - truth).mean())
    assert np.mean(away["together"]) < 0.7 * np.mean(away["nearest"])  # on pictures that it was not fitted to
