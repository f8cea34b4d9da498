"""Files that the folder of every training run has, whatever it trained: read and checked in one way.

recipe.toml          what it was made of and when
saved_model/         the float model
representative.npz   tensors uint8: training pictures after preprocessing, for the ranges of quantisation
eval.npz             pictures never trained on
metrics.json         what training measured, where the run kept it
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import numpy as np

from edge.contracts.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.contracts.manifest import PreprocessRecipe
    from edge.models.bundle import Bundle

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

NEEDED = ("recipe.toml", "saved_model", "representative.npz", "eval.npz")
Record = TypeVar("Record")


def read_record(path: Path, kind: type[Record], hint: str) -> Record:
    """Record of the run, its ``recipe.toml``. Raises UsageError where a file is missing or the record is another's."""
    for name in NEEDED:
        if not (path / name).exists():
            raise UsageError(f"{path} is not a finished run: it has no {name}", hint=hint)
    try:
        return msgspec.convert(tomllib.loads((path / "recipe.toml").read_text(encoding="utf-8")), kind)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise UsageError(f"{path / 'recipe.toml'}: {error}", hint=hint) from error


def read_representative(path: Path, recipe: PreprocessRecipe, hint: str) -> NDArray[np.uint8]:
    """Training pictures (n, height, width, channels) uint8 of the run. Raises UsageError for another shape."""
    shape = (recipe.height, recipe.width, recipe.channels)
    with np.load(path / "representative.npz") as file:
        tensors: NDArray[np.uint8] = file["tensors"]
    if tensors.dtype != np.uint8 or tensors.shape[1:] != shape:
        raise UsageError(
            f"expected representative tensors (n, {shape}) uint8, got {tensors.shape} {tensors.dtype}", hint=hint
        )
    return tensors


def read_metrics(path: Path) -> dict[str, Any]:
    """Metrics that training wrote to ``metrics.json``; empty where there is none."""
    file = path / "metrics.json"
    loaded: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return loaded


def check_patients_apart(val: NDArray[np.str_], test: NDArray[np.str_], hint: str) -> None:
    """Raise UsageError where a patient stands in ``val`` (n,), by which limits are chosen, and in ``test`` (m,)."""
    shared = set(val.tolist()) & set(test.tolist())
    if shared:
        raise UsageError(f"{len(shared)} patients stand in val and in test, {min(shared)} among them", hint=hint)


def check_made_from(loaded: Bundle, run: Path, created: str) -> None:
    """Raise UsageError where a bundle was made of another run than that at ``run``, which was ``created`` then."""
    if created != loaded.manifest.created:
        raise UsageError(
            f"the bundle was made of a run of {loaded.manifest.created}, {run} is of {created}",
            hint="give the run that the bundle was made from",
        )
