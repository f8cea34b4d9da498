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

from edge.models.bundle import SHIPPED_BUNDLE, load_bundle
from edge.models.bundle_file import split_bundle
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


@pytest.mark.slow
def test_mediapipe_reads_it_and_says_the_same(tmp_path):
    python = os.environ.get("SONOEDGE_MEDIAPIPE_PYTHON")
    if not python or not Path(python).is_file():
        pytest.skip("SONOEDGE_MEDIAPIPE_PYTHON names no Python with mediapipe 0.10.21")
    bundle = load_bundle()
    np.save(tmp_path / "pictures.npy", bundle.golden.tensors)
    done = subprocess.run(
        [python, "-c", CLASSIFY, str(SHIPPED_BUNDLE), str(tmp_path / "pictures.npy")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    outputs = run_graph(split_bundle(SHIPPED_BUNDLE.read_bytes()).graph, bundle.golden.tensors)["malignancy"]
    for (head, scores), raw in zip(answer["said"], outputs, strict=True):
        assert head == "malignancy"
        assert scores == {name: int(value) / 256 for name, value in zip(bundle.labels, raw, strict=True)}
    assert answer["metadata"]["name"] == bundle.manifest.name
    assert answer["metadata"]["license"] == bundle.manifest.licence
