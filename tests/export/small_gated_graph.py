"""A small int8 graph with three heads as the shipped one has them: a score, a map and a gate of one value."""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export.converted_graph import text, unpack_model
from export.head_replacement.head_design import HeadDesign, HeadLayer
from tests.export.small_int8_graphs import SIDE, SIX, UINT8, VALID, QuantisedMaker


def gated_graph(seed: int = 4) -> bytes:
    """Trunk (8 x 8 x 12); a map; a score that reads it; a gate that reads the trunk and a layer of the map."""
    make = QuantisedMaker(seed)
    image = make.quantised((1, SIDE, SIDE, 3), 1.0, dtype=UINT8)
    source = make.operator("QUANTIZE", [image], ((1, SIDE, SIDE, 3), 1.0, -128))
    first = make.plain(source, 8, kernel=3, stride=2, gain=0.02)
    trunk = make.plain(first, 12, stride=2, clipped=False)
    wide = make.plain(trunk, 10)
    gated = make.flat(make.deep(make.deep(make.plain(trunk, 7), (8, 1), VALID), (1, 8), VALID))
    shared = make.flat(make.deep(make.deep(wide, (8, 1), VALID), (1, 8), VALID))
    together = schema.ConcatenationOptionsT()
    together.axis = 1
    joined = make.operator("CONCATENATION", [gated, shared], ((1, 17), 0.03, -5), together, "ConcatenationOptions")
    gate = make.head(make.matrix(joined, 1, False), "LOGISTIC")
    mask = make.head(make.plain(make.plain(make.deep(wide, (3, 3), 0), 6), 1, clipped=False), "LOGISTIC")
    probability = int(make.graph.operators[-1].inputs[0])
    options = schema.MulOptionsT()
    weighed = make.operator(
        "MUL", [make.plain(trunk, 9), probability], ((1, 8, 8, 9), SIX, -128), options, "MulOptions"
    )
    pooled = make.flat(make.deep(make.deep(weighed, (8, 1), VALID), (1, 8), VALID))
    score = make.head(make.matrix(make.matrix(pooled, 7, True), 2, False), "SOFTMAX")
    for name, tensor in (("trunk", trunk), ("wide", wide), ("gated", gated)):
        make.graph.tensors[tensor].name = name.encode()
    make.name(image, {"score": score, "map": mask, "gate": gate})
    return make.pack([image], [score, mask, gate])


def small_design(seed: int = 1) -> HeadDesign:
    """A head with a layer of every kind, of what `gated_graph` has."""
    rng = np.random.default_rng(seed)
    layers = [
        HeadLayer(name="trunk", kind="tensor", tensor="trunk"),
        HeadLayer(name="wide", kind="tensor", tensor="wide"),
        HeadLayer(name="bands", kind="mean", inputs=["trunk"], bands=4),
        HeadLayer(name="mean", kind="mean", inputs=["wide"]),
        HeadLayer(name="mixed", kind="conv", inputs=["bands"], activation="relu6"),
        HeadLayer(name="look", kind="conv", inputs=["wide"], activation="relu"),
        HeadLayer(name="looks", kind="mean", inputs=["look"], activation="relu"),
        HeadLayer(name="one", kind="conv", inputs=["mean"]),
        HeadLayer(name="joined", kind="concatenate", inputs=["mixed", "looks"]),
        HeadLayer(name="two", kind="conv", inputs=["joined"], limits=(-4.0, 4.0)),
        HeadLayer(name="sum", kind="add", inputs=["one", "two"]),
        HeadLayer(name="product", kind="multiply", inputs=["one", "two"]),
        HeadLayer(name="largest", kind="maximum", inputs=["sum", "product"]),
        HeadLayer(name="least", kind="minimum", inputs=["largest", "one"]),
        HeadLayer(name="difference", kind="subtract", inputs=["largest", "least"], activation="relu6"),
        HeadLayer(name="logits", kind="conv", inputs=["difference"]),
        HeadLayer(name="logit", kind="conv", inputs=["logits"]),
    ]
    arrays = {
        "mixed.weights": rng.normal(0, 0.4, (4, 1, 12, 5)),
        "mixed.bias": rng.normal(0, 1, 5),
        "look.weights": rng.normal(0, 0.3, (3, 3, 10, 4)),
        "one.weights": rng.normal(0, 0.4, (1, 1, 10, 3)),
        "one.bias": rng.normal(0, 1, 3),
        "two.weights": rng.normal(0, 0.4, (1, 1, 9, 3)),
        "logits.weights": rng.normal(0, 1, (1, 1, 3, 2)),
        "logit.weights": rng.normal(0, 1.5, (1, 1, 2, 1)),
        "logit.bias": np.array([0.2]),
    }
    return HeadDesign(tuple(layers), arrays)


def pictures(count: int, seed: int = 0) -> np.ndarray:
    """Tensors (n, SIDE, SIDE, 3): noise, smooth to coarse, dark to bright."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (count, SIDE // 4, SIDE // 4, 3)).astype(np.float64)
    mixed = np.kron(small, np.ones((1, 4, 4, 1))) * rng.uniform(0.1, 1, (count, 1, 1, 1))
    noise = rng.normal(0, rng.uniform(0, 60, (count, 1, 1, 1)), (count, SIDE, SIDE, 3))
    return np.clip(mixed + noise, 0, 255).astype(np.uint8)


def contents(graph: bytes) -> list[tuple[object, ...]]:
    """What each operator of a graph is, by names and constants: numbers of tensors do not count."""
    model = unpack_model(graph)
    subgraph = model.subgraphs[0]

    def tensor(number: int) -> tuple[object, ...]:
        if number < 0:
            return ("none",)
        each = subgraph.tensors[number]
        data = model.buffers[each.buffer].data
        found = each.quantization
        steps = None if found is None or found.scale is None else (tuple(found.scale), tuple(found.zeroPoint))
        body = None if data is None else data.tobytes()
        return text(each.name), tuple(each.shape), int(each.type), steps, found and found.quantizedDimension, body

    rows = []
    for operator in subgraph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        options = None if operator.builtinOptions is None else tuple(sorted(vars(operator.builtinOptions).items()))
        ends = tuple(tuple(map(tensor, map(int, each))) for each in (operator.inputs, operator.outputs))
        rows.append((int(code.builtinCode), int(code.version), str(options), *ends))
    return rows
