"""Example manifests: one of each kind of model, of made-up models whose figures mean nothing."""

from __future__ import annotations

from edge.contracts.manifest import (
    AreaRules,
    Calibration,
    ClassificationManifest,
    DataSource,
    Golden,
    HeadSpec,
    LabelRules,
    Metric,
    ModelManifest,
    SegmentationManifest,
    Thresholds,
)
from edge.contracts.picture_recipe import PictureRecipe
from edge.contracts.tensors import TensorSpec
from edge.schema.examples import RECIPE, SCORES


def classification_manifest() -> ClassificationManifest:
    """Example of a classifier's manifest: of a made-up model, whose figures mean nothing."""
    recipe = PictureRecipe(width=224, height=224, mean=(127.5,), std=(127.5,))
    scores = TensorSpec(shape=(1, 3), dtype="int8", scale=1 / 256, zero_point=-128)
    return ClassificationManifest(
        judges="classification",
        name="example",
        version="1.0.0",
        task="classification",
        body_part="THYROID",
        licence="Apache-2.0",
        input=TensorSpec(shape=(1, 224, 224, 3), dtype="int8", scale=2 / 255, zero_point=-1),
        recipe=recipe,
        recipe_sha256=recipe.digest(),
        heads={"labels": HeadSpec(tensor=scores, class_names=[each.name for each in SCORES])},
        golden=Golden(max_abs_diff={"xnnpack": 0, "reference": 16}),
        training_data=[DataSource(name="none", licence="none", citation="none", used_for="nothing")],
        metrics=[Metric(name="example", value=0.5, low=0.4, high=0.6, data="none", n=0, method="made up")],
        not_shown=["everything"],
        git_revision="0" * 40,
        created="2030-01-31T12:00:00Z",
        labels=LabelRules(output="probabilities", threshold=0.5, thresholds={"cyst": 0.6}, clear_label="normal"),
    )


def segmentation_manifest() -> SegmentationManifest:
    """Example of a segmentation network's manifest: of a made-up model, whose figures mean nothing."""
    like = classification_manifest()
    maps = TensorSpec(shape=(1, 112, 112, 2), dtype="int8", scale=1 / 256, zero_point=-128)
    said = {name: getattr(like, name) for name in like.__struct_fields__ if name != "labels"}
    said |= {"judges": "segmentation", "task": "segmentation"}
    said["heads"] = {"mask": HeadSpec(tensor=maps, class_names=["background", "cyst"])}
    return SegmentationManifest(**said, areas=AreaRules(output="probabilities", threshold=0.5, empty_is_clear=True))


def manifest() -> ModelManifest:
    """Example of a model manifest: of a made-up model, whose figures mean nothing."""
    return ModelManifest(
        name="example",
        version="1.0.0",
        task="lesions and malignancy",
        body_part="BREAST",
        licence="Apache-2.0",
        input=TensorSpec(shape=(1, 160, 160, 3)),
        recipe=RECIPE,
        recipe_sha256=RECIPE.digest(),
        heads={
            "malignancy": HeadSpec(tensor=TensorSpec(shape=(1, 2), scale=1 / 256), class_names=["benign", "malignant"]),
            "lesion_mask": HeadSpec(tensor=TensorSpec(shape=(1, 40, 40, 1), scale=1 / 256)),
        },
        thresholds=Thresholds(
            lesion=0.5,
            lesion_score=0.5,
            lesion_min_area=0.002,
            malignancy=0.5,
            operating_point="made up for this example",
            prevalence=0.3,
            anatomy=0.5,
        ),
        calibration=Calibration(),
        golden=Golden(max_abs_diff={"xnnpack": 0}),
        training_data=[DataSource(name="none", licence="none", citation="none", used_for="nothing")],
        metrics=[Metric(name="example", value=0.5, low=0.4, high=0.6, data="none", n=0, method="made up")],
        not_shown=["everything"],
        git_revision="0" * 40,
        created="2030-01-31T12:00:00Z",
    )
