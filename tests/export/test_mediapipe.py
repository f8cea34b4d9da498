"""A peer reads the very same file: MediaPipe's image classifier, in an environment of its own (it needs numpy < 2).

SONOEDGE_MEDIAPIPE_PYTHON names its Python: python3.11 -m venv mp && mp/bin/pip install mediapipe==0.10.21
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from tiny_classifiers import LABELS, float_classifier, int8_classifier

from edge.adopt.adopt import AdoptOptions, adopt
from edge.models.bundle import SHIPPED_BUNDLE, load_bundle
from edge.models.bundle_file import split_bundle
from edge.postprocess.dequantise import dequantise
from edge.preprocess.recipes import make_preprocessor
from export.predict import run_graph

CLASSIFY = """
import json, sys
import numpy as np
import mediapipe as mp
from mediapipe.tasks.python import BaseOptions, vision
from mediapipe.tasks.python.metadata.metadata import MetadataDisplayer

model, pictures = sys.argv[1:]
options = vision.ImageClassifierOptions(base_options=BaseOptions(model_asset_path=model))
said = []
with vision.ImageClassifier.create_from_options(options) as classifier:
    for picture in np.load(pictures):
        result = classifier.classify(mp.Image(image_format=mp.ImageFormat.SRGB, data=picture))
        head = result.classifications[0]
        said.append([head.head_name, {c.category_name: c.score for c in head.categories}])
metadata = json.loads(MetadataDisplayer.with_model_file(model).get_metadata_json())
print(json.dumps({"said": said, "metadata": metadata}))
"""


@pytest.fixture
def python():
    named = os.environ.get("SONOEDGE_MEDIAPIPE_PYTHON")
    if not named or not Path(named).is_file():
        pytest.skip("SONOEDGE_MEDIAPIPE_PYTHON names no Python with mediapipe 0.10.21")
    return named


def classified(python, model, pictures, folder):
    """What MediaPipe says of pictures (n, h, w, 3) uint8: scores and metadata."""
    np.save(folder / "pictures.npy", pictures)
    done = subprocess.run(
        [python, "-c", CLASSIFY, str(model), str(folder / "pictures.npy")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["float32", "int8"])
def test_mediapipe_reads_the_metadata_of_an_adopted_model(tmp_path, python, kind):
    made = float_classifier() if kind == "float32" else int8_classifier()
    (tmp_path / "own.tflite").write_bytes(made.bytes())
    given = {"input_range": "-1..1"} if kind == "float32" else {}
    options = AdoptOptions(labels=LABELS, name="mine", licence="none", **given)
    bundle = adopt(tmp_path / "own.tflite", tmp_path / "own.sono.tflite", options).bundle
    manifest = bundle.manifest
    size = (manifest.recipe.height, manifest.recipe.width, 3)
    pictures = np.random.default_rng(1).integers(0, 256, (4, *size)).astype(np.uint8)
    answer = classified(python, bundle.path, pictures, tmp_path)
    preprocess, head = make_preprocessor(manifest), manifest.heads["labels"]
    interpreter = Interpreter(model_path=str(bundle.path))
    run = interpreter.get_signature_runner()
    for (name, scores), picture in zip(answer["said"], pictures, strict=True):
        assert name == "labels"
        raw = run(image=preprocess(picture)[0])["labels"]
        for label, value in zip(LABELS, dequantise(raw, head.tensor).reshape(-1).tolist(), strict=True):
            assert scores[label] == pytest.approx(value, abs=0.005)
    assert (answer["metadata"]["name"], answer["metadata"]["license"]) == ("mine", "none")


@pytest.mark.slow
def test_mediapipe_reads_it_and_says_the_same(tmp_path, python):
    bundle = load_bundle()
    answer = classified(python, SHIPPED_BUNDLE, bundle.golden.tensors, tmp_path)
    outputs = run_graph(split_bundle(SHIPPED_BUNDLE.read_bytes()).graph, bundle.golden.tensors)["malignancy"]
    for (head, scores), raw in zip(answer["said"], outputs, strict=True):
        assert head == "malignancy"
        assert scores == {name: int(value) / 256 for name, value in zip(bundle.labels, raw, strict=True)}
    assert answer["metadata"]["name"] == bundle.manifest.name
    assert answer["metadata"]["license"] == bundle.manifest.licence
