"""Recipe phantom from end to end, as a new user tries it first: render, train, export, infer as on the device."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("tensorflow", reason="training needs TensorFlow: make test-training has it")
pytest.importorskip("sklearn")

from edge.models.bundle import load_bundle

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

CHECKOUT = Path(__file__).parents[2]


def call(*command):
    environ = {k: v for k, v in os.environ.items() if k != "PYTHONSAFEPATH"}
    done = subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        cwd=CHECKOUT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-1500:]} {done.stderr[-1500:]}"
    return done.stdout


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
