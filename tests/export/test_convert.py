"""Conversion of a tiny network to every number format, and to int8 with prepared weights. Needs TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest

HEADS = ("malignancy", "lesion_mask", "anatomy")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("default")  # TensorFlow's own
def test_every_format_is_the_same_model(make_run):
    pytest.importorskip("tensorflow", reason="needs pip install '.[export]' in the checkout")
    from edge.models.graph import read_graph
    from export.converted_graph import check_quantisation, order_outputs
    from export.predict import run_graph
    from export.quantisation.convert import FORMATS, convert, head_names, run_float
    from export.quantisation.full_integer import quantise_float
    from export.training_run import open_run

    run = open_run(make_run())
    model, tensors = run.path / "saved_model", run.test.tensors[:8]
    assert head_names(model) == sorted(HEADS)
    truth = run_float(model, tensors)
    whole = convert(model, run.representative)
    graph = order_outputs(quantise_float(whole, run.representative), HEADS)
    specs = check_quantisation(graph).outputs
    assert set(specs) == set(HEADS)
    said = run_graph(graph, tensors)
    for name in HEADS:
        assert np.abs(said[name] / 256 - truth[name]).max() < 0.06, name
    for kind in FORMATS:
        other = whole if kind == "float32" else convert(model, run.representative, kind)
        assert set(read_graph(other).outputs) == set(HEADS)
        for name, values in run_graph(other, tensors).items():
            assert np.abs(values - truth[name]).max() < (1e-4 if kind == "float32" else 0.03), (kind, name)
