"""Full-integer quantisation: a float SavedModel becomes a uint8-in, uint8-out TFLite graph with int8 inside.

Post-training, weights per channel, activations per tensor from the ranges that representative pictures show (Jacob et
al., CVPR 2018; the converter's default scheme).
"""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from edge.contracts.errors import EdgeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

INPUT = "image"
SIGNATURE = "serving_default"


def quantise(saved_model: Path, representative: NDArray[np.uint8]) -> bytes:
    """Convert ``saved_model`` with the ranges that ``representative`` (n, height, width, channels) shows.

    The batch is fixed at one: a free one would keep XNNPACK from planning its memory. Raises EdgeError if the
    converter refuses the model.
    """
    pictures = span_the_range(representative)
    with quiet():
        import tensorflow as tf

        loaded = tf.saved_model.load(str(saved_model))
        inner = loaded.signatures[SIGNATURE]
        call = tf.function(lambda image: inner(image=image))
        one = call.get_concrete_function(image=tf.TensorSpec((1, *pictures.shape[1:]), tf.float32, name=INPUT))
        module = tf.Module()
        module.inner, module.call = loaded, call  # what is not an attribute is not saved
        with tempfile.TemporaryDirectory() as folder:
            tf.saved_model.save(module, folder, signatures={SIGNATURE: one})
            converter = tf.lite.TFLiteConverter.from_saved_model(folder)
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = tf.uint8
            converter.representative_dataset = lambda: ({INPUT: p[None].astype(np.float32)} for p in pictures)
            graph: bytes = converter.convert()
    return graph


def span_the_range(tensors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The pictures, with a 0 and a 255 for certain: the input's quantisation is then the grey value itself."""
    result: NDArray[np.uint8] = tensors.copy()
    result[0, 0, 0], result[0, 0, 1] = 0, 255
    return result


def run_float(saved_model: Path, tensors: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """Outputs of the float model by head, (n, …), for tensors (n, height, width, channels)."""
    with quiet():
        import tensorflow as tf

        loaded = tf.saved_model.load(str(saved_model))  # kept: the signature does not keep it alive
        inner = loaded.signatures[SIGNATURE]
        batch = inner.structured_input_signature[1][INPUT].shape[0] or 32  # as many as it was exported for
        parts = [
            inner(**{INPUT: tf.constant(tensors[i : i + batch].astype(np.float32))})
            for i in range(0, len(tensors), batch)
        ]
    return {name: np.concatenate([part[name].numpy() for part in parts]) for name in parts[0]}


@contextmanager
def quiet() -> Iterator[None]:
    """Keep TensorFlow's native log off the terminal; it is shown if something raises."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    saved = os.dup(2)
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 2)
        try:
            yield
        except Exception as error:
            log.seek(max(0, log.tell() - 2000))
            tail = log.read().decode("utf-8", "replace").strip().splitlines()
            raise EdgeError(
                f"TensorFlow cannot convert or run the model: {error}",
                hint=tail[-1] if tail else "check the run's saved_model",
            ) from error
        finally:
            os.dup2(saved, 2)
            os.close(saved)
