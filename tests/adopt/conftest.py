"""Tiny models that were adopted, for tests that only use one."""

from __future__ import annotations

import os

import pytest
from tiny_classifiers import LABELS, float_classifier
from tiny_segmenters import LABELS as AREAS
from tiny_segmenters import float_segmenter

from edge.adopt.adopt import AdoptOptions, adopt
from edge.plugins import make_runtime


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    for key in list(os.environ):
        if key.startswith("EDGE_"):
            monkeypatch.delenv(key)


@pytest.fixture
def in_process(monkeypatch):
    """The model is run in this process: a child for each would take most of the tests' time."""
    monkeypatch.setattr("edge.adopt.computed_cases.IsolatedRuntime", make_runtime)


@pytest.fixture(scope="session")
def adopted(tmp_path_factory):
    """The bundle of a float model with softmax, in a folder of its own."""
    folder = tmp_path_factory.mktemp("adopted")
    (folder / "own.tflite").write_bytes(float_classifier().bytes())
    options = AdoptOptions(labels=LABELS, input_range="0..1")
    return adopt(folder / "own.tflite", folder / "own.sono.tflite", options).bundle


@pytest.fixture(scope="session")
def segmenter(tmp_path_factory):
    """The bundle of a float network that outlines what is bright, in a folder of its own; empty means clear."""
    folder = tmp_path_factory.mktemp("segmenter")
    (folder / "own.tflite").write_bytes(float_segmenter(side=128, stride=2).bytes())
    options = AdoptOptions(labels=AREAS, input_range="0..1", clear_label="empty")
    return adopt(folder / "own.tflite", folder / "own.sono.tflite", options).bundle
