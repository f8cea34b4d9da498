"""Work of ``training gate``: examples, features of the bundle's graph, fit and figures, and the files for export."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.contracts.errors import UsageError
from edge.models.bundle import load_bundle
from edge.models.bundle_file import split_bundle
from edge.preprocess.preprocessor import Preprocessor
from training.datasets import load_breast_sets
from training.evaluation.gate_evaluation import refit_gate
from training.evaluation.gate_pictures import AS_IT_IS, breasts, other_organs
from training.evaluation.gate_scores import write_gate_scores
from training.gate import file_negatives
from training.gate.bundle_features import BundleFeatures
from training.gate.examples import examples
from training.gate.fit_stage import METHOD
from training.gate.head_file import write_head
from training.gate.representative import representative
from training.recipe import load_recipe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def make_gate(bundle: Path, data: Path, out: Path | None, recipe_name: str, log: Callable[[str], None]) -> None:
    """Fit and judge a gate for ``bundle``; print the figures, and write the files of ``export regate`` into ``out``.

    gate.npz: the head's layers. representative.npz: ``tensors``. metrics.json: limits, and figures by file.
    scores.npz: of each breast as it is, for ``--gate`` of ``training report`` and its like; bent.npz: of each bent one,
    and its tensor, for ``training bent``.
    """
    recipe = load_recipe(recipe_name)
    loaded = load_bundle(bundle)
    recipe = replace_preprocess(recipe, loaded.lesion_manifest.recipe)
    preprocess = Preprocessor(recipe.preprocess)
    items = [replace(item, split="train") for item in load_breast_sets(data)]
    check_count(len(items), recipe.gate.refusals)
    files = file_negatives.from_files(data, log)
    features = BundleFeatures(split_bundle(loaded.model_bytes).graph)
    learnt = examples(items, files, recipe)
    log(f"{len(learnt.wanted)} examples of {len(set(learnt.families.tolist()))} families")
    known, organs = breasts(items, preprocess, recipe.seed), other_organs(files, preprocess, recipe.seed)
    made = refit_gate(
        (learnt, features(learnt.tensors)),
        (known, features(known.tensors)),
        (organs, features(organs.tensors)),
        recipe.gate,
        log,
    )
    for line in made.lines:
        log(line)
    log(f"accepted from {made.limits[0]:.4f}; where breast is stated, from {made.limits[1]:.4f}")
    if out is None:
        return
    out.mkdir(parents=True, exist_ok=True)
    write_head(made.gate, features.names, out / "gate.npz")
    np.savez_compressed(out / "representative.npz", tensors=representative(learnt, recipe.seed))
    plain = known.kinds == AS_IT_IS
    write_gate_scores(out / "scores.npz", known.ids[plain], made.logits[plain], made.limit)
    bent = {"tensors": known.tensors[~plain][..., 0]}
    write_gate_scores(out / "bent.npz", known.ids[~plain], made.logits[~plain], made.limit, bent)
    figures = {
        "anatomy_threshold": made.limits[0],
        "anatomy_stated_threshold": made.limits[1],
        "gate": {"method": METHOD, "files": made.files, "table": made.lines},
    }
    (out / "metrics.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def check_count(breasts: int, refusals: float) -> None:
    """Raise UsageError where a limit cannot refuse so small a share of so few breasts."""
    least = math.ceil(1 / refusals)
    if breasts < least:
        raise UsageError(
            f"{breasts} breasts are too few for a limit that refuses {refusals:.1%} of them: expected {least} or more",
            hint="unpack the data sets whole, or allow the recipe's [gate] more refusals",
        )


def replace_preprocess(recipe: Any, preprocess: Any) -> Any:
    """The recipe with a bundle's preprocessing: its features are of such tensors alone."""
    import msgspec

    return msgspec.structs.replace(recipe, preprocess=preprocess)
