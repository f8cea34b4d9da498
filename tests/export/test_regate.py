"""A bundle gets a new anatomy head: limits, calibration, figures and golden vectors change, the rest stays."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from typer.testing import CliRunner

from edge.contracts.errors import EdgeError, ModelError, UsageError
from edge.contracts.manifest import DataSource, Golden, Metric
from edge.models.bundle import load_bundle
from edge.models.bundle_file import split_bundle
from export import regate
from export.__main__ import app
from export.bundle_file import append_zip
from export.cross_validation_results import CalibrationInput, CrossValidationResults
from export.gate_files import read_data_sources, read_gate_metrics, read_limits, read_tensors
from export.golden import cases as golden_cases
from export.golden import kernel_limits
from export.golden import tolerances as golden_tolerances
from export.golden.kernel_limits import KernelLimits, most_steps
from export.golden.picture_store import FoundPictures
from export.golden.search import SearchEffort
from export.golden.tolerances import forget_tolerances, renew_tolerances
from export.golden.vectors import empty_tensors
from export.head_replacement.head_design import HeadDesign, HeadLayer, write_design
from export.predict import run_graph
from export.regate import BundleChanges, GoldenOptions, NewGate, with_limits
from tests.export.lifted_head import lift_head
from tests.export.small_gated_graph import gated_graph, pictures

if TYPE_CHECKING:
    from pathlib import Path

LITTLE = SearchEffort(
    drawn=200, drawn_of_maps=60, scored=60, scored_of_maps=20, woken=60, wake_steps=6, explore_steps=3, explored=1,
    variants=12, guessed=6, finalists=2, by_base=1, rounds=1,
)  # fmt: skip
METRIC = Metric(name="judged", value=0.96, low=0.95, high=0.97, data="BUSI", n=9, method="counted; bootstrap")


@pytest.fixture(scope="module")
def bundle():
    return load_bundle()


@pytest.fixture(scope="module")
def graph(bundle) -> bytes:
    return split_bundle(bundle.model_bytes).graph


@pytest.fixture(scope="module")
def shown(bundle) -> np.ndarray:
    return np.concatenate([empty_tensors(bundle.manifest.recipe)[:20], bundle.golden.tensors])


@pytest.fixture
def quick(monkeypatch) -> None:
    monkeypatch.setattr(regate, "MOST", 3)
    monkeypatch.setattr(golden_cases, "SearchEffort", lambda: LITTLE)
    monkeypatch.setattr(golden_tolerances, "missing_for_onnx", lambda: ["onnxruntime"])
    monkeypatch.setattr(kernel_limits, "missing_for_onnx", lambda: ["onnxruntime"])


def new_gate(graph: bytes, shown: np.ndarray, **changes) -> NewGate:
    """The shipped gate's own weights: it judges as before, with other operators."""
    return dataclasses.replace(NewGate(lift_head(graph, "anatomy"), shown, limits=(0.25, 0.125)), **changes)


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_a_bundle_with_a_new_head_keeps_all_that_is_not_the_heads(bundle, graph, shown, tmp_path: Path):
    parts = split_bundle(bundle.model_bytes)
    (tmp_path / "old.tflite").write_bytes(append_zip(graph, parts.members | {"later.tflite": b"kept"}))
    old = load_bundle(tmp_path / "old.tflite")
    sources = (DataSource(name="Hand-made", licence="Apache-2.0", citation="-", used_for="anatomy gate"),)
    gate = new_gate(graph, shown, metrics=(METRIC,), training_data=sources)
    said: list[str] = []
    options = GoldenOptions(folder=tmp_path / "found")
    changes = BundleChanges("9.9.9", "Because a test said so.")
    made, noticed = regate.regate(old, tmp_path / "new.tflite", gate, changes, said.append, options)

    new, before = made.manifest, old.manifest
    changed = {name for name in new.__struct_fields__ if getattr(new, name) != getattr(before, name)}
    made_now = {"version", "created", "git_revision"} | (set() if before.trained else {"trained"})
    assert changed == made_now | {"graph_sha256", "thresholds", "golden", "metrics", "training_data"}
    assert new.trained == (before.trained or before.created) < new.created
    assert (new.thresholds.anatomy, new.thresholds.anatomy_stated) == (0.25, 0.125)
    assert msgspec.structs.replace(new.thresholds, anatomy=0, anatomy_stated=None) == msgspec.structs.replace(
        before.thresholds, anatomy=0, anatomy_stated=None
    )
    assert "other anatomy passed" in {metric.name for metric in before.metrics}
    assert "other anatomy passed" not in {metric.name for metric in new.metrics}
    assert new.metrics[-1] == METRIC
    assert new.training_data == list(sources)
    assert made.optional == {"later.tflite": 4}
    assert "Because a test said so." in made.card
    assert "breast 9.9.9" in made.card
    assert [head.head for head in noticed] == ["malignancy", "lesion_mask", "anatomy"]

    now = split_bundle(made.model_bytes).graph
    assert b"9.9.9" in now  # the standard metadata, which other tools read
    assert before.version.encode() + b"\x00" not in now
    tensors = np.concatenate([shown, made.golden.tensors])
    one, two = run_graph(graph, tensors), run_graph(now, tensors)
    for head in ("malignancy", "lesion_mask"):
        np.testing.assert_array_equal(one[head], two[head])
    assert len(now) < len(graph) + 2048
    frames = {frame.tobytes() for frame in old.golden.frames}
    assert sum(frame.tobytes() in frames for frame in made.golden.frames) >= 3
    assert len({frame.tobytes() for frame in made.golden.frames}) == len(made.golden.frames)
    assert any("known pictures are kept" in line for line in said)
    reference = new.golden.by_head["reference"]
    assert {name: reference[name] for name in ("malignancy", "lesion_mask")} == {
        name: before.golden.by_head["reference"][name] for name in ("malignancy", "lesion_mask")
    }
    assert "anatomy" in reference
    assert "anatomy" not in new.golden.by_head["onnx"]  # nothing was measured there


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_pictures_of_a_former_search_do_not_make_more_cases_than_allowed(bundle, graph, tmp_path: Path):
    altered = [frame for frame in bundle.golden.frames if frame.ndim == 2 and frame.shape == (192, 160)]
    kept = FoundPictures(tmp_path, (192, 160))
    for picture in altered[4:8]:
        kept.keep(picture)
    found = golden_cases.add_noticing_cases(
        graph, bundle.manifest, [], None, lambda _: None, tmp_path, altered[:2], most=3
    )
    assert len(found) == 3
    for case, picture in zip(found, (*altered[:2], altered[4]), strict=True):
        np.testing.assert_array_equal(case.pixels, picture)


