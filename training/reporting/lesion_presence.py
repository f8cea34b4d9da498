"""Detection of a lesion's presence by the mask head, and a negative control that it does so for the right reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from edge.contracts.manifest import LESION_MASK
from edge.preprocess.preprocessor import Preprocessor
from training.augment.geometry import lesion_free_window
from training.evaluation.bootstrap import BootstrapSamples
from training.evaluation.evaluate import in_mixed_sources
from training.evaluation.found_lesions import lesions_in_masks
from training.evaluation.held_out_predictions import POOLED, load_held_out
from training.evaluation.metrics import threshold_for_sensitivity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from training.datasets import Item
    from training.evaluation.held_out_predictions import HeldOutPredictions

    Floats = NDArray[np.float64]

SENSITIVITY = 0.9
LEVEL = 0.5
AREA_CELLS = 16
"""Cells whose mean is the score ``area``: 1 % of a 40 x 40 mask, 0.8 % of 40 x 48."""


def presence_scores(lesion: NDArray[np.uint8], size: tuple[int, int]) -> dict[str, Floats]:
    """Presence scores (n,) of mask heads (n, h, w) uint8, by name: as the device does, the peak, the best cells."""
    flat = np.sort(lesion.reshape(len(lesion), -1), axis=1)[:, ::-1].astype(np.float64) / 255
    device = np.array([each[0].score if each else 0.0 for each in lesions_in_masks(lesion, size, LEVEL)])
    return {
        "surest lesion": device + 1e-3 * flat[:, 0],  # where none is found, the peak still ranks
        "peak": flat[:, 0],
        "best cells": flat[:, :AREA_CELLS].mean(axis=1),
    }


def presence_metrics(rows: HeldOutPredictions) -> dict[str, Any] | None:
    """Metrics of lesion presence: pictures with a lesion against pictures without, in data sets that hold both.

    None where no data set does. ``specificity`` is at the limit that 90 % of the pictures with a lesion reach. It is
    chosen on these very pictures, anew in each bootstrap draw, so that the interval holds the choice as well.
    """
    part = rows.take(in_mixed_sources(rows.sources, rows.known))
    if not len(part):
        return None
    labels = part.known.astype(int)
    draws = BootstrapSamples(part.groups)
    out: dict[str, Any] = {
        "sources": [str(s) for s in np.unique(part.sources)],
        "with": int(labels.sum()),
        "without": int((1 - labels).sum()),
    }
    out["scores"] = {}
    for name, values in presence_scores(part.lesion, part.size).items():
        limit = threshold_for_sensitivity(labels, values, SENSITIVITY)
        out["scores"][name] = {
            "auc": draws.auc(labels, values),
            "specificity": draws.weighted(specificity_at_sensitivity(labels, values), int((labels == 0).sum())),
            "threshold": limit,
        }
    return out


def specificity_at_sensitivity(labels: NDArray[np.integer], values: Floats) -> Callable[[Floats], float]:
    """Make a function of row weights (n,): specificity at the threshold that `SENSITIVITY` of lesion pictures reach."""
    order = np.argsort(-values)
    ranked, ill = values[order], labels[order] == 1

    def figure(weights: Floats) -> float:
        drawn = weights[order]
        reached, well = np.cumsum(drawn * ill), drawn * ~ill
        if not reached[-1] or not well.sum():
            return float("nan")
        limit = ranked[np.searchsorted(reached, SENSITIVITY * reached[-1] - 1e-9)]
        return float(well[ranked < limit].sum() / well.sum())

    return figure


def negative_control(run: Path, items: Sequence[Item], seed: int = 0, most: int = 150) -> dict[str, Any]:
    """Negative control: crops without and with the lesion, out of one and the same picture, scored by one head.

    A head that has learnt data sets instead of lesions cannot tell them apart. For each crop clear of the lesion there
    is one of the same size, from the same picture, with the lesion in it. Without a lesion in sight, crops of lesion
    pictures and of normal ones should look alike: that area under the curve should be near a half, whatever the data
    set.

    Args:
        run: folder of a cross-validation or of one model; its SavedModels and recipe are used.
        items: pictures, of which the held-out ones are used, each with the model that never saw it.
        seed: seed of the crops' places.
        most: largest number of pictures of each data set.
    """
    from training.recipe import load_record
    from training.reporting.saved_model import SavedModelRunner

    rows = load_held_out(run).test
    folds = dict(zip(rows.ids.tolist(), rows.fold.tolist(), strict=True))
    held = [item for item in items if item.id in folds]
    pooled = (run / POOLED).is_file()
    places = {fold: run / f"fold-{fold}" if pooled else run for fold in sorted(set(folds.values()))}
    models = {fold: SavedModelRunner(place) for fold, place in places.items()}
    preprocess = Preprocessor(load_record(next(iter(places.values()))).recipe.preprocess)
    return crop_control(lambda item: models[folds[item.id]], preprocess, held, seed, most)


def crop_control(
    model_of: Callable[[Item], Callable[[NDArray[np.uint8]], dict[str, Any]]],
    preprocess: Preprocessor,
    items: Sequence[Item],
    seed: int = 0,
    most: int = 150,
) -> dict[str, Any]:
    """Compute the `negative_control` with any functions in place of the models.

    ``model_of`` gives for an item the function of a tensor (h, w, 3) uint8 to its heads by name.
    """
    rng = np.random.default_rng(seed)
    kinds: dict[str, list[tuple[Item, NDArray[np.uint8]]]] = {}
    for source in sorted({item.source for item in items}):
        mine = [item for item in items if item.source == source]
        lesions = [item for item in mine if item.mask.any()]
        for item in (lesions[i] for i in rng.permutation(len(lesions))[:most]):
            pair = _pair(rng, item)
            if pair is not None:
                kinds.setdefault(f"{source}: crops clear of the lesion", []).append((item, pair[0]))
                kinds.setdefault(f"{source}: crops with the lesion", []).append((item, pair[1]))
        normal = [item for item in mine if not item.mask.any()]
        for item in normal[:most]:
            x, y, w, h = lesion_free_window(rng, item.mask) or (0, 0, item.mask.shape[1], item.mask.shape[0])
            kinds.setdefault(f"{source}: crops of normal pictures", []).append((item, item.image[y : y + h, x : x + w]))
    size = (preprocess.recipe.width, preprocess.recipe.height)
    found = {}
    for name, pictures in kinds.items():
        heads = np.stack([model_of(item)(preprocess(picture)[0][0])[LESION_MASK] for item, picture in pictures])
        mask = np.round(heads.reshape(len(heads), *heads.shape[1:3]) * 255).astype(np.uint8)
        found[name] = ([item.group for item, _ in pictures], presence_scores(mask, size)["surest lesion"])
    return {
        "pictures": {name: {"n": len(v), "median": float(np.median(v))} for name, (_, v) in found.items()},
        "comparisons": _compare(found),
    }


def _compare(found: dict[str, tuple[list[str], Floats]]) -> list[dict[str, Any]]:
    sources = sorted({name.split(":")[0] for name in found})
    pairs = [(f"{s}: crops with the lesion", f"{s}: crops clear of the lesion", "high") for s in sources]
    normals = [name for name in found if name.endswith("of normal pictures")]
    pairs += [(f"{s}: crops clear of the lesion", normal, "near 0.5") for normal in normals for s in sources]
    out = []
    for first, second, wanted in pairs:
        if first not in found or second not in found:
            continue
        (g1, v1), (g2, v2) = found[first], found[second]
        labels = np.array([1] * len(v1) + [0] * len(v2))
        area = BootstrapSamples(g1 + g2).auc(labels, np.concatenate([v1, v2]))
        out.append({"first": first, "second": second, "wanted": wanted, "auc": area})
    return out


def _pair(rng: np.random.Generator, item: Item) -> tuple[NDArray[np.uint8], NDArray[np.uint8]] | None:
    """Crop clear of the lesion, and crop of the same size around it, (h, w) uint8 grey; None where there is no room."""
    window = lesion_free_window(rng, item.mask)
    if window is None:
        return None
    x, y, w, h = window
    lx, ly, lw, lh = cv2.boundingRect(item.mask)
    height, width = item.mask.shape
    if lw > w or lh > h:
        return None
    left = int(rng.integers(max(0, lx + lw - w), min(lx, width - w) + 1))
    top = int(rng.integers(max(0, ly + lh - h), min(ly, height - h) + 1))
    return item.image[y : y + h, x : x + w], item.image[top : top + h, left : left + w]
