"""What a lesion model says of erased lesions: whether it still finds them, and whether it looks at the filling.

The model is a fold's or a stranger split's: it saw neither the picture nor the generator's training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge.contracts.manifest import LESION_MASK
from training.evaluation.metrics import auc

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from training.gan.windows import FilledPicture

    Model = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

CELL = 4
FOUND = 0.5
"""Probability from which a cell of the mask is lesion."""
GREY = 90


def load_mask_model(run: Any) -> Model:
    """Load the float model of a run: tensors (n, h, w) uint8 grey to lesion masks (n, h/4, w/4) float32."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(run / "saved_model"))
    call = loaded.signatures["serving_default"]

    def predict(tensors: NDArray[np.uint8]) -> NDArray[np.float32]:
        out = []
        for one in tensors:
            image = tf.constant(np.repeat(one[None, ..., None], 3, axis=-1).astype(np.float32))
            out.append(np.asarray(call(image=image)[LESION_MASK])[0, ..., 0])
        return np.array(out, np.float32)

    return predict


def found_in_hole(pictures: Sequence[FilledPicture], masks: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether a lesion is found within each picture's hole: (n,) bool."""
    out = []
    for one, mask in zip(pictures, masks, strict=True):
        h, w = mask.shape
        cells = one.hole.reshape(h, CELL, w, CELL).mean(axis=(1, 3)) > 0.5
        out.append(bool((mask[cells] >= FOUND).any()) if cells.any() else False)
    return np.array(out)


def erased_figures(pictures: Sequence[FilledPicture], model: Model) -> dict[str, float]:
    """How often the model finds a lesion in a hole: over the lesion as it is, erased; beside it as it is, filled."""
    out: dict[str, float] = {}
    for kind in ("erased", "beside"):
        rows = [one for one in pictures if one.kind == kind]
        if not rows:
            continue
        for state in ("real", "filled"):
            masks = model(np.stack([getattr(one, state) for one in rows]))
            out[f"{kind} {state}"] = float(found_in_hole(rows, masks).mean())
        out[f"{kind} pictures"] = len(rows)
    if {"erased filled", "beside real"} <= set(out):
        out["excess"] = out["erased filled"] - out["beside real"]
    return out


def shortcut_figures(pictures: Sequence[FilledPicture], model: Model) -> dict[str, float]:
    """AUC of presence on a made test set, and the same with every filled place greyed out.

    Pictures whose lesion is erased are empty; those that keep theirs are filled beside it. A model that looks at
    fillings loses by the grey, or wins by it: the AUCs differ.
    """
    wanted = np.array([one.kind == "beside" for one in pictures])
    figures = {}
    for name, greyed in (("filled", False), ("greyed", True)):
        tensors = []
        for one in pictures:
            tensor = one.filled.copy()
            if greyed:
                tensor[one.hole > 0] = GREY
            tensors.append(tensor)
        presence = model(np.stack(tensors)).max(axis=(1, 2))
        figures[name] = auc(wanted.astype(np.int64), presence)
    return {**figures, "change": abs(figures["greyed"] - figures["filled"]), "pictures": len(pictures)}
