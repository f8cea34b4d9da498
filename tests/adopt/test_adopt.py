"""A classifier from elsewhere becomes a bundle; what is unknown is asked for, what cannot run refused by name."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from tiny_classifiers import LABELS, edited, float_classifier, int8_classifier

from edge.adopt.adopt import AdoptOptions, adopt
from edge.adopt.foreign_model import read_foreign_model
from edge.adopt.metadata import parse_labels, read_metadata, write_metadata
from edge.adopt.signed_graph import with_signature
from edge.cli.main import run
from edge.contracts.errors import EdgeError, ModelError, UsageError
from edge.contracts.manifest import ClassificationManifest
from edge.contracts.picture_recipe import PictureRecipe
from edge.models.bundle import load_bundle
from edge.models.bundle_file import split_bundle
from edge.models.graph import read_graph

pytestmark = pytest.mark.usefixtures("in_process")


def adopted(tmp_path, data, **options):
    path = tmp_path / "own.tflite"
    path.write_bytes(data)
    given = {"labels": LABELS, "input_range": "0..1", **options}
    return adopt(path, tmp_path / "own.sono.tflite", AdoptOptions(**given))


def test_a_file_without_a_signature_gets_one_and_its_weights_stay(tmp_path):
    data = float_classifier().bytes()
    with pytest.raises(ModelError, match="signature"):
        read_graph(data)
    bundle = adopted(tmp_path, data).bundle
    assert isinstance(bundle.manifest, ClassificationManifest)
    graph = split_bundle(bundle.model_bytes).graph
    assert graph.endswith(data), "the old bytes are there, byte for byte"
    found = read_graph(graph)
    assert (list(found.inputs), found.first_output) == (["image"], "labels")
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(graph, 0))  # as other readers see it
    assert [entry.name for entry in model.metadata] == [b"TFLITE_METADATA"]
    old, new = Interpreter(model_content=data), Interpreter(model_content=graph)
    picture = np.random.default_rng(0).uniform(0, 1, (1, 24, 24, 3)).astype(np.float32)
    answers = []
    for each in (old, new):
        each.allocate_tensors()
        each.set_tensor(each.get_input_details()[0]["index"], picture)
        each.invoke()
        answers.append(each.get_tensor(each.get_output_details()[0]["index"]))
    assert np.array_equal(*answers)


def test_adopting_an_adopted_file_asks_for_nothing(tmp_path):
    first = adopted(tmp_path, float_classifier().bytes(), name="organ", licence="CC0")
    again = adopt(first.bundle.path, tmp_path / "again.tflite", AdoptOptions())
    assert again.bundle.labels == LABELS
    assert again.bundle.manifest.recipe.digest() == first.bundle.manifest.recipe.digest()
    assert (again.bundle.manifest.name, again.bundle.manifest.licence) == ("organ", "CC0")
    assert split_bundle(again.bundle.model_bytes).graph.count(b"TFL3") == 3, "the old tables stay behind the new ones"


@pytest.mark.parametrize(
    ("ends", "output", "exclusive"),
    [("SOFTMAX", "probabilities", True), ("LOGISTIC", "probabilities", False), ("", "logits", True)],
)
def test_softmax_sigmoid_and_logits_are_told_apart(tmp_path, ends, output, exclusive):
    rules = adopted(tmp_path, float_classifier(ends=ends).bytes()).bundle.manifest.labels
    assert (rules.output, rules.exclusive, rules.threshold) == (output, exclusive, 0.5)


@pytest.mark.parametrize("uint8", [True, False])
def test_integer_models_tell_their_own_range(tmp_path, uint8):
    bundle = adopted(tmp_path, int8_classifier(uint8=uint8).bytes(), input_range=None).bundle
    tensors = bundle.golden.tensors
    assert tensors.dtype == (np.uint8 if uint8 else np.int8)
    assert int(tensors.max()) - int(tensors.min()) > 150


def test_one_channel_and_thresholds(tmp_path):
    options = {"thresholds": {"": 0.4, "cyst": 0.7}, "clear_label": "normal"}
    manifest = adopted(tmp_path, float_classifier(side=40, channels=1).bytes(), **options).bundle.manifest
    assert (manifest.recipe.colour, manifest.recipe.channels, manifest.recipe.width) == ("grey", 1, 40)
    assert [manifest.labels.threshold_of(label) for label in LABELS] == [0.7, 0.4, 0.4]
    assert manifest.labels.clear_label == "normal"


def two_inputs():
    made = float_classifier()
    made.inputs.append(made.make.tensor((1, 4)))
    return made.bytes()


def two_outputs():
    made = float_classifier()
    made.outputs.append(2)
    return made.bytes()


def custom(name):
    def change(model):
        code = model.operatorCodes[-1]
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
        code.customCode = name

    return edited(float_classifier().bytes(), change)


def dynamic():
    def change(model):
        model.subgraphs[0].tensors[0].shapeSignature = np.array([-1, -1, 24, 3], np.int32)

    return edited(float_classifier().bytes(), change)


def nan_weights():
    def change(model):
        tensor = model.subgraphs[0].tensors[1]
        values = np.array(model.buffers[tensor.buffer].data, np.uint8).view("<f4").copy()
        values[7] = np.nan
        model.buffers[tensor.buffer].data = values.view(np.uint8)

    return edited(float_classifier().bytes(), change)


def dead():
    def change(model):
        for buffer in model.buffers[1:3]:
            buffer.data = np.zeros_like(np.array(buffer.data, np.uint8))

    return edited(float_classifier().bytes(), change)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (two_inputs(), "one input, a picture; the model has 2"),
        (two_outputs(), "one output, scores or a map of them; the model has 2"),
        (custom(b"FlexErf"), "TensorFlow's own operators.*FlexErf"),
        (custom(b"TFLite_Detection_PostProcess"), "a detector"),
        (custom(b"MyOwn"), "custom operators.*MyOwn"),
        (dynamic(), "no fixed shape"),
        (nan_weights(), "1 of the weights of 't1' are NaN"),
        (dead(), "the same for every picture"),
        (float_classifier(channels=4).bytes(), "1 or 3 channels"),
        (float_classifier(ends="RELU").bytes(), "neither probabilities nor plainly logits"),
        (b"PK\x03\x04" + bytes(40), "not a TFLite model"),
        (float_classifier().bytes()[:-200], "damaged"),
    ],
    ids=["inputs", "outputs", "flex", "detector", "custom", "dynamic", "nan", "dead", "rgba", "relu", "zip", "cut"],
)
def test_what_cannot_run_here_is_refused_by_name(tmp_path, data, match):
    with pytest.raises(EdgeError, match=match) as caught:
        adopted(tmp_path, data)
    assert caught.value.hint
    assert "\n" not in caught.value.message
    assert not (tmp_path / "own.sono.tflite").exists()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"labels": None}, "nothing names the 3 outputs"),
        ({"labels": ("a", "b")}, "has 2 labels, the model has 3 outputs"),
        ({"labels": ("a", "b", "a")}, "stands there twice"),
        ({"labels": ("a", "", "c")}, "'' is no label"),
        ({"labels": ("a", "b\x1b[31m", "c")}, "is no label"),
        ({"input_range": None}, "nothing says which values its float32 input takes"),
        ({"input_range": "0..2"}, "not known"),
        ({"scores": "odds"}, "not known"),
        ({"judges": "segmentation"}, "gives a map, this model gives"),
        ({"judges": "detection"}, "detection cannot be adopted"),
        ({"min_area": 0.6}, "a share of the input under 0.5"),
        ({"min_area": 0.01}, "a classifier has none"),
        ({"thresholds": {"tumour": 0.6}}, "'tumour' is no label"),
        ({"clear_label": "healthy"}, "'healthy' is no label"),
    ],
)
def test_what_is_missing_or_contradicts_the_file_is_named(tmp_path, options, match):
    with pytest.raises(UsageError, match=match) as caught:
        adopted(tmp_path, float_classifier().bytes(), **options)
    assert caught.value.hint


def test_metadata_are_read_and_those_that_lie_are_refused(tmp_path):
    bundle = adopted(tmp_path, float_classifier().bytes(), input_range="-1..1").bundle
    data = bundle.model_bytes
    said = read_metadata(data, len(split_bundle(data).graph))
    assert (said.labels, said.mean, said.std, said.colour) == (LABELS, (127.5,), (127.5,), "rgb")
    lying = data.replace(b"labels.txt", b"labels.tx_", 1)  # the name in the metadata, not that in the ZIP
    (tmp_path / "lying.tflite").write_bytes(lying)
    with pytest.raises(ModelError, match="not in the file"):
        adopt(tmp_path / "lying.tflite", tmp_path / "out.tflite", AdoptOptions())


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"channels": 1, "colour": "grey"}, "say grey, its input has 3 channels"),
        ({"std": (0.0,)}, "normalisation is impossible"),
        ({"mean": (float("nan"),)}, "normalisation is impossible"),
        ({"mean": (1.0, 2.0), "std": (1.0, 2.0)}, "2 means for 3 channels"),
    ],
)
def test_metadata_that_contradict_the_input_are_refused(tmp_path, changes, match):
    data = float_classifier().bytes()
    model = read_foreign_model(data)
    said = write_metadata("n", "d", "1", "l", PictureRecipe(width=24, height=24, **changes))
    with pytest.raises(ModelError, match=match):
        adopted(tmp_path, with_signature(model, {"x": model.outputs[0][1]}, said), input_range=None)


@pytest.mark.slow
def test_the_largest_input_fits(tmp_path):
    bundle = adopted(tmp_path, float_classifier(side=1024).bytes()).bundle
    assert len(bundle.golden) == 2


def test_labels_files_of_several_kinds():
    assert parse_labels(b"\xef\xbb\xbfa b\r\nc\r\n\r\n") == ("a b", "c")
    assert parse_labels(b"0 cyst\n1 solid mass\n") == ("cyst", "solid mass")
    assert parse_labels(b"0 cyst\n2 solid\n") == ("0 cyst", "2 solid")
    with pytest.raises(ModelError, match="UTF-8"):
        parse_labels(b"\xff\xfe")


def test_any_cut_of_a_file_is_one_error(tmp_path):
    data = float_classifier().bytes()
    for end in range(0, len(data), 97):
        with pytest.raises(ModelError):
            read_foreign_model(data[:end])


def test_the_command_says_what_was_settled_and_what_comes_next(tmp_path, capsys):
    (tmp_path / "own.tflite").write_bytes(float_classifier().bytes())
    (tmp_path / "labels.txt").write_text("\n".join(LABELS))
    out = tmp_path / "own.sono.tflite"
    given = ["--labels", str(tmp_path / "labels.txt"), "--input-range", "0..1", "--threshold", "cyst=0.6"]
    assert run(["model", "adopt", str(tmp_path / "own.tflite"), *given, "--out", str(out)]) == 0
    text = capsys.readouterr().out
    for word in ("it ends with softmax", "XNNPACK", "Edge TPU", "gate       none", f"--model {out}"):
        assert word in text
    assert load_bundle(out).manifest.labels.thresholds == {"cyst": 0.6}
    assert run(["model", "info", str(out)]) == 0
    assert "judges     classification" in capsys.readouterr().out
    assert run(["model", "verify", str(out)]) == 0


def test_pictures_choose_thresholds_and_are_not_kept(tmp_path, capsys):
    from sample_pictures import write_png

    (tmp_path / "own.tflite").write_bytes(float_classifier().bytes())
    (tmp_path / "labels.txt").write_text("\n".join(LABELS))
    for label in LABELS:
        (tmp_path / "pictures" / label).mkdir(parents=True)
        for number in range(4):
            write_png(tmp_path / "pictures" / label / f"{number}.png")
    out = tmp_path / "own.sono.tflite"
    given = [
        "--labels",
        str(tmp_path / "labels.txt"),
        "--input-range",
        "0..1",
        "--pictures",
        str(tmp_path / "pictures"),
    ]
    assert run(["model", "adopt", str(tmp_path / "own.tflite"), *given, "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert "pictures  right  threshold" in text
    thresholds = load_bundle(out).manifest.labels.thresholds
    assert list(thresholds.values()) == [0.99], "all pictures are alike, and two of three wrong"


def test_a_classifier_of_an_earlier_version_is_adopted_without_a_question(tmp_path):
    import hashlib
    import io
    import zipfile

    import msgspec

    from edge.contracts.classifier import ClassifierCard
    from edge.contracts.manifest import DataSource, PreprocessRecipe

    graph = adopted(tmp_path, int8_classifier().bytes(), input_range=None).bundle
    flat = split_bundle(graph.model_bytes).graph
    found, recipe = read_graph(flat), PreprocessRecipe(width=32, height=32, median=3)
    card = ClassifierCard(
        name="organ",
        version="2.0",
        task="classification",
        body_part="THYROID",
        licence="CC0",
        graph_sha256=hashlib.sha256(flat).hexdigest(),
        input=found.inputs["image"],
        output=found.outputs["labels"],
        class_names=list(LABELS),
        recipe=recipe,
        recipe_sha256=recipe.digest(),
        training_data=[DataSource(name="d", licence="l", citation="c", used_for="u")],
        metrics=[],
        git_revision="abc",
        created="2026-01-01T00:00:00Z",
    )
    file = io.BytesIO(flat)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("labels.txt", "\n".join(LABELS))
        archive.writestr("classifier.json", msgspec.json.encode(card))
    (tmp_path / "old.tflite").write_bytes(file.getvalue())
    with pytest.raises(ModelError) as caught:
        load_bundle(tmp_path / "old.tflite")
    assert "model adopt" in caught.value.hint
    manifest = adopt(tmp_path / "old.tflite", tmp_path / "new.tflite", AdoptOptions()).bundle.manifest
    assert (manifest.name, manifest.body_part, manifest.recipe.median, manifest.recipe.fit) == (
        *("organ", "THYROID", 3, "letterbox"),
    )
    assert manifest.training_data[0].name == "d"


def test_a_bare_file_is_told_how_to_come_in(tmp_path):
    (tmp_path / "own.tflite").write_bytes(float_classifier().bytes())
    with pytest.raises(ModelError) as caught:
        load_bundle(tmp_path / "own.tflite")
    assert "edge-cli model adopt" in caught.value.hint


def test_an_output_that_cannot_be_written_is_one_error(tmp_path):
    (tmp_path / "own.tflite").write_bytes(float_classifier().bytes())
    (tmp_path / "file").write_text("")
    options = AdoptOptions(labels=LABELS, input_range="0..1")
    with pytest.raises(EdgeError, match="cannot be written"):
        adopt(tmp_path / "own.tflite", tmp_path / "file" / "out.tflite", options)


def test_changed_bytes_never_end_in_anything_but_one_error(tmp_path):
    data = float_classifier(side=8).bytes()
    rng = np.random.default_rng(1)
    for _ in range(400):
        body = bytearray(data)
        for at in rng.integers(8, len(body), rng.integers(1, 4)):
            body[at] = int(rng.integers(256))
        with contextlib.suppress(EdgeError):  # any other comes through
            model = read_foreign_model(bytes(body))
            read_metadata(bytes(body), len(body))
            read_graph(with_signature(model, {"labels": model.outputs[0][1]}, b"x"))
