"""Cross-validation of the breast model: five runs by fold, whose out-of-fold predictions are pooled; and one run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from edge.contracts.errors import ConfigError, UsageError
from training.augment.views import Views, load_fillings
from training.breast import protocol
from training.breast.finish_run import finish
from training.breast.loop import run_training
from training.datasets import FOLDS
from training.evaluation.evaluate import evaluate, write_metrics
from training.recipe import load_record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from training.datasets import Item
    from training.recipe import Recipe


def train_run(
    recipe: Recipe,
    items: Sequence[Item],
    data: Path,
    out: Path,
    cache: Path,
    log: Callable[[str], None],
    *,
    gate: bool = True,
) -> None:
    """Train one run by the recipe's protocol and write its files into ``out``; a finished run is left as it is.

    Raises UsageError where ``out`` is a finished run of another recipe or protocol: it may have learnt what this one
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
    sided = protocol.assign_splits(recipe.protocol, items)
    _check_fillings(recipe, sided)
    out.mkdir(parents=True, exist_ok=True)
    model = run_training(recipe, sided, Views(items, recipe, cache), out, log)
    finish(model, recipe, sided, data, out, log, gate=gate)


def _check_fillings(recipe: Recipe, items: Sequence[Item]) -> None:
    """Raise ConfigError where the generator of the recipe's fillings learnt from a test picture of this run."""
    fillings = load_fillings(recipe)
    seen = set() if fillings is None else {item.id for item in items if item.split == "test"} & fillings.learnt_from
    if seen:
        raise ConfigError(
            f"{recipe.mix.fillings}: its generator learnt from {len(seen)} test pictures of {recipe.protocol}, "
            f"{min(seen)} among them",
            hint=f"train the generator with --protocol {recipe.protocol}, and fill with it",
        )


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
    """Train all folds into ``out/fold-k``; pool their test predictions (``oof.npz``) and metrics (``metrics.json``)."""
    parts: list[dict[str, Any]] = []
    for fold in range(1, FOLDS + 1):
        place = out / f"fold-{fold}"
        train_run(msgspec.structs.replace(recipe, protocol=f"fold-{fold}"), items, data, place, cache, log, gate=gate)
        with np.load(place / "predictions.npz") as file:
            rows = {name: file[name][file["split"] == "test"] for name in file.files}
        parts.append({**rows, "fold": np.full(len(rows["ids"]), fold, np.int8)})
    pooled: dict[str, Any] = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    np.savez_compressed(out / "oof.npz", **pooled)
    figures = {}
    for source in sorted(set(pooled["sources"].tolist())):
        rows = pooled["sources"] == source
        figures[source] = evaluate({name: values[rows] for name, values in pooled.items()}, 0.0)
        for name, v in figures[source].items():
            log(f"{source:8} {name:16} {v['value']:.4f}  ({v['low']:.4f} to {v['high']:.4f}), n = {v['n']}")
    write_metrics(out / "metrics.json", figures)
