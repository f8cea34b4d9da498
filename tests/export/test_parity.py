"""Rows and tables of the parity report and of the number formats, without TensorFlow."""

from __future__ import annotations

import numpy as np

from edge.models.bundle import SHIPPED_BUNDLE, load_bundle
from edge.models.bundle_file import split_bundle
from export.number_formats import NumberFormatResult, formats_table, relative_times
from export.parity import ParityPlacement, ParityReport, parity_row, parity_tables
from export.predict import Predictions
from export.training_run import HeldOutPictures


def pictures() -> HeldOutPictures:
    masks = np.zeros((4, 8, 8), np.uint8)
    masks[:, 2:6, 2:6] = 1
    labels = np.array([0, 0, 1, 1], np.int8)
    names = np.array(["a", "b", "c", "d"])
    return HeldOutPictures(np.zeros((4, 8, 8, 3), np.uint8), masks, labels, names, names)


def said(p: list[float]) -> Predictions:
    return Predictions(np.array(p), pictures().masks.astype(np.float32), np.ones(4))


def test_a_row_holds_order_and_distance():
    floats = said([0.1, 0.4, 0.3, 0.9])
    row = parity_row("here", said([0.1, 0.2, 0.3, 0.8]), floats, pictures())
    assert (row.auc, row.dice, row.n) == (1.0, 1.0, 4)  # 0.2 < 0.3: what float had wrong
    assert parity_row("float", floats, floats, pictures()).auc == 0.75
    assert (row.dp_mean, row.dp_max) == (0.075, 0.2)
    report = ParityReport(
        model="m 1",
        sha256="0" * 64,
        rows=[row],
        placements=[ParityPlacement(accelerator="one", operators=0.5, macs=0.25, left={"SOFTMAX": 2})],
    )
    assert "0.0750" in parity_tables(report)
    assert "2 SOFTMAX" in parity_tables(report)
    assert "1,234" in formats_table([NumberFormatResult(format="int8", file="f", bytes=1234, time=1.0, row=row)])


def test_times_are_over_the_first_ones():
    graph = split_bundle(SHIPPED_BUNDLE.read_bytes()).graph
    found = relative_times({"int8": graph, "again": graph}, np.zeros(load_bundle().manifest.input.shape[1:], np.uint8))
    assert found["int8"] == 1.0
    assert found["again"] > 0
