"""One filling as a computation of TensorFlow: what the generator is given, and how its answer enters the patch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

if TYPE_CHECKING:
    import keras


def generator_input(pixels: Any, hole: Any, lesion: Any, label: Any, noise: Any, *, conditioned: bool) -> Any:
    """Join what a generator sees: (n, h, w, 3) float32, or 5 channels where it draws lesions (``conditioned``)."""
    parts = [pixels * (1 - hole), hole, noise * hole]
    return tf.concat([*parts, lesion, label] if conditioned else parts, axis=-1)


def judged_input(pixels: Any, hole: Any, lesion: Any, label: Any, *, conditioned: bool) -> Any:
    """Join what a discriminator sees: (n, h, w, 2) float32, or 4 channels where lesions are drawn."""
    return tf.concat([pixels, hole, lesion, label] if conditioned else [pixels, hole], axis=-1)


def fill(generator: keras.Model, given: Any, pixels: Any, hole: Any, *, training: bool = False) -> Any:
    """Run the generator; outside of the hole the patch (n, h, w, 1) stays as it is."""
    return pixels * (1 - hole) + hole * generator(given, training=training)
