"""Tensors that a classifier's run keeps: training pictures for quantisation, held-back ones for export's figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.classify.cache import SampleCache

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from training.classify.recipe import ClassifierRecipe
    from training.classify.split import ListedPicture

REPRESENTATIVE = 160
"""Number of training pictures that calibrate the quantisation."""
KEPT = 1000
"""Held-out tensors of validation and of test, each, that a run of labels alone keeps for export's thresholds and
figures: memory does not grow with the data. A run with a lesion mask keeps all."""


def write_tensors(
    recipe: ClassifierRecipe, pictures: Sequence[ListedPicture], out: Path, other: NDArray[np.uint8] | None = None
) -> None:
    """Write ``representative.npz`` of training pictures (and ``other``), ``eval.npz`` of held-out ones with a class."""
    rng = np.random.default_rng(recipe.seed)

    def some(rows: list[ListedPicture], count: int) -> list[ListedPicture]:
        return [rows[i] for i in sorted(rng.permutation(len(rows))[:count])]

    learnt = some([p for p in pictures if p.split == "train"], REPRESENTATIVE)
    held = [p for p in pictures if p.split != "train" and p.label >= 0]
    if recipe.network.heads != "bundle":
        held = [p for side in ("val", "test") for p in some([p for p in held if p.split == side], KEPT)]
    samples = {name: SampleCache(of, recipe, out / "cache") for name, of in (("r", learnt), ("h", held))}
    seen = np.stack([samples["r"][i].tensor for i in range(len(learnt))])
    seen = seen if other is None else np.concatenate([seen, other])
    np.savez_compressed(out / "representative.npz", tensors=seen)
    rows = [samples["h"][i] for i in range(len(held))]
    np.savez_compressed(
        out / "eval.npz",
        tensors=np.stack([s.tensor for s in rows]),
        masks=np.stack([s.mask for s in rows]),
        labels=np.array([p.label for p in held], np.int8),
        split=np.array([p.split for p in held]),
        groups=np.array([f"{p.source}/{p.group}" for p in held]),
        ids=np.array([p.id for p in held]),
    )
