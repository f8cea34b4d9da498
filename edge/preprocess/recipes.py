"""Preprocessor of a recipe of any version: the one place that chooses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.contracts.errors import ModelError
from edge.contracts.manifest import ModelManifest, PictureManifest
from edge.contracts.picture_recipe import PictureRecipe
from edge.preprocess.picture_preprocessor import PicturePreprocessor
from edge.preprocess.preprocessor import Preprocessor

if TYPE_CHECKING:
    from edge.contracts.manifest import BundleManifest, PreprocessRecipe


def make_preprocessor(manifest: BundleManifest) -> Preprocessor | PicturePreprocessor:
    """Make the preprocessor that fills the input of the manifest's model."""
    if isinstance(manifest, ModelManifest):
        return Preprocessor(manifest.recipe)
    if isinstance(manifest, PictureManifest):
        return PicturePreprocessor(manifest.recipe, manifest.input)
    raise ModelError(f"a model for {manifest.judges} has no recipe that is known here", hint="update sonoedge")


def as_version_2(recipe: PreprocessRecipe) -> PictureRecipe:
    """Recipe of version 2 that makes the same tensors as one of version 1, where the model takes pixel values."""
    fields = {name: getattr(recipe, name) for name in recipe.__struct_fields__ if name != "version"}
    return PictureRecipe(**fields, colour="grey", fit="letterbox")
