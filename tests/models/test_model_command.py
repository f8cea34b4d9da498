"""``edge-cli model info`` and ``edge-cli model verify`` as a user calls them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge.cli.main import run
from edge.models.bundle import load_bundle
from edge.models.bundle_file import split_bundle

if TYPE_CHECKING:
    from tests.models.conftest import EditableBundle


def test_info_tells_people_what_they_must_know(capsys):
    bundle = load_bundle()
    assert run(["model", "info"]) == 0
    out = capsys.readouterr().out
    flat = " ".join(out.split())
    for text in (
        "research use only",
        bundle.sha256,
        bundle.manifest.version,
        *(m.name for m in bundle.manifest.metrics),
        *(d.licence for d in bundle.manifest.training_data),
        *(" ".join(line.split()) for line in bundle.manifest.not_shown),
        f"{bundle.manifest.thresholds.malignancy:.3f}",
    ):
        assert text in flat


def test_info_tells_both_anatomy_limits_and_what_uncertain_means(editable_bundle: EditableBundle, tmp_path, capsys):
    thresholds = editable_bundle.manifest["thresholds"]
    said = []
    for changes in ({"uncertain": [0.3, 0.6], "anatomy_stated": 0.001}, {"uncertain": None, "anatomy_stated": None}):
        thresholds.update(changes)
        assert run(["model", "info", str(editable_bundle.write(tmp_path / "m.tflite"))]) == 0
        said.append(capsys.readouterr().out)
    limit = f"anatomy    not judged under {thresholds['anatomy']:.3f}"
    assert f"{limit}; under 0.001 where configuration or DICOM says BREAST\n" in said[0]
    assert "uncertain  between 0.300 and 0.600: with a lesion an uncertain call, without one not judged" in said[0]
    assert f"{limit}\n" in said[1]
    assert "uncertain  none" in said[1]


def test_info_as_json_is_the_manifest(capsys):
    bundle = load_bundle()
    assert run(["model", "info", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["sha256"] == bundle.sha256
    assert said["bytes"] == bundle.size
    assert said["manifest"]["recipe_sha256"] == bundle.manifest.recipe.digest()


def test_info_lists_the_optional_members_with_their_sizes(editable_bundle: EditableBundle, tmp_path, capsys):
    editable_bundle.extra = {"clip.tflite": editable_bundle.graph, "later.tflite": bytes(12_345)}
    path = str(editable_bundle.write(tmp_path / "m.tflite"))
    assert run(["model", "info", path]) == 0
    out = capsys.readouterr().out
    assert f"optional clip.tflite, {len(editable_bundle.graph):,} bytes: not used here" in out
    assert "optional later.tflite, 12,345 bytes: not known here" in out
    assert run(["model", "info", path, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["optional_members"] == {
        "clip.tflite": {"bytes": len(editable_bundle.graph), "known": True},
        "later.tflite": {"bytes": 12_345, "known": False},
    }


def test_a_bundle_cannot_steer_the_terminal(editable_bundle: EditableBundle, tmp_path, capsys):
    editable_bundle.manifest["not_shown"] = ["\x1b]0;owned\x07text"]
    assert run(["model", "info", str(editable_bundle.write(tmp_path / "m.tflite"))]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "text" in out


def test_verify_replays_the_golden_vectors(capsys):
    assert run(["model", "verify"]) == 0
    out = capsys.readouterr().out
    assert f"{len(load_bundle().golden)} cases as measured" in out
    assert "malignancy 0" in out


@pytest.mark.parametrize(("name", "said"), [("output_malignancy", "malignancy differs"), ("tensors", "values differ")])
def test_verify_fails_where_something_else_comes_out(
    editable_bundle: EditableBundle, shipped_bytes, tmp_path, capsys, name, said
):
    editable_bundle.graph = split_bundle(shipped_bytes).graph
    changed = editable_bundle.golden[name].copy()
    changed.reshape(-1)[-1] ^= 1
    editable_bundle.golden[name] = changed
    assert run(["model", "verify", str(editable_bundle.write(tmp_path / "m.tflite"))]) == 4
    captured = capsys.readouterr()
    assert said in captured.err
    assert "NOT as measured" in captured.out


def test_verify_is_not_fooled_by_a_runtime_that_computes_nothing(capsys):
    assert run(["model", "verify", "--runtime", "scripted://"]) == 4
    assert "computes nothing" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["info", "verify"])
def test_no_model_is_two_lines(tmp_path, capsys, command):
    path = tmp_path / "model.tflite"
    path.write_bytes(np.zeros(100, np.uint8).tobytes())
    assert run(["model", command, str(path)]) == 4
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["error", "hint"]
