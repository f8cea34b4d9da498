"""One run, and five of them: each fold learns from the others, and what all say of what they never saw is pooled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from edge.contracts.errors import UsageError
from training.augment.views import Views
from training.breast import protocol
from training.breast.finish_run import finish
from training.breast.loop import run_training
from training.datasets import FOLDS
from training.evaluation.evaluate import judge, write_metrics
from training.recipe import load_record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from training.datasets import Item
    from training.recipe import Recipe


def train_one(
    recipe: Recipe,
    items: Sequence[Item],
    data: Path,
    out: Path,
    cache: Path,
    log: Callable[[str], None],
    *,
    gate: bool = True,
) -> None:
    """Train by the recipe's protocol and write the hand-over into ``out``; a whole run is left as it is.

    Raises UsageError where ``out`` is a whole run of another recipe or protocol: it may have learnt what this one
    holds back.
    """
    if (out / "recipe.toml").is_file():
        made_by = load_record(out).recipe
        # How the sets are described may have been worded anew since.
        differs = [
            name
            for name in made_by.__struct_fields__
            if name != "data" and getattr(made_by, name) != getattr(recipe, name)
        ]
        if differs:
            raise UsageError(
                f"{out} is a whole run, made with another {', '.join(differs)}",
                hint="give another --out, or the options that it was made with",
            )
        log(f"{out} is a whole run")
        return
    sided = protocol.apply(recipe.protocol, items)
    out.mkdir(parents=True, exist_ok=True)
    model = run_training(recipe, sided, Views(items, recipe, cache), out, log)
    finish(model, recipe, sided, data, out, log, gate=gate)


def cross_validate(
    recipe: Recipe,
    items: Sequence[Item],
    data: Path,
    out: Path,
    cache: Path,
    log: Callable[[str], None],
    *,
    gate: bool = False,
) -> None:
    """All folds into ``out/fold-k``, their test rows into ``out/oof.npz``, the figures into ``metrics.json``."""
    parts = []
    for fold in range(1, FOLDS + 1):
        place = out / f"fold-{fold}"
        train_one(msgspec.structs.replace(recipe, protocol=f"fold-{fold}"), items, data, place, cache, log, gate=gate)
        with np.load(place / "predictions.npz") as file:
            rows = {name: file[name][file["split"] == "test"] for name in file.files}
        parts.append({**rows, "fold": np.full(len(rows["ids"]), fold, np.int8)})
    pooled = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    np.savez_compressed(out / "oof.npz", **pooled)
    figures = {}
    for source in sorted(set(pooled["sources"].tolist())):
        rows = pooled["sources"] == source
        figures[source] = judge({name: values[rows] for name, values in pooled.items()}, 0.0)
        for name, v in figures[source].items():
            log(f"{source:8} {name:16} {v['value']:.4f}  ({v['low']:.4f} to {v['high']:.4f}), n = {v['n']}")
    write_metrics(out / "metrics.json", figures)
