"""Count multiply-accumulates (MACs) of an ONNX graph and write them into its file.

ONNX Runtime says who computes a node, not how much.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import onnx

from edge.runtimes.onnx_placement import MACS

if TYPE_CHECKING:
    from pathlib import Path


def write_macs(path: Path) -> None:
    """Write the MACs of each node into the metadata of an ONNX file, where the device's ONNX runtime reads them."""
    model = onnx.load(path)
    onnx.helper.set_model_props(
        model, {prop.key: prop.value for prop in model.metadata_props} | {MACS: json.dumps(macs_of(model))}
    )
    onnx.save(model, path)


def macs_of(model: onnx.ModelProto) -> dict[str, int]:
    """MACs of one picture by the name of the node, of all nodes that multiply by weights; an unknown shape counts 0."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    shapes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    for value in (*graph.input, *graph.output, *graph.value_info):
        shapes[value.name] = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
    found = {node.name: _macs(node, shapes) for node in graph.node}
    return {name: macs for name, macs in found.items() if macs}


def _macs(node: Any, shapes: dict[str, list[int]]) -> int:
    place = {"Conv": 1, "ConvTranspose": 1, "Gemm": 1, "MatMul": 1, "QLinearConv": 3, "QLinearMatMul": 3}.get(
        node.op_type
    )
    if place is None:
        return 0
    source, weights, out = (shapes.get(name, []) for name in (node.input[0], node.input[place], node.output[0]))
    if not source or not weights or not out:
        return 0
    if node.op_type == "ConvTranspose":
        return math.prod(source) * math.prod(weights[1:])
    if "Conv" in node.op_type:
        return math.prod(out) * math.prod(weights[1:])
    transposed = any(each.name == "transB" and each.i for each in node.attribute)
    return math.prod(out) * weights[-1 if transposed else -2]
