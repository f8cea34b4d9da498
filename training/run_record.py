"""Write a finished run's ``recipe.toml``: the recipe, and the git revision that it was trained at; what to do next."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import msgspec
import tomli_w

if TYPE_CHECKING:
    from pathlib import Path

    from training.recipe import RecipeSection


def write_record(run: Path, record: RecipeSection) -> None:
    """Write ``recipe.toml`` into a run's folder; `training.recipe.load_record` and its like read the same values back.

    TOML has no null: what is None is left out, and is None again when it is read.
    """
    tree = _without_none(msgspec.to_builtins(record))
    (run / "recipe.toml").write_text(tomli_w.dumps(tree), encoding="utf-8")


def next_commands(run: Path, bundle: bool = True) -> str:
    """Commands to paste after a run has ended. ``bundle``: whether it can become one."""
    place = shlex.quote(str(run))
    lines = [f"python -m training report {place} --out {shlex.quote(str(run / 'report'))}"]
    if bundle:
        lines.append(f"python -m export bundle {place} --out {shlex.quote(str(run / 'model.tflite'))}")
    return "next: " + "\n      ".join(lines)


def fold_place(number: int, folds: int) -> str:
    """Name of the folder of one of ``folds`` folds in that of its run."""
    return f"fold-{number}-of-{folds}"


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(each) for key, each in value.items() if each is not None}
    return [_without_none(each) for each in value] if isinstance(value, (list, tuple)) else value
