"""The flatbuffer reader finds the same inputs and outputs as LiteRT does."""

from __future__ import annotations

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from edge.models.bundle import SHIPPED_BUNDLE, load_bundle
from edge.models.bundle_file import split_bundle
from edge.models.graph import read_graph


def test_as_litert_reads_it():
    graph = read_graph(split_bundle(SHIPPED_BUNDLE.read_bytes()).graph)
    interpreter = Interpreter(model_path=str(SHIPPED_BUNDLE))
    runner = interpreter.get_signature_runner()
    for ours, theirs in (
        (graph.inputs, runner.get_input_details()),
        (graph.outputs, runner.get_output_details()),
    ):
        assert {
            name: (spec.shape, np.dtype(spec.dtype), (spec.scale, spec.zero_point)) for name, spec in ours.items()
        } == {
            name: (tuple(detail["shape"]), np.dtype(detail["dtype"]), detail["quantization"])
            for name, detail in theirs.items()
        }
    first = interpreter.get_output_details()[0]["index"]
    assert runner.get_output_details()[graph.first_output]["index"] == first


def test_the_input_is_the_grey_value():
    spec = load_bundle().manifest.input
    assert (spec.dtype, spec.scale, spec.zero_point) == ("uint8", 1.0, 0)
