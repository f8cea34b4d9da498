"""An adopted classifier on a device: infer, overlays, benchmark, doctor's model line, and the daemon itself."""

from __future__ import annotations

import csv
import json

import cv2
import numpy as np
import pytest
from sample_pictures import write_png

from edge.cli.main import run
from edge.contracts.errors import ModelError
from edge.models.bundle import load_bundle
from edge.picture.overlay import draw_overlay, overlay_height
from edge.picture.score_bars import MOST_BARS


@pytest.fixture
def model(adopted) -> str:
    return str(adopted.path)


def lines_of(capsys):
    out, err = capsys.readouterr()
    return [json.loads(line) for line in out.splitlines()], err


def test_without_a_gate_it_must_be_allowed(tmp_path, capsys, model, monkeypatch):
    picture = str(write_png(tmp_path / "scan.png"))
    assert run(["infer", picture, "--model", model, "--json"]) == 4
    assert "has no anatomy gate" in capsys.readouterr().err
    monkeypatch.setenv("EDGE_GATE__NONE_ALLOWED", "true")
    assert run(["infer", picture, "--model", model, "--json"]) == 0


def test_infer_tells_labels_in_json_csv_and_overlay(tmp_path, capsys, model):
    picture = str(write_png(tmp_path / "scan.png"))
    table, folder = tmp_path / "t.csv", tmp_path / "out"
    more = ["--csv", str(table), "--overlay", str(folder)]
    assert run(["infer", picture, "--model", model, "--allow-no-gate", "--json", *more]) == 0
    (line,), _ = lines_of(capsys)
    assert (line["malignancy"], line["suspicious"], line["lesions"], line["gate"]) == (None, None, [], "none")
    assert {each["name"] for each in line["labels"]} == {"cyst", "solid", "normal"}
    assert (line["status"] == "finding") == bool(line["found"])
    (row,) = csv.DictReader(table.read_text().splitlines())
    assert row["labels"].startswith(f"{line['labels'][0]['name']}={line['labels'][0]['score']}")
    drawn, plain = cv2.imread(str(folder / "scan.overlay.png")), cv2.imread(picture)
    assert drawn.shape[0] > plain.shape[0]


def test_too_uncertain_frames_have_labels_too(tmp_path, capsys, adopted):
    from edge.adopt.adopt import AdoptOptions, adopt

    options = AdoptOptions(thresholds={"": 0.999})
    made = adopt(adopted.path, tmp_path / "strict.tflite", options)
    picture = str(write_png(tmp_path / "scan.png"))
    table = tmp_path / "t.csv"
    given = ["--model", str(made.bundle.path), "--allow-no-gate", "--json", "--csv", str(table)]
    assert run(["infer", picture, *given]) == 0
    (line,), _ = lines_of(capsys)
    assert (line["status"], line["reason"], len(line["labels"])) == ("abstained", "too_uncertain", 3)
    assert next(csv.DictReader(table.read_text().splitlines()))["labels"]
    assert run(["infer", picture, *given[:3]]) == 0
    assert "not judged: too uncertain" in capsys.readouterr().out


def test_the_overlay_has_bars_and_says_that_there_is_no_gate(adopted, make_result):
    result = make_result()
    pixels = np.full((240, 320), 90, np.uint8)
    drawn = draw_overlay(pixels, result)
    without = draw_overlay(pixels, make_result(gated_by="anatomy"))
    assert drawn.shape[0] > without.shape[0], "a line more: no anatomy gate"
    assert overlay_height(pixels, 4, MOST_BARS)[0] > overlay_height(pixels, 4)[0]


@pytest.fixture
def make_result():
    from edge.contracts.frame_result import Result
    from edge.contracts.labels import LabelScore
    from edge.contracts.results import Status

    def make(**changes):
        scores = (LabelScore("zyste \N{LATIN SMALL LETTER U WITH DIAERESIS}" * 9, 0.8), LabelScore("b", 0.0))
        fields = {"scores": scores, "given": (scores[0].name,), "gated_by": "none", "status": Status.FINDING, **changes}
        return Result(stream="s", frame_seq=0, captured_ns=0, **fields)

    return make


