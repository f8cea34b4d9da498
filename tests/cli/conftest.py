"""Settings that tests of the command line share."""

from __future__ import annotations

import os

import pytest


@pytest.fixture
def scripted_runtime(monkeypatch):
    """No model is needed to see how files are answered: this runtime finds one lesion in every picture."""
    for key in list(os.environ):
        if key.startswith("EDGE_"):
            monkeypatch.delenv(key)
    monkeypatch.setenv("EDGE_RUNTIME__URI", "scripted://")
