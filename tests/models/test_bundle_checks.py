"""Consistency checks of a bundle: a manifest that cannot be true is refused, with the one thing that is wrong."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from edge.contracts.errors import ModelError
from edge.models.bundle import load_bundle
from edge.models.bundle_checks import check_golden, check_tolerances
from edge.models.scripted_manifest import scripted_manifest

if TYPE_CHECKING:
    from tests.models.conftest import EditableBundle


def change(manifest: dict[str, Any], path: str, value: Any) -> None:
    """Set ``a.b.c`` in the manifest; None removes it."""
    *parents, last = path.split(".")
    for key in parents:
        manifest = manifest[key]
    if value is None:
        del manifest[last]
    else:
        manifest[last] = value


@pytest.mark.parametrize(
    ("path", "value", "match"),
    [
        ("manifest_version", 3, "not valid"),
        ("name", None, "not valid"),
        ("name", 7, "not valid"),
        ("research_only", False, "not valid"),
        ("graph_sha256", "00", "not those that the manifest was written for"),
        ("recipe_sha256", "00", "recipe_sha256: expected"),
        ("recipe.background", 13, "recipe_sha256: expected"),
        ("recipe.width", 192, "the recipe makes"),
        ("recipe.contrast", [0] * 255, "recipe"),
        ("input.scale", 0.5, "the manifest says input"),
        ("input.shape", [1, 160, 160, 1], "the manifest says input"),
        ("heads.malignancy", None, "no head 'malignancy'"),
        ("heads.anatomy", None, "no head 'anatomy'"),
        ("heads.malignancy.class_names", ["malignant", "benign"], "malignancy: expected"),
        ("heads.lesion_mask.tensor.shape", [1, 20, 20, 1], "the manifest says head lesion_mask"),
        ("heads.lesion_mask.tensor.dtype", "int8", "the manifest says head lesion_mask"),
        ("heads.extra", {"tensor": {"shape": [1, 1]}}, "none of that name"),
        ("thresholds.malignancy", 1.5, "not valid"),
        ("thresholds.malignancy", -0.1, "not valid"),
        ("thresholds.malignancy", 0.0, "thresholds.malignancy"),
        ("thresholds.malignancy", 1.0, "thresholds.malignancy"),
        ("thresholds.lesion", 0.0, "thresholds.lesion"),
        ("thresholds.lesion_score", 1.0, "thresholds.lesion_score"),
        ("thresholds.lesion_min_area", 0.9, "thresholds.lesion_min_area"),
        ("thresholds.prevalence", 0.0, "thresholds.prevalence"),
        ("thresholds.anatomy", 1.0, "thresholds.anatomy"),
        ("thresholds.anatomy_stated", 0.999, r"thresholds\.anatomy_stated: expected 0 up to thresholds\.anatomy"),
        ("thresholds.anatomy_stated", 1.5, "not valid"),
        ("thresholds.anatomy_stated", -0.1, "not valid"),
        ("thresholds.anatomy_stated", "none", "not valid"),
        ("thresholds.uncertain", [0.6, 0.4], "thresholds.uncertain"),
        ("calibration.slope", -1.0, "calibration"),
        ("calibration.slope", 0.0, "calibration"),
        ("calibration.presence", -1.0, "not valid"),
        ("manifest_version", 1, "calibration.presence 2.0: expected manifest_version 2, got 1"),
        ("golden.max_abs_diff", {}, "max_abs_diff"),
        ("golden.max_abs_diff", {"xnnpack": 255}, "max_abs_diff"),
        ("golden.max_abs_diff", {"xnnpack": -1}, "max_abs_diff"),
        ("golden.by_head", {"reference": {"lesion_mask": 97}}, "0 to 96 for a head of reference, got lesion_mask 97"),
        ("golden.by_head", {"reference": {"malignancy": 33}}, "0 to 32 for a head of reference"),
        ("golden.by_head", {"onnx": {"anatomy": -1}}, "0 to 32 for a head of onnx"),
        ("golden.by_head", {"onnx": {"other": 1}}, "got other 1"),
        ("golden.by_head", {"onnx": 3}, "not valid"),
    ],
)
def test_each_fault_is_named(editable_bundle: EditableBundle, tmp_path, path, value, match):
    change(editable_bundle.manifest, path, value)
    with pytest.raises(ModelError, match=match) as caught:
        load_bundle(editable_bundle.write(tmp_path / "m.tflite"))
    assert caught.value.hint


@pytest.mark.parametrize("body", [b"", b"{", b"null", b"[]", b"\xff", b"[" * 100_000, b'{"name": "a"'])
def test_a_manifest_that_is_no_manifest(editable_bundle: EditableBundle, tmp_path, body):
    editable_bundle.members["manifest.json"] = body
    with pytest.raises(ModelError, match=r"manifest\.json is not valid"):
        load_bundle(editable_bundle.write(tmp_path / "m.tflite"))


@pytest.mark.parametrize("labels", [b"", b"malignant\nbenign", b"benign\nmalignant\nother"])
def test_labels_must_be_the_manifests(editable_bundle: EditableBundle, tmp_path, labels):
    editable_bundle.members["labels.txt"] = labels
    with pytest.raises(ModelError, match=r"labels\.txt: expected benign, malignant"):
        load_bundle(editable_bundle.write(tmp_path / "m.tflite"))


def test_numbers_beyond_floats_do_no_harm(editable_bundle: EditableBundle, tmp_path):
    editable_bundle.members["manifest.json"] = (
        editable_bundle.bytes()
        .partition(b"manifest.json")[2]
        .partition(b"PK")[0]
        .replace(b'"slope": ', b'"slope": 1e999, "was": ', 1)
    )
    with pytest.raises(ModelError):
        load_bundle(editable_bundle.write(tmp_path / "m.tflite"))


def test_the_scripted_manifest_is_consistent():
    manifest = scripted_manifest()
    assert manifest.name == "scripted"
    assert manifest.recipe_sha256 == manifest.recipe.digest()
    assert manifest.input.shape == (1, manifest.recipe.height, manifest.recipe.width, manifest.recipe.channels)
    assert {name: head.tensor.shape for name, head in manifest.heads.items()} == {
        "malignancy": (1, 2),
        "lesion_mask": (1, 40, 40, 1),
        "anatomy": (1, 1),
    }
    assert {head.tensor.dtype for head in manifest.heads.values()} == {"float32"}, "the script must be able to say NaN"


@pytest.mark.parametrize(
    ("value", "fits"),
    [(0.0, True), (0.02, True), (0.05, True), (0.06, False), (-0.001, False), (float("nan"), False), (1e9, False)],
)
def test_float_tolerances_stay_under_what_a_broken_kernel_would_need(value, fits):
    manifest = scripted_manifest()
    golden = msgspec.structs.replace(manifest.golden, max_abs_diff={"xnnpack": 0}, max_abs_float={"gpu": value})
    manifest = msgspec.structs.replace(manifest, golden=golden)
    if fits:
        check_tolerances(manifest)
    else:
        with pytest.raises(ModelError, match=r"golden\.max_abs_float: expected 0 to 0\.05 for gpu"):
            check_tolerances(manifest)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("head", ["malignancy", "lesion_mask", "anatomy"])
def test_a_golden_output_that_is_not_finite_is_refused(head, value):
    """Floats alone can hold one: such a head could never be compared."""
    shipped = load_bundle()
    outputs = {name: values.astype(np.float32) / 256 for name, values in shipped.golden.outputs.items()}
    heads = {
        name: msgspec.structs.replace(spec, tensor=msgspec.structs.replace(spec.tensor, dtype="float32", scale=1.0))
        for name, spec in shipped.manifest.heads.items()
    }
    manifest = msgspec.structs.replace(shipped.manifest, heads=heads)
    check_golden(dataclasses.replace(shipped.golden, outputs=outputs), manifest)
    outputs[head].flat[-1] = value
    with pytest.raises(ModelError, match=f"output_{head} holds a value that is not finite"):
        check_golden(dataclasses.replace(shipped.golden, outputs=outputs), manifest)


@pytest.mark.parametrize("cases", [5, 6])
def test_a_bundle_with_fewer_golden_cases_still_loads(editable_bundle: EditableBundle, tmp_path, cases):
    """Bundles made before had six."""
    golden = editable_bundle.golden
    for name in list(golden):
        kind, _, number = name.rpartition("_")
        if kind in ("frame", "regions") and int(number) >= cases:
            del golden[name]
        elif name == "tensors" or name.startswith("output_"):
            golden[name] = golden[name][:cases]
    assert len(load_bundle(editable_bundle.write(tmp_path / "m.tflite")).golden) == cases


def test_presence_is_used_only_where_older_devices_refuse(editable_bundle: EditableBundle, tmp_path):
    """What older readers would pass over, and compute another probability, stands in a manifest that they refuse."""
    change(editable_bundle.manifest, "calibration.presence", 2.5)
    change(editable_bundle.manifest, "manifest_version", 2)
    assert load_bundle(editable_bundle.write(tmp_path / "m.tflite")).manifest.calibration.presence == 2.5


def test_the_second_anatomy_limit_is_at_most_the_first(editable_bundle: EditableBundle, tmp_path):
    first = editable_bundle.manifest["thresholds"]["anatomy"]
    for second in (0.0, first / 2, first):
        editable_bundle.manifest["thresholds"]["anatomy_stated"] = second
        limits = load_bundle(editable_bundle.write(tmp_path / "m.tflite")).manifest.thresholds
        assert (limits.anatomy, limits.anatomy_stated) == (first, second)
