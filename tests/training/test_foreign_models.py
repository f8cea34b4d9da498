"""Models as Keras and its converter make them, in every number format, become bundles that prove themselves."""

from __future__ import annotations

import contextlib

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

tf = pytest.importorskip("tensorflow", reason="training needs TensorFlow: make test-training has it")
keras = pytest.importorskip("keras")

from edge.adopt.adopt import AdoptOptions, adopt  # noqa: E402  (not without TensorFlow)
from edge.contracts.errors import UsageError  # noqa: E402
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


def small(channels: int, last: str | None) -> keras.Model:
    """A small network of 96 x 96, whose answers to different pictures differ."""
    keras.utils.set_random_seed(2)
    image = keras.Input((96, 96, channels))
    x = keras.layers.Conv2D(8, 3, 4, activation="relu")(image)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(16, 3, 2, activation="relu")(x))
    out = keras.layers.Dense(len(LABELS), activation=last, kernel_initializer=keras.initializers.RandomNormal(stddev=9))
    return keras.Model(image, out(x))


def without_signature(model: keras.Model) -> bytes:
    """Converted model without a SignatureDef, as most files from elsewhere have none."""
    flat = schema.ModelT.InitFromObj(
        schema.Model.GetRootAs(tf.lite.TFLiteConverter.from_keras_model(model).convert(), 0)
    )
    flat.signatureDefs = None
    builder = flatbuffers.Builder(1024)
    builder.Finish(flat.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("last", "output", "exclusive"), [("softmax", "probabilities", True), (None, "logits", True)])
def test_keras_files_without_a_signature_with_softmax_inside_or_not(tmp_path, channels, last, output, exclusive):
    (tmp_path / "own.tflite").write_bytes(without_signature(small(channels, last)))
    given = AdoptOptions(labels=LABELS, input_range="0..1", scores=None if last else "logits")
    made = adopt(tmp_path / "own.tflite", tmp_path / "own.sono.tflite", given)
    manifest = made.bundle.manifest
    assert manifest.input.shape == (1, 96, 96, channels)
    assert (manifest.labels.output, manifest.labels.exclusive) == (output, exclusive)
    bundle = load_bundle(tmp_path / "own.sono.tflite")
    runtime = make_runtime("litert://?threads=2", bundle.file, manifest)
    assert run_selftest(bundle, runtime).ok
    runtime.close()


def test_logits_are_never_taken_for_probabilities(tmp_path):
    (tmp_path / "own.tflite").write_bytes(without_signature(small(3, None)))
    given = AdoptOptions(labels=LABELS, input_range="0..1")
    with contextlib.suppress(UsageError):  # it asks which, or settles on logits by what they are
        made = adopt(tmp_path / "own.tflite", tmp_path / "own.sono.tflite", given)
        assert made.bundle.manifest.labels.output == "logits"
