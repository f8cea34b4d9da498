"""``classifier.json``: description of a plain classifier inside its ``.tflite``. No device judges by one."""

from __future__ import annotations

from typing import Literal

import msgspec

from edge.contracts.manifest import DataSource, Metric, PreprocessRecipe
from edge.contracts.tensors import TensorSpec


class ClassifierCard(msgspec.Struct, frozen=True, kw_only=True):
    """Description of a classifier: what a tool needs to run it as it was measured, and what a reader should know."""

    classifier_version: Literal[1] = 1
    name: str
    version: str
    task: str
    body_part: str
    """Body part that the classifier is for, as DICOM spells BodyPartExamined; empty: any."""
    licence: str
    """Licence of the weights: the data's owner decides, so it may be empty."""
    graph_sha256: str
    """SHA-256, hex, of the flatbuffer before the appended ZIP."""
    input: TensorSpec
    output: TensorSpec
    class_names: list[str]
    """Names of the classes, in the order of the output."""
    recipe: PreprocessRecipe
    """How pixels become the input."""
    recipe_sha256: str
    training_data: list[DataSource]
    metrics: list[Metric]
    git_revision: str
    created: str
    """Time at which the file was made: RFC 3339, UTC."""
    research_only: Literal[True] = True
