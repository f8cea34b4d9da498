"""Checks shared by all runtimes that load a model: is there one, does it match the manifest and the tensor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.contracts.errors import ModelError
from edge.models.bundle_file import seal_model

if TYPE_CHECKING:
    from edge.contracts.manifest import BundleManifest
    from edge.contracts.tensors import RuntimeSpec, Tensor
    from edge.process.sealed_file import SealedFile


def require_model(scheme: str, model_path: str | None) -> SealedFile:
    """Return the model's bytes: those that were checked; of a bare path, those that are there now, read once.

    Raises `ModelError` if the runtime ``scheme`` was given no model, or it cannot be read.
    """
    if model_path is None:
        raise ModelError(f"{scheme}:// needs a model", hint="give --model FILE, or use scripted:// without one")
    return seal_model(model_path)


def expect_manifest(spec: RuntimeSpec, manifest: BundleManifest) -> None:
    """Raise `ModelError` unless what the runtime loaded has the input and heads that the manifest names."""
    if spec.input != manifest.input:
        raise ModelError(
            f"the manifest says input {manifest.input}, the model has {spec.input}",
            hint="the bundle is inconsistent: export it anew",
        )
    for name, head in manifest.heads.items():
        got = spec.outputs.get(name)
        if got != head.tensor:
            raise ModelError(
                f"the manifest says head {name} {head.tensor}, the model has {got or sorted(spec.outputs)}",
                hint="the bundle is inconsistent: export it anew",
            )


def expect_tensor(tensor: Tensor, spec: RuntimeSpec) -> None:
    """Raise ValueError unless ``tensor`` has the shape and dtype of the runtime's input."""
    if tensor.spec.shape != spec.input.shape or tensor.spec.dtype != spec.input.dtype:
        raise ValueError(f"expected {spec.input}, got {tensor.spec}")


def thread_count(text: str) -> int:
    """Convert the parameter ``threads`` of a URI, for `Uri.get`. Raises ValueError under 1."""
    if (number := int(text)) < 1:
        raise ValueError(f"{number} threads")
    return number


def first_line(error: Exception) -> str:
    """First line of a library's error message, or the error's type if it has none."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
