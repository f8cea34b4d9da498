"""Writing of a classifier as a TensorFlow SavedModel without custom classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

if TYPE_CHECKING:
    from pathlib import Path


def save_model(model: keras.Model, path: Path) -> None:
    """Save with one signature: ``image`` (1, h, w, channels) float32 0..255 in, the heads by name out."""
    archive = keras.export.ExportArchive()
    archive.track(model)

    def serve(image: Any) -> dict[str, Any]:
        return dict(model(image, training=False))

    shape = (1, *model.input_shape[1:])
    archive.add_endpoint("serving_default", serve, input_signature=[tf.TensorSpec(shape, tf.float32, name="image")])
    archive.write_out(str(path), verbose=False)
