"""Evaluation of a run's predictions: which data sets the presence metric is about."""

from __future__ import annotations

import numpy as np
import pytest
from fake_predictions import columns

from training.evaluation.evaluate import evaluate, in_mixed_sources
from training.evaluation.metrics import auc


def test_presence_is_judged_within_data_sets_that_hold_both_kinds():
    rows = columns(patients=30)
    rows["lesion"][rows["sources"] == "BUS-BRA"] = 255  # all have a lesion there: the set alone would tell
    mine = rows["sources"] == "BUSI"
    rows["lesion"][mine & (rows["labels"] >= 0)] //= 3
    found = evaluate(rows, 0.5)["presence_auc"]
    peak = rows["lesion"].max(axis=(1, 2))
    there = (rows["labels"] >= 0).astype(int)
    assert found["n"] == mine.sum() < len(mine)
    assert found["value"] == pytest.approx(auc(there[mine], peak[mine]))
    assert found["value"] < auc(there, peak)


def test_without_such_a_set_there_is_no_figure():
    rows = columns(patients=30)
    rows["sources"] = np.where(rows["labels"] >= 0, "lesions", "none")
    assert not in_mixed_sources(rows["sources"], rows["labels"] >= 0).any()
    assert "presence_auc" not in evaluate(rows, 0.5)
