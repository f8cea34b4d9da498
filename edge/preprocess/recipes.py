"""Preprocessor of a recipe of any version: the one place that chooses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.contracts.picture_recipe import PictureRecipe
from edge.preprocess.picture_preprocessor import PicturePreprocessor
from edge.preprocess.preprocessor import Preprocessor

if TYPE_CHECKING:
    from edge.contracts.manifest import BundleManifest


def make_preprocessor(manifest: BundleManifest) -> Preprocessor | PicturePreprocessor:
    """Make the preprocessor that fills the input of the manifest's model."""
    if isinstance(manifest.recipe, PictureRecipe):
        return PicturePreprocessor(manifest.recipe, manifest.input)
    return Preprocessor(manifest.recipe)
