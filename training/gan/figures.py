"""Figures of a way to fill: whether it erases, can be seen, gives training pictures away, and looks like tissue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.preprocess.preprocessor import Preprocessor
from training.gan.fill_command import check_apart, filler_of
from training.gan.pictures import load_pictures
from training.gan.settings import GanRecipe
from training.gan.windows import fill_and_preprocess
from training.recipe import load_record

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from training.gan.fillers import Method

MOST_BASE = 400
"""Training pictures whose patches fillings are compared with."""
GOALS = {
    "detector": "at most 0.65",
    "erases": "at most 0.05 more often than in real tissue",
    "shortcut": "at most 0.02",
    "privacy": "not below that of real patches",
    "features": "at most 1.3",
}


def figures_of(
    method: Method, gan: Path | None, data: Path | None, model_run: Path | None, seed: int, log: Callable[[str], None]
) -> dict[str, Any]:
    """Measure a way to fill on pictures that neither its generator nor ``model_run`` learnt from.

    ``model_run``: the run of a lesion model, whose protocol says which pictures are test pictures; None: all pictures
    are judged, and what needs a model is left out. Logs a line for each figure.
    """
    from training.gan.detector import detector_auc
    from training.gan.feature_distance import feature_distance_ratio
    from training.gan.nearest_patches import nearest_patch_distances
    from training.gan.presence_of_erased import erased_figures, load_mask_model, shortcut_figures

    filler, learnt_from = filler_of(method, gan)
    breast = None if model_run is None else load_record(model_run).recipe
    recipe = _recipe(gan) if breast is None else GanRecipe(protocol=breast.protocol, preprocess=breast.preprocess)
    name, items = load_pictures(data, recipe)
    if model_run is not None:
        check_apart(learnt_from, items, recipe.protocol)
    held = [item for item in items if model_run is None or item.split == "test"]
    log(f"{method} on {len(held)} pictures of {name}")
    pictures = fill_and_preprocess(held, filler, recipe.preprocess, seed)
    out: dict[str, Any] = {"method": method, "detector": detector_auc(pictures, seed)}
    preprocess, learnt = Preprocessor(recipe.preprocess), set(learnt_from)
    base = [preprocess(item.image)[0][0, ..., 0] for item in items if item.id in learnt][:MOST_BASE]
    real = [one.real for one in pictures if one.item.id not in learnt]
    if base and real:
        out["privacy"] = nearest_patch_distances(pictures, real, base, seed)
    out["features"] = feature_distance_ratio(pictures, seed)
    if model_run is not None:
        model = load_mask_model(model_run)
        out["erases"] = erased_figures(pictures, model)
        out["shortcut"] = shortcut_figures(pictures, model)
    for key, found in out.items():
        if isinstance(found, dict):
            told = ", ".join(f"{k} {v:.3f}" if isinstance(v, float) else f"{k} {v}" for k, v in found.items())
            log(f"{key}: {told} (goal: {GOALS[key]})")
    return out


def _recipe(gan: Path | None) -> GanRecipe:
    from training.gan.run import load_gan_record
    from training.recipe import load_recipe

    return GanRecipe(preprocess=load_recipe("breast").preprocess) if gan is None else load_gan_record(gan).recipe
