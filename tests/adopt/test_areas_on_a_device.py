"""An adopted segmentation network on a device: infer, overlays, benchmark, doctor, and the daemon itself."""

from __future__ import annotations

import csv
import json
from itertools import islice

import cv2
import pytest
from sample_pictures import speckle, write_png

from edge.adopt.adopt import AdoptOptions, adopt
from edge.cli.main import run
from edge.config.load import load_settings
from edge.doctor.runtimes import check_runtimes


@pytest.fixture
def model(segmenter) -> str:
    return str(segmenter.path)


def lines_of(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def bright_square(path):
    """Dark speckle with a bright square: (100, 60) to (200, 160)."""
    grey = speckle()
    dark, bright = grey // 2, 128 + grey // 2
    dark[60:160, 100:200] = bright[60:160, 100:200]
    return write_png(path, dark)


def test_without_a_gate_it_must_be_allowed(tmp_path, capsys, model):
    assert run(["infer", str(write_png(tmp_path / "scan.png")), "--model", model]) == 4
    assert "has no anatomy gate" in capsys.readouterr().err


def test_infer_tells_areas_in_json_csv_and_overlay(tmp_path, capsys, model):
    picture = str(bright_square(tmp_path / "scan.png"))
    table, folder = tmp_path / "t.csv", tmp_path / "out"
    more = ["--csv", str(table), "--overlay", str(folder)]
    assert run(["infer", picture, "--model", model, "--allow-no-gate", "--json", *more]) == 0
    (line,) = lines_of(capsys)
    assert (line["status"], line["malignancy"], line["lesions"], line["gate"]) == ("finding", None, [], "none")
    assert line["found"] == [each["name"] for each in line["areas"]] == ["bright"]
    (area,) = line["areas"]
    width, height = cv2.imread(picture).shape[1::-1]
    x, y, w, h = area["box"]
    cell = width / 64
    assert max(abs(x - 100), abs(y - 60), abs(x + w - 200), abs(y + h - 160)) <= 2 * cell
    assert abs(area["share"] - 100 * 100 / (width * height)) < 0.02
    assert all(x <= px <= x + w and y <= py <= y + h for outline in area["outlines"] for px, py in outline)
    (row,) = csv.DictReader(table.read_text().splitlines())
    assert row["area_shares"] == f"bright={area['share']}"
    assert (row["areas_mm2"], row["lesion"], row["malignancy"]) == ("", "", "")
    assert row["labels"].startswith("bright=")
    drawn, plain = cv2.imread(str(folder / "scan.overlay.png")), cv2.imread(picture)
    assert (drawn[:height, :width] != plain).any()
    assert run(["infer", picture, "--model", model, "--allow-no-gate"]) == 0
    assert f"bright {area['score']:.2f}: {area['share']:.1%} of what was judged" in capsys.readouterr().out


def test_a_frame_without_areas_has_scores_too(tmp_path, capsys, segmenter):
    picture = str(write_png(tmp_path / "scan.png"))
    for clear, status in ((None, "abstained"), ("empty", "clear")):
        options = AdoptOptions(thresholds={"": 0.9, "bright": 0.99999}, clear_label=clear, min_area=0.0)
        made = adopt(segmenter.path, tmp_path / f"{status}.tflite", options)
        table = tmp_path / "t.csv"
        given = ["--model", str(made.bundle.path), "--allow-no-gate", "--json", "--csv", str(table)]
        assert run(["infer", picture, *given]) == 0
        (line,) = lines_of(capsys)
        assert (line["areas"], line["found"], len(line["labels"])) == ([], [], 2)
        assert line["status"] in (status, "abstained")  # tissue_not_seen, too, keeps a picture from being clear
        assert next(csv.DictReader(table.read_text().splitlines()))["labels"]


@pytest.mark.slow
def test_the_daemon_sends_areas_of_every_frame_of_a_file_at_any_pace(tmp_path, capsys, model):
    out = tmp_path / "out.jsonl"
    given = ["--source", "phantom://?seed=1&frames=40&pace=max", "--sink", f"jsonl://{out}", "--device", "d"]
    assert run(["run", *given, "--state-dir", str(tmp_path / "s"), "--model", model, "--allow-no-gate"]) == 0
    by_kind: dict = {}
    for line in out.read_text().splitlines():
        each = json.loads(line)
        by_kind.setdefault(each["topic"].split("/")[4], []).append(each["payload"])
    assert not by_kind.get("findings")
    durable = sorted(m["seq"] for kind in ("labels", "coverage") for m in by_kind.get(kind, ()))
    assert durable == list(range(1, len(durable) + 1)), "labels and coverage count in one epoch"
    state = by_kind["state"][-1]
    assert (state["judges"], state["gate"]) == ("segmentation", "none")
    assert state["durable_topics"] == ["findings", "coverage", "labels"]
    labels = by_kind["labels"]
    assert [m["lifecycle"] for m in labels if m["label"] == "bright"][:1] == ["new"]
    assert labels[-1]["lifecycle"] == "end"
    assert all(m["area"]["name"] == m["label"] and m["area"]["outlines"] for m in labels)
    assert any(m["area"]["area_mm2"] for m in labels), "a phantom is calibrated"
    assert all(m["gate"] == "none" for kind in ("labels", "coverage", "results") for m in by_kind.get(kind, ()))
    assert all([each["name"] for each in m["areas"]] == m["found"] for m in by_kind.get("results", ()))
    judged = [m["previous"]["frames"] for m in by_kind["coverage"] if m["previous"]]
    assert sum(judged) == 40


@pytest.mark.slow
def test_the_benchmark_runs_it(tmp_path, model):
    report = tmp_path / "r.json"
    given = ["--model", model, "--frames", "20", "--warm-up", "3", "--no-broker", "--json", str(report)]
    assert run(["benchmark", *given]) == 0
    assert json.loads(report.read_text())


@pytest.mark.slow
def test_doctor_proves_it(model):
    checks = check_runtimes(load_settings(None, {}, {"model": model, "gate.none_allowed": True}))
    said = [(check.mark, check.text) for check in islice(checks, 2)]
    assert [status for status, _ in said] == ["ok", "ok"], said
    assert "own 1" in said[0][1]
