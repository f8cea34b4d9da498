"""Settings that tests of the command line share."""

from __future__ import annotations

import os

import msgspec
import pytest

from edge.models.scripted_manifest import scripted_manifest


@pytest.fixture
def scripted_runtime(monkeypatch):
    """No model is needed to see how files are answered: this runtime finds one lesion in every picture."""
    for key in list(os.environ):
        if key.startswith("EDGE_"):
            monkeypatch.delenv(key)
    monkeypatch.setenv("EDGE_RUNTIME__URI", "scripted://")


@pytest.fixture
def uncertain_calls(scripted_runtime, monkeypatch):
    """The same runtime with a manifest whose interval of uncertain values holds its malignancy of 0.8."""
    manifest = scripted_manifest()
    limits = msgspec.structs.replace(manifest.thresholds, uncertain=(0.7, 0.9))
    manifest = msgspec.structs.replace(manifest, thresholds=limits)
    monkeypatch.setattr("edge.app.compose.scripted_manifest", lambda: manifest)