@pytest.mark.slow
def test_calibration_and_figures_come_from_the_folds(bundle, graph, shown):
    thresholds = msgspec.structs.replace(bundle.manifest.thresholds, malignancy=0.2, uncertain=(0.1, 0.3), anatomy=0.9)
    slope = msgspec.structs.replace(bundle.manifest.calibration, slope=0.7)
    folds = CrossValidationResults(CalibrationInput("int8", slope, thresholds, "a test"), (METRIC,))
    made = regate.new_manifest(
        bundle.manifest, graph, new_gate(graph, shown), BundleChanges("9.9.9", folds=folds), lambda _: None
    )
    assert made.metrics == [METRIC]
    assert made.calibration == slope
    assert made.thresholds == msgspec.structs.replace(thresholds, anatomy=0.25, anatomy_stated=0.125)
    assert "anatomy" not in made.golden.by_head["reference"]


@pytest.mark.slow
def test_what_would_be_untrue_is_refused(bundle, graph, shown, tmp_path: Path):
    out = tmp_path / "new.tflite"
    gate = new_gate(graph, shown)
    with pytest.raises(ModelError, match="already"):
        regate.regate(bundle, out, gate, BundleChanges(bundle.manifest.version), lambda _: None)
    thresholds, calibration = bundle.manifest.thresholds, bundle.manifest.calibration
    folds = CrossValidationResults(CalibrationInput("int8", calibration, thresholds, "a test"))
    with pytest.raises(UsageError, match="--calibration needs --figures"):
        regate.regate(bundle, out, gate, BundleChanges("9.9.9", folds=folds), lambda _: None)
    assert not out.exists()


