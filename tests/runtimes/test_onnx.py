"""ONNX Runtime: the same model as ONNX, on a named execution provider, all of it or none; and its placement."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from runtime_tools import model_for

from edge.contracts.errors import DeviceError, ModelError, UsageError
from edge.models.bundle import load_bundle
from edge.models.delegate_placement import describe_placement
from edge.models.operators import read_operators
from edge.pipeline.selftest import run_selftest
from edge.plugins import make_runtime
from edge.runtimes.isolated import IsolatedRuntime
from edge.runtimes.onnx_placement import MACS, provider_placement


def make(file, options=""):
    return make_runtime(f"onnx://?model={file}{options}", *model_for("onnx://"))


def test_it_passes_the_golden_vectors_and_rounds_otherwise(onnx_file):
    pytest.importorskip("onnxruntime")
    runtime = make(onnx_file)
    assert (runtime.spec.name, runtime.spec.family, runtime.spec.delegate) == ("onnx", "onnx", None)
    placed = runtime.spec.placement
    assert (placed.delegated_ops, placed.delegated_macs, placed.by) == (0, 0, {})  # plain kernels are no delegate's
    assert placed.left["Conv"] > 10
    assert placed.macs == sum(operator.macs for operator in read_operators(load_bundle().path.read_bytes()))
    report = run_selftest(load_bundle(), runtime)
    assert report.ok, report.problems
    assert max(report.worst.values()) > 0
    runtime.close()


def test_it_lies_beside_the_bundle_if_it_is_not_named(onnx_file, tmp_path):
    pytest.importorskip("onnxruntime")
    bundle = load_bundle()
    (tmp_path / "m.tflite").write_bytes(bundle.path.read_bytes())
    (tmp_path / "m.onnx").symlink_to(onnx_file)
    make_runtime("onnx://", str(tmp_path / "m.tflite"), bundle.manifest).close()


@pytest.mark.parametrize("isolated", [False, True])
def test_a_file_that_is_missing_is_said_with_how_to_make_one(tmp_path, isolated):
    maker = IsolatedRuntime if isolated else make_runtime
    with pytest.raises(ModelError, match="no ONNX file") as caught:
        maker(f"onnx://?model={tmp_path}/none.onnx", *model_for("onnx://"))
    assert "python -m export onnx" in caught.value.hint


def test_a_file_that_is_no_onnx_is_refused(tmp_path):
    pytest.importorskip("onnxruntime")
    file = tmp_path / "m.onnx"
    file.write_bytes(b"not a model")
    with pytest.raises(ModelError, match=r"ONNX Runtime refuses m\.onnx") as caught:
        make(file)
    assert "\n" not in caught.value.message


def test_a_provider_that_this_build_has_not_is_said_and_not_replaced_by_the_cpu(tmp_path):
    pytest.importorskip("onnxruntime")
    file = tmp_path / "m.onnx"
    file.touch()
    with pytest.raises(DeviceError, match="this ONNX Runtime has no CUDAExecutionProvider"):
        make(file, "&provider=CUDAExecutionProvider")
    with pytest.raises(UsageError, match="no provider 'cuda'"):
        make(file, "&provider=cuda")


def test_a_provider_that_takes_only_a_part_is_refused_unless_that_is_allowed(onnx_file):
    ort = pytest.importorskip("onnxruntime")
    azure = "AzureExecutionProvider"  # computes in a cloud: it takes nothing of a model, and never asks for anything
    if azure not in ort.get_available_providers():
        pytest.skip(f"this ONNX Runtime has no {azure}")
    with pytest.raises(DeviceError, match="takes only a part"):
        make(onnx_file, f"&provider={azure}")
    allowed = make(onnx_file, f"&provider={azure}&partial=1")
    assert allowed.spec.delegate is None
    assert allowed.spec.placement.delegated_ops == 0
    assert run_selftest(load_bundle(), allowed).ok
    allowed.close()


class PlacedSession:
    """Says of nodes who computes them, as ONNX Runtime does: pieces of a provider, each with its nodes."""

    def __init__(self, *pieces, macs=None):
        self._pieces = [
            SimpleNamespace(ep_name=who, get_nodes=lambda nodes=nodes: [SimpleNamespace(**node) for node in nodes])
            for who, nodes in pieces
        ]
        self._metadata = {} if macs is None else {MACS: macs}

    def get_provider_graph_assignment_info(self):
        return self._pieces

    def get_modelmeta(self):
        return SimpleNamespace(custom_metadata_map=self._metadata)


def node(kind, name=""):
    return {"name": name, "op_type": kind, "domain": ""}


def test_a_provider_that_compiles_tells_its_pieces_and_its_share_of_the_work():
    session = PlacedSession(
        ("ChipExecutionProvider", [node("Conv", "a"), node("Clip")]),
        ("CPUExecutionProvider", [node("Conv", "b")]),
        ("CPUExecutionProvider", [node("Softmax")]),
        ("ChipExecutionProvider", [node("Gemm", "c")]),
        macs='{"a": 600, "b": 300, "c": 100}',
    )
    placed = provider_placement(session, "ChipExecutionProvider", "chip")
    assert (placed.ops, placed.delegated_ops, placed.partitions) == (5, 3, 2)
    assert (placed.macs, placed.delegated_macs) == (1000, 700)
    assert (placed.left, placed.by) == ({"Conv": 1, "Softmax": 1}, {"chip": 3})


def test_a_provider_with_a_kernel_for_each_node_does_not_tell_its_pieces():
    session = PlacedSession(("ChipExecutionProvider", [node("Conv", "a")]), ("ChipExecutionProvider", [node("Clip")]))
    placed = provider_placement(session, "ChipExecutionProvider", "chip")
    assert (placed.ops, placed.delegated_ops, placed.partitions) == (2, 2, None)


@pytest.mark.parametrize("macs", [None, "not JSON", "[1]", '{"a": "many"}', '{"a": -1}'])
def test_a_file_that_does_not_say_what_its_nodes_compute_leaves_only_the_share_untold(macs):
    placed = provider_placement(PlacedSession(("X", [node("Conv", "a")]), macs=macs), "X", "x")
    assert (placed.delegated_ops, placed.macs, placed.delegated_macs) == (1, 0, 0)
    assert "MACs" not in describe_placement(placed)


def test_a_version_that_cannot_say_who_computes_leaves_it_untold():
    assert provider_placement(object(), "X", "x") is None


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"output": "other"}, "no output malignancy"),
        ({"shape": (1, 3)}, r"expected malignancy \(1, 2\) uint8 in the ONNX file, got \(1, 3\) uint8"),
        ({"kind": "FLOAT"}, r"expected malignancy \(1, 2\) uint8 in the ONNX file, got \(1, 2\) float32"),
    ],
)
def test_heads_are_matched_by_name_shape_and_type(tmp_path, change, expected):
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx", reason="a small model is built with onnx")
    with pytest.raises(ModelError, match=expected):
        make(small_model(onnx, tmp_path / "small.onnx", **change))


def small_model(onnx, file, output="malignancy", shape=(1, 2), kind="UINT8"):
    """Constants for all heads, ``malignancy`` as asked for."""
    helper, manifest = onnx.helper, load_bundle().manifest
    heads = {name: (head.tensor.shape, "UINT8") for name, head in manifest.heads.items() if name != "malignancy"}
    heads[output] = (shape, kind)
    nodes, outputs = [], []
    for name, (dims, type_name) in heads.items():
        number = getattr(onnx.TensorProto, type_name)
        zeros = np.zeros(dims, np.float32 if type_name == "FLOAT" else np.uint8)
        value = helper.make_tensor(f"{name}_value", number, dims, zeros.tobytes(), raw=True)
        nodes.append(helper.make_node("Constant", [], [name], value=value))
        outputs.append(helper.make_tensor_value_info(name, number, dims))
    source = helper.make_tensor_value_info("image", onnx.TensorProto.UINT8, manifest.input.shape)
    graph = helper.make_graph(nodes, "small", [source], outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, file)
    return file