def test_a_damaged_one_is_refused(tmp_path, adopted):
    data = bytearray(adopted.model_bytes)
    data[len(data) // 3] ^= 1
    (tmp_path / "m.tflite").write_bytes(data)
    with pytest.raises(ModelError):
        load_bundle(tmp_path / "m.tflite")


def changed(adopted, path, old: bytes, new: bytes):
    data = adopted.model_bytes
    assert data.count(old) == 1
    path.write_bytes(data.replace(old, new))
    return path


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        (b'"judges": "classification"', b'"judges": "detection"     ', "for detection, which is not judged here"),
        (b'"judges": "classification"', b'"judges": "segmentation"  ', "not valid"),
        (b'"judges": "classification"', b'"judges": "something"     ', "not valid"),
        (b'"manifest_version": 3', b'"manifest_version": 1', "not valid"),
        (b'"output": "probabilities"', b'"output": "odds"         ', "not valid"),
        (b'"threshold": 0.5', b'"threshold": 1.0', "threshold"),
        (b'"temperature": 1.0', b'"temperature": 0.0', "not valid"),
        (b'"clear_label": null', b'"clear_label": "xy"', "is no label"),
    ],
)
def test_each_fault_of_the_manifest_is_named(tmp_path, adopted, old, new, match):
    path = changed(adopted, tmp_path / "m.tflite", old, new)
    data = path.read_bytes()
    # The ZIP's own check sum would notice first.
    import io
    import zipfile

    from edge.models.bundle_file import split_bundle
    from edge.models.bundle_writer import append_zip

    good = split_bundle(adopted.model_bytes)
    members = dict(good.members)
    start = data.index(b'{\n "manifest_version"')
    members["manifest.json"] = data[start : start + len(members["manifest.json"])]
    path.write_bytes(append_zip(good.graph, members))
    assert zipfile.ZipFile(io.BytesIO(path.read_bytes())).testzip() is None
    with pytest.raises(ModelError, match=match):
        load_bundle(path)


@pytest.mark.slow
def test_the_daemon_sends_its_labels(tmp_path, model):
    out = tmp_path / "out.jsonl"
    given = ["--source", "phantom://?seed=1&frames=12", "--sink", f"jsonl://{out}", "--state-dir", str(tmp_path / "s")]
    assert run(["run", *given, "--model", model, "--allow-no-gate", "--device", "d"]) == 0
    messages = [json.loads(line) for line in out.read_text().splitlines()]
    by_kind = {}
    for each in messages:
        by_kind.setdefault(each["topic"].split("/")[4], []).append(each["payload"])
    assert not by_kind.get("findings")
    durable = sorted(m["seq"] for kind in ("labels", "coverage") for m in by_kind.get(kind, ()))
    assert durable == list(range(1, len(durable) + 1)), "labels and coverage count in one epoch"
    state = by_kind["state"][-1]
    assert (state["judges"], state["gate"]) == ("classification", "none")
    assert "labels" in state["durable_topics"]
    assert all(m["gate"] == "none" for kind in ("labels", "coverage", "results") for m in by_kind.get(kind, ()))
    assert all(len(m["labels"]) == 3 for m in by_kind.get("labels", ()))
    assert "labels" in by_kind or by_kind["coverage"][-2]["reason"] == "too_uncertain"


@pytest.mark.slow
def test_the_benchmark_runs_it(tmp_path, capsys, model):
    report = tmp_path / "r.json"
    given = ["--model", model, "--frames", "30", "--warm-up", "3", "--no-broker", "--json", str(report)]
    assert run(["benchmark", *given]) == 0
    assert json.loads(report.read_text())
