"""Run a SavedModel in TensorFlow, and convert it to TFLite in every number format."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.contracts.errors import EdgeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

INPUT = "image"
SIGNATURE = "serving_default"
FORMATS = ("float32", "float16", "dynamic", "int16x8")
"""Number formats that the converter makes by itself; int8 has a recipe: `export.quantisation.full_integer`."""


def convert(saved_model: Path, representative: NDArray[np.uint8], kind: str = "float32") -> bytes:
    """Convert ``saved_model`` to a TFLite graph of one of `FORMATS`, its input and outputs named by the signature.

    float16: weights in 16 bits, computed in 32. dynamic: weights in 8 bits, activations as they come. int16x8:
    activations in 16 bits, weights in 8, with the ranges that ``representative`` (n, height, width, channels) shows.
    Input and outputs are floats in all of them. The batch is fixed at one: a free one would keep XNNPACK from planning
    its memory. Raises EdgeError if the converter refuses the model.
    """
    with hide_tensorflow_log():
        import tensorflow as tf

        loaded = tf.saved_model.load(str(saved_model))
        inner = loaded.signatures[SIGNATURE]
        shape = (1, *representative.shape[1:])
        call = tf.function(lambda image: inner(image=image))
        one = call.get_concrete_function(image=tf.TensorSpec(shape, tf.float32, name=INPUT))
        module = tf.Module()
        module.inner, module.call = loaded, call  # what is not an attribute is not saved
        with tempfile.TemporaryDirectory() as folder:
            tf.saved_model.save(module, folder, signatures={SIGNATURE: one})
            converter = tf.lite.TFLiteConverter.from_saved_model(folder)
            _choose(converter, kind, representative)
            graph: bytes = converter.convert()
    return graph


def _choose(converter: Any, kind: str, representative: NDArray[np.uint8]) -> None:
    import tensorflow as tf

    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if kind == "float32":
        return
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    elif kind == "int16x8":
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        ]
        converter.representative_dataset = lambda: ({INPUT: p[None].astype(np.float32)} for p in representative)
    elif kind != "dynamic":
        raise ValueError(f"expected one of {', '.join(FORMATS)}, got {kind!r}")


def quantise_graph(graph: bytes, representative: NDArray[np.uint8]) -> bytes:
    """Quantise a float TFLite graph to uint8 input and outputs with int8 inside: TensorFlow's post-training quantiser.

    Weights per channel, activations per tensor from the least and the greatest that ``representative`` shows (Jacob et
    al., CVPR 2018). The graph, not the SavedModel, is quantised, so that its weights can be prepared first.
    ``representative``: (n, height, width, channels) uint8.
    """
    with hide_tensorflow_log():
        import tensorflow as tf
        from tensorflow.lite.python.convert import mlir_quantize
        from tensorflow.lite.python.optimize.calibrator import Calibrator, add_intermediate_tensors
        from tensorflow.lite.python.util import modify_model_io_type

        calibrator = Calibrator(add_intermediate_tensors(graph))
        calibrated = calibrator.calibrate(lambda: ([p[None].astype(np.float32)] for p in representative))
        # What it cannot quantise stays float here; `export.quantisation.integer_check` names it.
        quantised: bytes = modify_model_io_type(mlir_quantize(calibrated), tf.uint8, tf.uint8)
    return quantised


def run_float(saved_model: Path, tensors: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """Run the float SavedModel: outputs by head, (n, …) float32, for tensors (n, height, width, channels) uint8."""
    with hide_tensorflow_log():
        import tensorflow as tf

        loaded = tf.saved_model.load(str(saved_model))  # kept: the signature does not keep it alive
        inner = loaded.signatures[SIGNATURE]
        batch = inner.structured_input_signature[1][INPUT].shape[0] or 32  # as many as it was exported for
        parts = [
            inner(**{INPUT: tf.constant(tensors[i : i + batch].astype(np.float32))})
            for i in range(0, len(tensors), batch)
        ]
    return {name: np.concatenate([part[name].numpy() for part in parts]) for name in parts[0]}


def head_names(saved_model: Path) -> list[str]:
    """Names of the outputs of the SavedModel's signature, sorted."""
    with hide_tensorflow_log():
        import tensorflow as tf

        loaded = tf.saved_model.load(str(saved_model))
        return sorted(loaded.signatures[SIGNATURE].structured_outputs)


@contextmanager
def hide_tensorflow_log() -> Iterator[None]:
    """Keep TensorFlow's native log off the terminal; if something raises, EdgeError has the log's end as its hint."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    saved = [os.dup(stream) for stream in (1, 2)]  # the quantiser prints its options on stdout
    with tempfile.TemporaryFile() as log:
        for stream in (1, 2):
            os.dup2(log.fileno(), stream)
        try:
            yield
        except EdgeError:
            raise
        except Exception as error:
            log.seek(max(0, log.tell() - 2000))
            tail = log.read().decode("utf-8", "replace").strip().splitlines()
            raise EdgeError(
                f"TensorFlow cannot convert or run the model: {_first_line(error)}",
                hint=tail[-1] if tail else "check the run's saved_model",
            ) from error
        finally:
            for stream, was in zip((1, 2), saved, strict=True):
                os.dup2(was, stream)
                os.close(was)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
