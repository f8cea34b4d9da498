"""Models as Keras and its converter make them, in every number format, become bundles that prove themselves."""

from __future__ import annotations

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow", reason="training needs TensorFlow: make test-training has it")
keras = pytest.importorskip("keras")

from edge.adopt.adopt import AdoptOptions, adopt  # noqa: E402  (not without TensorFlow)
from edge.models.bundle import load_bundle  # noqa: E402
from edge.pipeline.selftest import run_selftest  # noqa: E402
from edge.plugins import make_runtime  # noqa: E402

LABELS = ("a", "b", "c", "d")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory):
    """A small MobileNetV2 whose batch norms have seen pictures: without, its answers would all be alike."""
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(1)
    model = keras.applications.MobileNetV2(input_shape=(96, 96, 3), alpha=0.35, weights=None, classes=len(LABELS))
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.1
    for _ in range(2):
        coarse = rng.uniform(-1, 1, (4, 5, 5, 3)).astype(np.float32)
        model(tf.image.resize(coarse, (96, 96)), training=True)
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([kernel * 4, bias])
    folder = tmp_path_factory.mktemp("keras") / "model"
    model.export(folder, verbose=False)
    return folder


def pictures():
    rng = np.random.default_rng(2)
    for _ in range(8):
        yield [np.asarray(tf.image.resize(rng.uniform(-1, 1, (1, 6, 6, 3)).astype(np.float32), (96, 96)))]


def converted(folder, kind: str) -> bytes:
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder))
    if kind != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if kind in ("int8", "uint8"):
        converter.representative_dataset = pictures
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = getattr(tf, kind)
    return converter.convert()


@pytest.mark.parametrize("kind", ["float32", "float16", "dynamic", "int8", "uint8"])
def test_every_number_format_is_adopted(tmp_path, saved_model, kind):
    (tmp_path / "own.tflite").write_bytes(converted(saved_model, kind))
    given = {} if kind in ("int8", "uint8") else {"input_range": "-1..1"}
    made = adopt(tmp_path / "own.tflite", tmp_path / "own.sono.tflite", AdoptOptions(labels=LABELS, **given))
    manifest = made.bundle.manifest
    assert manifest.input.dtype == (kind if kind in ("int8", "uint8") else "float32")
    assert (manifest.labels.output, manifest.labels.exclusive) == ("probabilities", True)
    bundle = load_bundle(tmp_path / "own.sono.tflite")
    runtime = make_runtime("litert://?threads=2", bundle.file, manifest)
    assert run_selftest(bundle, runtime).ok
    runtime.close()
