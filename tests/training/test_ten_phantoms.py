"""The text's network with ten outputs, from no data to ten scores on a broker, as a new user tries it."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("tensorflow", reason="training needs TensorFlow: make test-training has it")
pytest.importorskip("sklearn")

from module_commands import call

from edge.models.bundle import load_bundle
from training.classify.phantom_kinds import KINDS

pytestmark = [pytest.mark.slow, pytest.mark.broker, pytest.mark.timeout(900)]


def test_ten_kinds_from_rendering_to_a_broker(tmp_path, broker, subscriber):
    run = tmp_path / "run"
    told = call("training", "run", "--recipe", "ten-phantoms", "--epochs", "5", "--out", run)
    assert json.loads((run / "metrics.json").read_text())["test"]["auc"]["value"] > 0.85

    assert (run / "tensorflow.log").is_file()
    report, export = (line.removeprefix("next:").split() for line in told.splitlines()[-2:])
    call(*report[2:])  # as they are told: python -m …
    call(*export[2:])
    figures = json.loads((run / "report" / "report.json").read_text())["test"]
    assert len(figures["confusion"]) == 10
    assert (run / "report" / "report.html").stat().st_size > 10_000

    bundle = load_bundle(run / "model.tflite")
    assert (bundle.manifest.judges, bundle.labels, bundle.manifest.gate) == ("classification", KINDS, "none")
    assert any(m.name == "macro F1, int8 - float" and abs(m.value) < 0.1 for m in bundle.manifest.metrics)

    source = f"images://{run / 'unseen'}"
    call(
        *("edge.cli.main", "run", "--source", source, "--sink", broker.uri, "--model", bundle.path, "--allow-no-gate"),
        *("--site", "lab", "--device", "cart", "--state-dir", tmp_path / "state"),
    )
    (state, *_) = [m.json for m in subscriber.on("lab/cart/state") if m.json["status"] == "online"]
    assert (state["judges"], state["gate"]) == ("classification", "none")
    labels = [m.json for m in subscriber.heard if "/labels/" in m.topic]
    assert labels, "none of twenty phantoms was told"
    for each in labels:
        assert {score["name"] for score in each["labels"]} == set(KINDS)
        assert sum(score["score"] for score in each["labels"]) == pytest.approx(1, abs=0.05)
    assert {each["label"] for each in labels} <= set(KINDS)
    assert not [m for m in subscriber.heard if "/findings/" in m.topic]
