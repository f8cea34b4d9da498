"""Recipe phantom from end to end, as a new user tries it first: render, train, export, infer as on the device."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("tensorflow", reason="training needs TensorFlow: make test-training has it")
pytest.importorskip("sklearn")

from module_commands import call

from edge.models.bundle import load_bundle

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_train_export_infer(tmp_path):
    run, bundle = tmp_path / "run", tmp_path / "phantom.tflite"
    call("training", "run", "--recipe", "phantom", "--out", run)
    figures = json.loads((run / "metrics.json").read_text())["test"]
    assert figures["auc"]["value"] > 0.85
    assert figures["dice"]["value"] > 0.6

    call("export", "bundle", run, "--out", bundle)
    manifest = load_bundle(bundle).manifest
    assert (manifest.body_part, manifest.task) == ("PHANTOM", "phantom-lesion")

    lines = call("edge.cli.main", "infer", run / "unseen", "--model", bundle, "--json").splitlines()
    answers: dict[str, Counter[str]] = {}
    for line in lines:
        answer = json.loads(line)
        answers.setdefault(Path(answer["path"]).name.split("-")[0], Counter())[answer["status"]] += 1
    assert {kind: sum(found.values()) for kind, found in answers.items()} == dict.fromkeys(
        ("benign", "malignant", "empty", "other"), 4
    )
    lesions = answers["benign"] + answers["malignant"]
    assert lesions["finding"] >= 5, answers
    assert lesions["no_result"] == answers["other"]["no_result"] == 0
    assert answers["other"]["finding"] <= 1, answers
    assert answers["empty"]["finding"] <= 1, answers
