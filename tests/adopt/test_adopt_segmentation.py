"""A segmentation network from elsewhere becomes a bundle; what is unknown is asked for, what cannot be is refused."""

from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from tiny_classifiers import edited
from tiny_segmenters import LABELS, float_segmenter, uint8_segmenter

from edge.adopt.adopt import AdoptOptions, adopt
from edge.adopt.foreign_model import BY_XNNPACK, read_foreign_model
from edge.adopt.metadata import read_metadata
from edge.cli.main import run
from edge.contracts.errors import EdgeError, ModelError, UsageError
from edge.contracts.manifest import MASK, SegmentationManifest
from edge.models.bundle import load_bundle
from edge.models.bundle_file import split_bundle
from edge.models.graph import read_graph
from edge.models.segmentation_checks import farthest_apart, largest_tolerance, why_no_map

pytestmark = pytest.mark.usefixtures("in_process")


def adopted(tmp_path, data, **options):
    path = tmp_path / "own.tflite"
    path.write_bytes(data)
    given = {"labels": LABELS, "input_range": "0..1", **options}
    return adopt(path, tmp_path / "own.sono.tflite", AdoptOptions(**given))


@pytest.mark.parametrize(
    ("data", "labels", "output", "exclusive"),
    [
        (float_segmenter(), LABELS, "probabilities", True),
        (float_segmenter(ends=""), LABELS, "logits", True),
        (float_segmenter(ends="LOGISTIC"), LABELS, "probabilities", False),
        (float_segmenter(labels=1, ends="LOGISTIC"), ("bright",), "probabilities", False),
        (float_segmenter(labels=1, ends=""), ("bright",), "logits", False),
        (float_segmenter(labels=2, side=64, stride=4), LABELS[:2], "probabilities", True),
        (float_segmenter(labels=1, channels=1, ends="LOGISTIC", height=24), ("bright",), "probabilities", False),
    ],
    ids=["softmax", "logits", "sigmoid", "one", "one-logit", "quarter", "grey"],
)
def test_the_shape_of_the_output_tells_that_it_is_a_segmentation(tmp_path, data, labels, output, exclusive):
    bundle = adopted(tmp_path, data.bytes(), labels=labels).bundle
    manifest = bundle.manifest
    assert isinstance(manifest, SegmentationManifest)
    assert (manifest.areas.output, manifest.areas.exclusive, manifest.areas.empty_is_clear) == (
        output,
        exclusive,
        False,
    )
    assert (bundle.labels, manifest.gate) == (labels, "none")
    assert read_graph(split_bundle(bundle.model_bytes).graph).first_output == MASK
    assert farthest_apart(bundle.golden.outputs[MASK]) > 2 * largest_tolerance(manifest)


def test_clear_of_a_map_of_logits_wants_to_know_whether_its_labels_exclude_each_other(tmp_path):
    data = float_segmenter(ends="").bytes()
    with pytest.raises(UsageError, match="exclude each other") as caught:
        adopted(tmp_path, data, clear_label="empty")
    assert "--scores sigmoid-logits" in str(caught.value.hint)
    assert adopted(tmp_path, data, clear_label="empty", scores="logits").bundle.manifest.areas.empty_is_clear


def test_an_integer_model_tells_its_own_range_and_is_compared_in_steps(tmp_path):
    bundle = adopted(tmp_path, uint8_segmenter().bytes(), labels=("dark",), input_range=None).bundle
    golden = bundle.manifest.golden
    assert (golden.allowed("xnnpack", MASK), golden.allowed("reference", MASK)) == (0, 32)
    assert golden.allowed("reference", "labels") == 16


def test_adopting_an_adopted_file_asks_for_nothing(tmp_path):
    first = adopted(tmp_path, float_segmenter().bytes(), name="organ", clear_label="background")
    assert first.bundle.manifest.areas.empty_is_clear
    again = adopt(first.bundle.path, tmp_path / "again.tflite", AdoptOptions())
    assert (again.bundle.labels, again.bundle.manifest.name) == (LABELS, "organ")
    said = read_metadata(first.bundle.model_bytes, len(split_bundle(first.bundle.model_bytes).graph))
    assert said.labels == LABELS


def test_an_operator_of_mediapipe_that_xnnpack_has_is_not_refused():
    def change(model):
        code = model.operatorCodes[-1]
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
        code.customCode = b"Convolution2DTransposeBias"

    model = read_foreign_model(edited(float_segmenter().bytes(), change))
    assert BY_XNNPACK & set(model.kinds)


def dynamic():
    def change(model):
        model.subgraphs[0].tensors[-1].shapeSignature = np.array([1, -1, -1, 3], np.int32)

    return edited(float_segmenter().bytes(), change)


def reshaped(shape):
    def change(model):
        model.subgraphs[0].tensors[model.subgraphs[0].outputs[0]].shape = np.array(shape, np.int32)

    return edited(float_segmenter().bytes(), change)


def of_type(number):
    def change(model):
        model.subgraphs[0].tensors[model.subgraphs[0].outputs[0]].type = number

    return edited(float_segmenter().bytes(), change)


