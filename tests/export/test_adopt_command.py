"""``python -m export adopt`` is ``edge-cli model adopt``: the same bundle, the same words."""

from __future__ import annotations

from tiny_classifiers import LABELS, float_classifier

from edge.cli.main import run
from edge.models.bundle import load_bundle
from edge.plugins import make_runtime
from export.__main__ import app


def test_export_adopt_is_the_devices_own(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("edge.adopt.computed_cases.IsolatedRuntime", make_runtime)
    (tmp_path / "own.tflite").write_bytes(float_classifier().bytes())
    (tmp_path / "labels.txt").write_text("\n".join(LABELS))
    out = tmp_path / "own.sono.tflite"
    given = [str(tmp_path / "own.tflite"), "--labels", str(tmp_path / "labels.txt"), "--input-range", "0..1"]
    assert not app(["adopt", *given, "--out", str(out)], standalone_mode=False)
    by_export = capsys.readouterr().out
    manifest = load_bundle(out).manifest
    assert run(["model", "adopt", *given, "--out", str(out)]) == 0
    assert capsys.readouterr().out == by_export
    assert load_bundle(out).manifest.heads == manifest.heads