@pytest.mark.slow
def test_limits_are_chosen_on_known_pictures_with_int8_outputs(bundle, graph, shown):
    gate = new_gate(graph, shown, limits=None)
    with pytest.raises(UsageError, match="no limit for the new head"):
        with_limits(bundle.manifest.thresholds, graph, gate, lambda _: None)
    known = empty_tensors(bundle.manifest.recipe)
    found = with_limits(bundle.manifest.thresholds, graph, dataclasses.replace(gate, known=known), lambda _: None)
    scores = run_graph(graph, known)["anatomy"].reshape(-1) / 256
    assert found.anatomy_stated is not None
    assert 0 < found.anatomy_stated <= found.anatomy
    assert (scores < found.anatomy).mean() <= 0.01
    assert not (scores < found.anatomy_stated).any()
    with pytest.raises(ModelError, match="would refuse nothing"):
        with_limits(bundle.manifest.thresholds, graph, new_gate(graph, shown, limits=(0.0, None)), lambda _: None)


@pytest.mark.slow
def test_a_head_that_changes_another_is_refused(graph, shown, monkeypatch):
    made = regate.with_new_head(graph, "anatomy", lift_head(graph, "anatomy"), shown[:4])
    body = bytearray(made.graph)
    at = made.graph.find(split_weights(graph))
    body[at] ^= 0x7F
    monkeypatch.setattr(regate, "with_new_head", lambda *_: dataclasses.replace(made, graph=bytes(body)))
    with pytest.raises(ModelError, match="gives other values beside the new one"):
        regate.make_graph(graph, new_gate(graph, shown[:4]), lambda _: None)


def split_weights(graph: bytes) -> bytes:
    """Bytes of the weights of the first convolution."""
    from export.converted_graph import unpack_model

    model = unpack_model(graph)
    convolution = model.subgraphs[0].operators[1]
    data: bytes = model.buffers[model.subgraphs[0].tensors[int(convolution.inputs[1])].buffer].data.tobytes()
    return data


def test_tolerances_of_other_heads_stay_and_the_new_heads_are_measured(monkeypatch):
    old = Golden(
        max_abs_diff={"xnnpack": 0},
        by_head={"reference": {"gate": 5, "map": 20, "score": 3}, "onnx": {"gate": 3, "map": 9}},
        method="before",
    )
    assert forget_tolerances(old, "gate").by_head == {"reference": {"map": 20, "score": 3}, "onnx": {"map": 9}}
    seen = {"reference": {"LiteRT": {"gate": 8, "map": 20, "score": 4}}}
    monkeypatch.setattr(golden_tolerances, "_differences", lambda *_: seen)
    new = renew_tolerances(old, "gate", b"", [], lambda _: None)
    assert new.by_head == {"reference": {"gate": 14, "map": 20, "score": 8}, "onnx": {"map": 9}}
    assert new.max_abs_diff == {"xnnpack": 0}
    assert "gate 8, map 20, score 4" in new.method


def test_a_case_may_use_most_of_a_tolerance_or_any_that_could_be_set():
    golden = Golden(max_abs_diff={"xnnpack": 0}, by_head={"reference": {"malignancy": 10}, "onnx": {"anatomy": 5}})
    assert most_steps(golden, "reference", "malignancy") == 8
    assert most_steps(golden, "reference", "malignancy", 1.0) == 10  # a case that is shipped already
    assert most_steps(golden, "onnx", "anatomy") == 4
    assert most_steps(golden, "onnx", "malignancy") == 8  # as the reference kernels are held to
    assert most_steps(golden, "reference", "lesion_mask") == 48
    assert most_steps(golden, "reference", "anatomy") == 16
    assert most_steps(Golden(max_abs_diff={"reference": 10}), "onnx", "anatomy") == 8


