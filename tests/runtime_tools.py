"""What the tests of runtimes share: a model for each, tensors to compute, and another user to be for a while."""

from __future__ import annotations

import contextlib
import os

import numpy as np

from edge.contracts.tensors import Tensor, TensorSpec
from edge.models.bundle import load_bundle
from edge.models.scripted_manifest import scripted_manifest


def model_for(uri):
    """Path and manifest of what ``uri`` is to compute: the shipped bundle."""
    if uri.startswith("scripted"):
        return None, scripted_manifest()
    bundle = load_bundle()
    return str(bundle.path), bundle.manifest


def noise_tensor(spec: TensorSpec, seed: int = 0) -> Tensor:
    return Tensor(np.random.default_rng(seed).integers(0, 256, spec.shape, np.uint8), spec)


@contextlib.contextmanager
def as_unprivileged_user():
    """While inside, this process may not do what only root may."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
