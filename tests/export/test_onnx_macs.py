"""What a node of an ONNX file multiplies; the shipped model's sum is compared in tests/runtimes/test_onnx.py."""

from __future__ import annotations

import math

import pytest

onnx = pytest.importorskip("onnx")
h, FLOAT = onnx.helper, onnx.TensorProto.FLOAT


def model(node, source, weights, out):
    value = h.make_tensor("w", FLOAT, weights, bytes(4 * math.prod(weights)), raw=True)
    ends = [[h.make_tensor_value_info(name, FLOAT, shape)] for name, shape in (("x", source), ("y", out))]
    graph = h.make_graph([node], "small", *ends, [value])
    return h.make_model(graph, opset_imports=[h.make_opsetid("", 18)], ir_version=9)


@pytest.mark.parametrize(
    ("kind", "options", "source", "weights", "out", "expected"),
    [
        ("Conv", {}, (1, 3, 8, 8), (4, 3, 3, 3), (1, 4, 6, 6), 4 * 36 * 27),
        ("Conv", {"group": 4}, (1, 4, 8, 8), (4, 1, 3, 3), (1, 4, 6, 6), 4 * 36 * 9),
        ("ConvTranspose", {"strides": [2, 2]}, (1, 3, 4, 4), (3, 5, 2, 2), (1, 5, 8, 8), 3 * 16 * 5 * 4),
        ("Gemm", {}, (1, 7), (7, 2), (1, 2), 14),
        ("Gemm", {"transB": 1}, (1, 7), (2, 7), (1, 2), 14),
        ("MatMul", {}, (1, 7), (7, 2), (1, 2), 14),
        ("Add", {}, (1, 7), (7,), (1, 7), 0),
    ],
)
def test_multiply_accumulates_by_node(kind, options, source, weights, out, expected):
    from export.onnx_macs import macs_of

    node = h.make_node(kind, ["x", "w"], ["y"], name="it", **options)
    assert macs_of(model(node, source, weights, out)) == ({"it": expected} if expected else {})


def test_they_are_written_beside_what_the_file_says_already(tmp_path):
    from edge.runtimes.onnx_placement import MACS, read_node_macs
    from export.onnx_macs import write_macs

    made = model(h.make_node("MatMul", ["x", "w"], ["y"], name="it"), (1, 7), (7, 2), (1, 2))
    h.set_model_props(made, {"author": "nobody"})
    onnx.save(made, tmp_path / "m.onnx")
    write_macs(tmp_path / "m.onnx")
    said = {prop.key: prop.value for prop in onnx.load(tmp_path / "m.onnx").metadata_props}
    assert said["author"] == "nobody"
    assert set(said) == {"author", MACS}
    assert read_node_macs(said) == {"it": 14}
