"""Manifest for ``scripted://``, which has no model: heads and thresholds as a real one would have them."""

from __future__ import annotations

from edge.contracts.manifest import (
    ANATOMY,
    LESION_MASK,
    MALIGNANCY,
    Calibration,
    Golden,
    HeadSpec,
    ModelManifest,
    PreprocessRecipe,
    Thresholds,
)
from edge.contracts.tensors import TensorSpec

SCRIPTED_SHA256 = "d88348752b9524b44c4b2521e145d4c6f1a0ca8bcce0da702dc07d06ac0d2c68"
"""Stands in messages where a bundle's hash would: there is no file. It never changes."""


def scripted_manifest() -> ModelManifest:
    """Make a manifest for ``scripted://``. It names no training data and no figures: nothing was trained."""
    recipe = PreprocessRecipe(width=160, height=160)
    shapes = {MALIGNANCY: (1, 2), LESION_MASK: (1, 40, 40, 1), ANATOMY: (1, 1)}
    tensors = {name: TensorSpec(shape=shape, dtype="float32") for name, shape in shapes.items()}  # can hold a NaN
    return ModelManifest(
        name="scripted",
        version="1",
        task="test",
        body_part="BREAST",
        licence="Apache-2.0",
        input=TensorSpec(shape=(1, 160, 160, 3)),
        recipe=recipe,
        recipe_sha256=recipe.digest(),
        heads={
            MALIGNANCY: HeadSpec(tensor=tensors[MALIGNANCY], class_names=["benign", "malignant"]),
            LESION_MASK: HeadSpec(tensor=tensors[LESION_MASK]),
            ANATOMY: HeadSpec(tensor=tensors[ANATOMY]),
        },
        thresholds=Thresholds(
            lesion=0.5,
            lesion_score=0.5,
            lesion_min_area=0.001,
            malignancy=0.5,
            operating_point="scripted: answers are written, not computed",
            prevalence=0.5,
            anatomy=0.5,
        ),
        calibration=Calibration(),
        golden=Golden(max_abs_diff={}),
        training_data=[],
        metrics=[],
        not_shown=["everything: this is no model"],
        git_revision="",
        created="1970-01-01T00:00:00Z",
    )
