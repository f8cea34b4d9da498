"""Reading of a clip run's folder, for export: record, network, and sequences of features."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from edge.contracts.clip_model import FEATURES
from edge.contracts.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HINT = "make one with: python -m training run --recipe clip --data DIR --out runs/<id>"
ARRAYS = ("U", "V", "W", "b", "c", "d")


class ClipExportRecipe(msgspec.Struct, frozen=True, kw_only=True):
    """What export needs of a clip recipe."""

    name: str
    model: str = ""
    decides: tuple[str, ...] = ()


class ClipRunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Record of a clip run, its ``recipe.toml``."""

    recipe: ClipExportRecipe
    created: str
    git_revision: str
    classes: list[str]
    frame_model_sha256: str
    new_from: float | None = None
    method: str = ""


@dataclass(frozen=True, eq=False)
class ClipRun:
    """A clip run, read from its folder."""

    path: Path
    record: ClipRunRecord
    weights: dict[str, NDArray[np.float32]]
    x: NDArray[np.float32]
    """(n, steps, 7) features of training clips."""
    lengths: NDArray[np.int_]
    """(n,) how many steps of each count."""


def is_clip_run(path: Path) -> bool:
    """Whether a folder holds the run of a clip recipe."""
    try:
        record = tomllib.loads((path / "recipe.toml").read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return False  # who opens it next says what is wrong
    return bool(record.get("recipe", {}).get("kind") == "clip")


def open_clip_run(path: Path) -> ClipRun:
    """Read a clip run. Raises UsageError, naming what is missing or of another shape."""
    for name in ("recipe.toml", "weights.npz", "sequences.npz"):
        if not (path / name).is_file():
            raise UsageError(f"{path} is not a finished clip run: it has no {name}", hint=HINT)
    try:
        record = msgspec.convert(tomllib.loads((path / "recipe.toml").read_text(encoding="utf-8")), ClipRunRecord)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise UsageError(f"{path / 'recipe.toml'}: {error}", hint=HINT) from error
    with np.load(path / "weights.npz") as file:
        weights: dict[str, Any] = {name: file[name] for name in file.files}
    with np.load(path / "sequences.npz") as file:
        x, lengths = file["x"], file["length"]
    if tuple(sorted(weights)) != ARRAYS or x.ndim != 3 or x.shape[2] != len(FEATURES) or len(x) != len(lengths):
        raise UsageError(f"{path}: weights {sorted(weights)} and sequences {x.shape} are of another version", hint=HINT)
    return ClipRun(path, record, weights, x, lengths)