def weights(values):
    def change(model):
        tensor = model.subgraphs[0].tensors[1]
        model.buffers[tensor.buffer].data = np.full(9, values, "<f4").view(np.uint8)
        bias = model.buffers[model.subgraphs[0].tensors[2].buffer]
        bias.data = np.zeros(len(bias.data), np.uint8)

    return edited(float_segmenter().bytes(), change)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (reshaped((1, 32, 96)), r"expected scores \(1, labels\), or a map"),
        (reshaped((1, 16, 2, 32, 3)), "or a map of them"),
        (reshaped((1, 16, 64, 3)), "another aspect than the input, 32 x 32, and cannot lie on it"),
        (reshaped((1, 1, 3072, 1)), "the map .* is over 1024 pixels long"),
        (reshaped((1, 1024, 1024, 3)), "has 3,145,728 values, and the most is 1,572,864"),
        (float_segmenter(side=512, stride=64).bytes(), "too coarse for an input of 512 x 512"),
        (of_type(schema.TensorType.INT64), "expected scores of uint8, int8 or float32, got t4 int64"),
        (dynamic(), "no fixed shape"),
        (weights(np.nan), "9 of the weights of 't1' are NaN"),
        (weights(np.arange(9) * 1e-4), "its maps of made pictures differ by .* at most"),
        (weights(0.0), "the same for every picture"),
        (float_segmenter().bytes()[:-300], "damaged"),
    ],
    ids=["rank-3", "rank-5", "aspect", "long", "large", "coarse", "classes", "dynamic", "nan", "faint", "dead", "cut"],
)
def test_what_is_no_map_is_refused_in_one_line(tmp_path, data, match):
    with pytest.raises(EdgeError, match=match) as caught:
        adopted(tmp_path, data)
    assert caught.value.hint
    assert "\n" not in caught.value.message
    assert not (tmp_path / "own.sono.tflite").exists()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"labels": None}, "nothing names the 3 outputs"),
        ({"labels": LABELS[1:]}, "has 2 labels, the model has 3 outputs"),
        ({"labels": (*LABELS, "x")}, "has 4 labels, the model has 3 outputs"),
        ({"judges": "classification"}, "a classifier gives one vector"),
        ({"judges": "detection"}, "detection cannot be adopted"),
        ({"judges": "lesion"}, "lesion cannot be adopted"),
        ({"clear_label": "bright"}, "a label with an area is never clear"),
        ({"clear_label": "normal"}, "'normal' is no label"),
        ({"thresholds": {"background": 0.6}}, "is the background, and never an area"),
        ({"min_area": 0.5}, "a share of the input under 0.5"),
        ({"input_range": None}, "nothing says which values"),
    ],
)
def test_what_is_missing_or_contradicts_the_file_is_named(tmp_path, options, match):
    with pytest.raises(UsageError, match=match) as caught:
        adopted(tmp_path, float_segmenter().bytes(), **options)
    assert caught.value.hint


def test_of_labels_the_hint_says_that_the_first_is_the_background(tmp_path):
    with pytest.raises(UsageError) as caught:
        adopted(tmp_path, float_segmenter().bytes(), labels=("bright", "red"))
    assert "the first is the background" in caught.value.hint


def test_a_map_that_is_neither_probability_nor_logit_is_asked_for(tmp_path):
    data = float_segmenter(labels=1, ends="RELU").bytes()
    with pytest.raises(UsageError, match="neither probabilities nor plainly logits"):
        adopted(tmp_path, data, labels=("bright",))
    with pytest.raises(UsageError, match="a map of one label is no softmax"):
        adopted(tmp_path, data, labels=("bright",), scores="softmax")


@pytest.mark.parametrize("shape", [(1, 33, 33, 2), (1, 32, 33, 2), (1, 256, 256, 2), (1, 1024, 1024, 1)])
def test_maps_of_other_sizes_than_the_input_fit(shape):
    assert why_no_map(shape, (1, 513, 513, 3)) is None


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"min_area": 0.7}, "areas.min_area"),
        ({"threshold": 1.0}, "areas.threshold"),
        ({"thresholds": {"background": 0.5}}, "never an area"),
        ({"thresholds": {"cyst": 0.5}}, "no label of the model"),
        ({"anatomy": 0.5}, "areas.anatomy"),
        ({"temperature": 0.001}, "areas.temperature"),
    ],
)
def test_each_fault_of_the_rules_is_named(tmp_path, changes, match):
    import msgspec

    from edge.models.bundle_writer import append_zip

    good = split_bundle(adopted(tmp_path, float_segmenter().bytes()).bundle.model_bytes)
    manifest = msgspec.json.decode(good.members["manifest.json"])
    manifest["areas"] |= changes
    bad = append_zip(good.graph, {**good.members, "manifest.json": msgspec.json.encode(manifest)})
    (tmp_path / "bad.tflite").write_bytes(bad)
    with pytest.raises(ModelError, match=match):
        load_bundle(tmp_path / "bad.tflite")


def test_the_command_says_what_was_settled_and_its_card_what_is_clear(tmp_path, capsys):
    (tmp_path / "own.tflite").write_bytes(float_segmenter().bytes())
    (tmp_path / "labels.txt").write_text("\n".join(LABELS))
    out = tmp_path / "own.sono.tflite"
    given = ["--labels", str(tmp_path / "labels.txt"), "--input-range", "0..1", "--out", str(out)]
    more = ["--clear", "empty", "--threshold", "red=0.6", "--min-area", "0.01"]
    assert run(["model", "adopt", str(tmp_path / "own.tflite"), *given, *more]) == 0
    text = capsys.readouterr().out
    assert "'background' is the background" in text
    assert "it ends with softmax" in text
    bundle = load_bundle(out)
    assert (bundle.manifest.areas.thresholds, bundle.manifest.areas.min_area) == ({"red": 0.6}, 0.01)
    assert "no place is over its threshold" in bundle.card
    assert "- background: from" not in bundle.card
    assert run(["model", "info", str(out)]) == 0
    assert "judges     segmentation" in capsys.readouterr().out
    assert run(["model", "verify", str(out)]) == 0
    assert "mask 0 of 0.002" in capsys.readouterr().out
    pictures = ["--pictures", str(tmp_path)]
    assert run(["model", "adopt", str(tmp_path / "own.tflite"), *given, *pictures]) == 2
    assert "this model gives areas" in capsys.readouterr().err