def test_cases_are_tried_in_every_kernel_there_is(bundle, monkeypatch):
    graph, shown = gated_graph(), pictures(3)
    said: list[str] = []
    monkeypatch.setattr(kernel_limits, "missing_for_onnx", lambda: ["tf2onnx"])
    with KernelLimits(graph, bundle.manifest, said.append) as limits:
        assert limits.hold(shown[:1], run_graph(graph, shown[:1]))
        other = run_graph(graph, shown[:1])
        assert not limits.hold(shown[:1], {**other, "gate": other["gate"] ^ 0xFF})
    assert "tf2onnx is not installed" in said[0]

    def refuse(*_: object) -> None:
        raise EdgeError("no", hint="no")

    monkeypatch.setattr(kernel_limits, "missing_for_onnx", list)
    monkeypatch.setattr(kernel_limits, "to_onnx", refuse)
    with KernelLimits(graph, bundle.manifest, said.append) as limits:
        assert limits.hold(shown[:1], run_graph(graph, shown[:1]))
    assert "cases are not tried in ONNX Runtime: no" in said[1]
    monkeypatch.setattr(kernel_limits, "to_onnx", lambda *_: None)
    off = {name: values ^ 0xFF for name, values in run_graph(graph, shown[:1]).items()}
    monkeypatch.setattr(kernel_limits, "run_onnx", lambda *_: off)
    with KernelLimits(graph, bundle.manifest, said.append) as limits:
        assert not limits.hold(shown[:1], run_graph(graph, shown[:1]))


def test_tensors_are_read_or_refused(tmp_path: Path):
    path = tmp_path / "pictures.npz"
    good = np.zeros((2, 3, 4, 3), np.uint8)
    np.savez(path, tensors=good)
    np.testing.assert_array_equal(read_tensors(path, (3, 4, 3)), good)
    for wrong in (good[:0], good.astype(np.float32), good[:, :2], good[0]):
        np.savez(path, tensors=wrong)
        with pytest.raises(UsageError, match="expected tensors"):
            read_tensors(path, (3, 4, 3))
    np.savez(path, others=good)
    with pytest.raises(UsageError, match="is no file of pictures"):
        read_tensors(path, (3, 4, 3))
    np.save(tmp_path / "one.npy", good)
    with pytest.raises(UsageError, match="is no file of pictures"):
        read_tensors(tmp_path / "one.npy", (3, 4, 3))
    path.write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(UsageError, match="is no file of pictures"):
        read_tensors(path, (3, 4, 3))
    with pytest.raises(UsageError, match="is no file of pictures"):
        read_tensors(tmp_path / "none.npz", (3, 4, 3))


@pytest.mark.parametrize(
    ("mark", "offset", "byte"),
    [(b"PK\x01\x02", 8, 1), (b"PK\x01\x02", 6, 90), (b"PK\x01\x02", 10, 97), (b"), }", 0, 32)],
    ids=["encrypted", "of a later version", "by an unknown method", "a header that does not end"],
)
def test_a_damaged_file_of_pictures_is_one_error(mark: bytes, offset: int, byte: int, tmp_path: Path):
    path = tmp_path / "pictures.npz"
    np.savez(path, tensors=np.zeros((2, 3, 4, 3), np.uint8))
    data = bytearray(path.read_bytes())
    data[data.index(mark) + offset] = byte
    path.write_bytes(data)
    with pytest.raises(UsageError, match="is no file of pictures"):
        read_tensors(path, (3, 4, 3))


@pytest.mark.parametrize(
    ("anatomy", "stated", "known", "said"),
    [
        (None, None, False, "either --anatomy or --known"),
        (0.3, None, True, "either --anatomy or --known"),
        (None, 0.1, True, "needs --anatomy"),
        (0.0, None, False, "expected 0 < stated"),
        (1.0, None, False, "expected 0 < stated"),
        (0.3, 0.4, False, "expected 0 < stated"),
        (0.3, 0.0, False, "expected 0 < stated"),
        (float("nan"), None, False, "expected 0 < stated"),
    ],
)
def test_half_of_the_limits_is_refused(anatomy, stated, known: bool, said: str, tmp_path: Path):
    with pytest.raises(UsageError, match=said):
        read_limits(anatomy, stated, tmp_path if known else None)


def test_whole_limits_are_taken(tmp_path: Path):
    assert read_limits(0.3, 0.1, None) == (0.3, 0.1)
    assert read_limits(0.3, None, None) == (0.3, None)
    assert read_limits(None, None, tmp_path) is None


