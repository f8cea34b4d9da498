"""A plain classifier is shown by `edge-cli model info`, and never taken for a bundle."""

from __future__ import annotations

import hashlib
import io
import zipfile

import flatbuffers
import msgspec
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edge.cli.main import run
from edge.contracts.classifier import ClassifierCard
from edge.contracts.errors import ModelError
from edge.contracts.manifest import PreprocessRecipe
from edge.models.bundle import load_bundle
from edge.models.classifier import is_classifier, load_classifier
from edge.models.graph import read_graph


@pytest.fixture
def graph(editable_bundle) -> bytes:
    """The shipped graph without weights, its first output alone: two classes."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(editable_bundle.graph, 0))
    signature = model.signatureDefs[0]
    signature.outputs = [e for e in signature.outputs if e.name in ("malignancy", b"malignancy")]
    model.subgraphs[0].outputs = np.array([signature.outputs[0].tensorIndex], np.int32)
    builder = flatbuffers.Builder(2**20)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def write(path, graph, labels="cyst\nsolid", **changes):
    found = read_graph(graph)
    _, height, width, _ = next(iter(found.inputs.values())).shape
    recipe = PreprocessRecipe(width=width, height=height)
    fields = {
        "name": "organ",
        "version": "2.0",
        "task": "classification",
        "body_part": "",
        "licence": "",
        "graph_sha256": hashlib.sha256(graph).hexdigest(),
        "input": next(iter(found.inputs.values())),
        "output": found.outputs["malignancy"],
        "class_names": ["cyst", "solid"],
        "recipe": recipe,
        "recipe_sha256": recipe.digest(),
        "training_data": [],
        "metrics": [],
        "git_revision": "",
        "created": "2026-01-01T00:00:00Z",
    }
    card = ClassifierCard(**{**fields, **changes})
    file = io.BytesIO(graph)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("labels.txt", labels)
        archive.writestr("classifier.json", msgspec.json.encode(card))
    path.write_bytes(file.getvalue())
    return path


def test_it_is_shown(tmp_path, graph, capsys):
    path = write(tmp_path / "organ.tflite", graph)
    assert is_classifier(path)
    assert load_classifier(path).graph == graph
    assert run(["model", "info", str(path)]) == 0
    text = capsys.readouterr().out
    assert "organ 2.0   a plain classifier: no device judges by it" in text
    assert "cyst / solid" in text
    assert run(["model", "info", str(path), "--json"]) == 0
    assert msgspec.json.decode(capsys.readouterr().out)["classifier"]["class_names"] == ["cyst", "solid"]


def test_no_device_takes_it_for_a_bundle(tmp_path, graph):
    path = write(tmp_path / "organ.tflite", graph)
    with pytest.raises(ModelError, match="a plain classifier") as caught:
        load_bundle(path)
    assert "export bundle" in caught.value.hint


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"class_names": ["a", "b", "c"]}, "output"),
        ({"class_names": ["solid", "cyst"]}, "labels.txt"),
        ({"recipe_sha256": "00"}, "recipe_sha256"),
        ({"graph_sha256": "00"}, "not those that were described"),
    ],
)
def test_one_that_says_what_is_not_so_is_refused(tmp_path, graph, changes, message):
    with pytest.raises(ModelError, match=message):
        load_classifier(write(tmp_path / "organ.tflite", graph, **changes))


def test_neither_a_bundle_nor_a_damaged_file_is_one(tmp_path, graph, editable_bundle):
    path = write(tmp_path / "organ.tflite", graph)
    path.write_bytes(path.read_bytes()[:-30])
    assert not is_classifier(path)
    with pytest.raises(ModelError):
        load_classifier(path)
    bundle = editable_bundle.write(tmp_path / "bundle.tflite")
    assert not is_classifier(bundle)
    with pytest.raises(ModelError, match=r"classifier\.json missing"):
        load_classifier(bundle)
