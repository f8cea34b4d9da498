"""Read the files that a new anatomy head comes with: pictures, figures, limits, data sets."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import msgspec
import numpy as np

from edge.contracts.errors import UsageError
from edge.contracts.manifest import DataSource
from export.array_files import read_arrays
from export.model_card import anatomy_gate_metrics

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.contracts.manifest import Metric

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class DataSection(msgspec.Struct, frozen=True):
    """Data sets of a training recipe; the rest of it is not looked at."""

    data: list[DataSource]


class FileFigures(msgspec.Struct, frozen=True):
    """Figures of a file of another organ: its frames, and those that the gate lets through."""

    family: Annotated[str, msgspec.Meta(min_length=1)]
    frames: Annotated[int, msgspec.Meta(ge=1)]
    passed: Annotated[int, msgspec.Meta(ge=0)]
    passed_stated: Annotated[int, msgspec.Meta(ge=0)] | None = None
    """Those let through where configuration or DICOM says that it is the model's body part; None: not measured."""


class GateFigures(msgspec.Struct, frozen=True):
    """Figures of the anatomy gate in ``metrics.json``, by file."""

    files: Annotated[dict[str, FileFigures], msgspec.Meta(min_length=1)]


class GateMetricsFile(msgspec.Struct, frozen=True):
    """Content of ``metrics.json``, as far as the gate goes."""

    gate: GateFigures


def read_tensors(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Input tensors (n, *shape) uint8 of an ``.npz``. Raises UsageError if it has none of this shape."""
    hint = "an .npz of np.savez(path, tensors=…)"
    arrays = read_arrays(path, "file of pictures", hint)
    if "tensors" not in arrays:
        raise UsageError(f"{path} is no file of pictures: it has no tensors", hint=hint)
    tensors = arrays["tensors"]
    if tensors.dtype != np.uint8 or tensors.shape[1:] != shape or not len(tensors):
        raise UsageError(
            f"{path}: expected tensors (n, {', '.join(map(str, shape))}) uint8, got {tensors.shape} {tensors.dtype}",
            hint="make them with the bundle's own preprocessing",
        )
    return tensors


def read_limits(anatomy: float | None, stated: float | None, known: Path | None) -> tuple[float, float | None] | None:
    """Limits as given on a command line; None: they are chosen on known pictures. Raises UsageError for half of it."""
    if (anatomy is None) == (known is None):
        raise UsageError("expected either --anatomy or --known", hint="one of them sets the limit of the new head")
    if anatomy is None:
        if stated is not None:
            raise UsageError("--anatomy-stated needs --anatomy", hint="with --known both limits are chosen")
        return None
    if not 0 < anatomy < 1 or (stated is not None and not 0 < stated <= anatomy):
        raise UsageError(f"limits {anatomy} and {stated}: expected 0 < stated <= anatomy < 1", hint="they are shares")
    return anatomy, stated


def read_gate_metrics(path: Path) -> list[Metric]:
    """What training measured of the gate by file of another organ, from a ``metrics.json``.

    Raises UsageError where it has none.
    """
    hint = "a metrics.json with gate.files, as python -m training gate writes it"
    try:
        found = msgspec.json.decode(path.read_bytes(), type=GateMetricsFile)
    except (OSError, UnicodeDecodeError, msgspec.DecodeError, RecursionError) as error:
        raise UsageError(f"{path} holds no figure of the gate: {error}", hint=hint) from error
    files = found.gate.files.items()
    if wrong := [name for name, each in files if max(each.passed, each.passed_stated or 0) > each.frames]:
        raise UsageError(f"{path} lets through more frames than there are: {', '.join(wrong)}", hint=hint)
    return anatomy_gate_metrics(msgspec.to_builtins(found))


def read_data_sources(path: Path) -> list[DataSource]:
    """Data sets that a recipe names. Raises UsageError where it names none."""
    try:
        found = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), DataSection).data
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise UsageError(f"{path} names no data sets: {error}", hint="training/recipes/breast.toml does") from error
    if not found:
        raise UsageError(f"{path} names no data sets", hint="training/recipes/breast.toml does")
    return found