def test_figures_and_data_sets_are_read_or_refused(tmp_path: Path):
    metrics, recipe = tmp_path / "metrics.json", tmp_path / "recipe.toml"
    files = {
        "a.dcm": {"family": "heart", "passed": 1, "frames": 4},
        "b.dcm": {"family": "eye", "passed": 0, "frames": 4},
    }
    metrics.write_text(json.dumps({"gate": {"files": files}}), encoding="utf-8")
    assert [(m.name, m.value) for m in read_gate_metrics(metrics)] == [("other anatomy passed", 0.125)]
    both = {name: {**each, "passed_stated": 2} for name, each in files.items()}
    metrics.write_text(json.dumps({"gate": {"files": both}}), encoding="utf-8")
    assert [m.value for m in read_gate_metrics(metrics)] == [0.125, 0.5]
    assert {m.name for m in read_gate_metrics(metrics)} <= regate.GATE_METRICS
    for wrong in (
        "{",
        "[]",
        "{}",
        '{"gate": {"files": {}}}',
        '{"gate": {"files": {"a": 1}}}',
        '{"gate": {"files": {"a": {}}}}',
    ):
        metrics.write_text(wrong, encoding="utf-8")
        with pytest.raises(UsageError, match=r"metrics\.json"):
            read_gate_metrics(metrics)
    for passed, frames in ((1, 0), (5, 2), (-1, 4), ("NaN", 4), ("1e400", 4), (1, "1e400"), ('"2"', 4)):
        file = f'{{"family": "eye", "passed": {passed}, "frames": {frames}}}'
        metrics.write_text(f'{{"gate": {{"files": {{"a": {file}}}}}}}', encoding="utf-8")
        with pytest.raises(UsageError, match=r"metrics\.json"):
            read_gate_metrics(metrics)
    recipe.write_text('[[data]]\nname = "A"\nlicence = "B"\ncitation = "C"\nused_for = "D"\n', encoding="utf-8")
    assert read_data_sources(recipe) == [DataSource(name="A", licence="B", citation="C", used_for="D")]
    for wrong in ("data = []", "[[data]]\nname = 1", "[[data]", ""):
        recipe.write_text(wrong, encoding="utf-8")
        with pytest.raises(UsageError, match="names no data sets"):
            read_data_sources(recipe)
    with pytest.raises(UsageError, match="names no data sets"):
        read_data_sources(tmp_path / "none.toml")


def test_the_command_takes_what_belongs_together(bundle, tmp_path: Path, monkeypatch):
    layers = (
        HeadLayer(name="trunk", kind="tensor", tensor="nowhere"),
        HeadLayer(name="mean", kind="mean", inputs=["trunk"]),
        HeadLayer(name="logit", kind="conv", inputs=["mean"]),
    )
    write_design(HeadDesign(layers, {"logit.weights": np.ones((1, 1, 12, 1))}), tmp_path / "head.npz")
    np.savez(tmp_path / "pictures.npz", tensors=bundle.golden.tensors)
    asked = ["regate", str(bundle.path), "--head", str(tmp_path / "head.npz"), "--version", "9.9.9"]
    asked += ["--representative", str(tmp_path / "pictures.npz"), "--out", str(tmp_path / "new.tflite")]
    result = CliRunner().invoke(app, asked)
    assert "either --anatomy or --known" in str(result.exception)
    result = CliRunner().invoke(app, [*asked, "--anatomy", "0.3"])
    assert "the graph has no tensor 'nowhere'" in str(result.exception)
    taken: list[object] = []

    def write(*arguments: object) -> tuple[object, list[object]]:
        taken.extend(arguments)
        return bundle, []

    monkeypatch.setattr(regate, "regate", write)
    result = CliRunner().invoke(app, [*asked, "--known", str(tmp_path / "pictures.npz"), "--reason", "Because."])
    assert result.exit_code == 0, result.exception
    assert f"{len(load_bundle().golden)} golden cases" in result.output
    _, out, gate, changes, _, options = taken
    assert out == tmp_path / "new.tflite"
    assert isinstance(gate, NewGate)
    assert gate.limits is None
    assert gate.known is not None
    assert changes == BundleChanges("9.9.9", "Because.")
    assert options == GoldenOptions()
