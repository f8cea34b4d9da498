"""A tiny classifier that was adopted, for tests that only use one."""

from __future__ import annotations

import os

import pytest
from tiny_classifiers import LABELS, float_classifier

from edge.adopt.adopt import AdoptOptions, adopt


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    for key in list(os.environ):
        if key.startswith("EDGE_"):
            monkeypatch.delenv(key)


@pytest.fixture
def adopted(tmp_path):
    """The bundle of a float model with softmax."""
    (tmp_path / "own.tflite").write_bytes(float_classifier().bytes())
    options = AdoptOptions(labels=LABELS, input_range="0..1")
    return adopt(tmp_path / "own.tflite", tmp_path / "own.sono.tflite", options).bundle
