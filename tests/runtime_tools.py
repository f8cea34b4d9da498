"""Helpers of the runtimes' tests: a model for a runtime URI, noise tensors, running as an unprivileged user."""

from __future__ import annotations

import contextlib
import os

import numpy as np

from edge.contracts.tensors import Tensor, TensorSpec
from edge.models.bundle import load_bundle
from edge.models.scripted_manifest import scripted_manifest


def model_for(uri):
    """Path and manifest of the model for ``uri``: the shipped bundle; no path for ``scripted://``."""
    if uri.startswith("scripted"):
        return None, scripted_manifest()
    bundle = load_bundle()
    return str(bundle.path), bundle.manifest


def noise_tensor(spec: TensorSpec, seed: int = 0) -> Tensor:
    """Uniform uint8 noise of the spec's shape."""
    return Tensor(np.random.default_rng(seed).integers(0, 256, spec.shape, np.uint8), spec)


@contextlib.contextmanager
def as_unprivileged_user():
    """Context manager: this process runs as user nobody, where it was root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
