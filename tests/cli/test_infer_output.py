"""``edge-cli infer``: its table, CSV file and overlays, and what happens where they cannot be written."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys

import cv2
import pytest
from sample_pictures import speckle, write_clip, write_png

from edge.cli.main import run
from edge.infer.output import COLUMNS

pytestmark = pytest.mark.usefixtures("scripted_runtime")


def test_the_table_is_for_people(tmp_path, capsys):
    write_png(tmp_path / "scan.png")
    write_png(tmp_path / "tiny\x1b[31m.png", speckle(8, 8))
    (tmp_path / "bad.png").write_bytes(b"bad")
    assert run(["infer", str(tmp_path)]) == 5
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert re.search(r"lesion 0\.\d\d \| malignancy 0\.80 \| suspicious \| no calibration", out)
    assert "not judged: the picture is too small" in out
    assert "2 frames of 3 files: 1 no_result, 1 finding, 1 abstained" in out
    assert "Research use only" in out
    rows = [line for line in out.splitlines() if ".png" in line]
    assert len(rows) == 3
    assert (
        len({line.index("  finding") for line in rows if "finding" in line} | {out.splitlines()[0].index("RESULT") - 2})
        == 1
    )


def test_csv_has_a_row_a_lesion_and_one_for_what_has_none(tmp_path, capsys):
    folder = tmp_path / "in"
    folder.mkdir()
    write_png(folder / "a.png")
    write_png(folder / "b.png", speckle(8, 8))
    (folder / "c.png").write_bytes(b"bad")
    run(["infer", str(folder), "--csv", str(tmp_path / "out.csv")])
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text())))
    assert tuple(rows[0]) == COLUMNS
    assert [(row["status"], row["reason"], row["lesion"], row["frame"]) for row in rows] == [
        ("finding", "", "1", "0"),
        ("abstained", "too_small", "", "0"),
        ("no_result", "decode_error", "", ""),
    ]
    assert float(rows[0]["echogenicity"]) > 0
    assert float(rows[0]["total_ms"]) > 0
    assert None not in rows[1].values()


def test_an_uncertain_call_is_told_in_the_table(tmp_path, capsys, uncertain_calls):
    write_png(tmp_path / "scan.png")
    write_clip(tmp_path / "clip.avi", 3)
    assert run(["infer", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    said = r"finding +lesion 0\.\d\d \| malignancy 0\.80 \| suspicious, uncertain call \| no calibration"
    assert len(re.findall(said, out)) == 4
    assert "3 judged (3 with a finding, 3 of them an uncertain call, 0 clear); highest malignancy 0.80 (frame 0" in out
    assert re.search(r"highest malignancy 0\.80 \(frame 0.*, uncertain call\)", out)


def test_an_uncertain_call_is_told_in_json_and_in_the_last_column_of_the_csv(tmp_path, capsys, uncertain_calls):
    folder = tmp_path / "in"
    folder.mkdir()
    write_png(folder / "a.png")
    write_png(folder / "b.png", speckle(8, 8))
    (folder / "c.png").write_bytes(b"bad")
    run(["infer", str(folder), "--json", "--csv", str(tmp_path / "out.csv")])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    rows = list(csv.reader(io.StringIO((tmp_path / "out.csv").read_text())))
    assert rows[0][-1] == "call_uncertain"
    assert [line["call_uncertain"] for line in lines] == [True, False, False]
    assert [row[-1] for row in rows[1:]] == ["True", "False", "False"]
    assert (lines[0]["status"], lines[0]["suspicious"], len(lines[0]["lesions"])) == ("finding", True, 1)


def test_overlays_are_named_after_their_files_and_never_replace_one_another(tmp_path, capsys):
    (tmp_path / "x").mkdir()
    first, second = write_png(tmp_path / "scan.png"), write_png(tmp_path / "x" / "scan.png", speckle(seed=9))
    out = tmp_path / "out"
    assert (
        run(["infer", str(first), str(second), str(write_clip(tmp_path / "clip.avi", 2)), "--overlay", str(out)]) == 0
    )
    assert sorted(path.name for path in out.iterdir()) == [
        "clip.0000.overlay.png",
        "clip.0001.overlay.png",
        "scan-2.overlay.png",
        "scan.overlay.png",
    ]
    drawn = cv2.imread(str(out / "scan.overlay.png"))
    source = cv2.imread(str(first))
    assert drawn.shape[0] > source.shape[0]
    same = (drawn[: source.shape[0], : source.shape[1]] == source).all(axis=2)
    assert 0.9 < same.mean() < 1


@pytest.mark.parametrize("flag", ["--csv", "--overlay"])
def test_places_that_cannot_be_written_are_said_before_work_begins(tmp_path, capsys, flag):
    path = write_png(tmp_path / "a.png")
    assert run(["infer", str(path), flag, str(path / "below-a-file")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "hint: give " in err


def two_lines_about(err, *words):
    two = [line for line in err.splitlines() if line.startswith(("error: ", "hint: "))]
    assert len(two) == 2, err
    assert all(word in two[0] for word in words), err
    assert "Traceback" not in err
    assert "unexpected" not in err


def test_a_csv_on_a_full_disk_is_named(tmp_path, capsys):
    assert run(["infer", str(write_png(tmp_path / "a.png")), "--csv", "/dev/full"]) == 5
    two_lines_about(capsys.readouterr().err, "/dev/full", "No space left on device")


@pytest.mark.slow
@pytest.mark.parametrize("flags", [["--json"], []])
def test_output_to_a_full_disk_is_said(tmp_path, flags):
    command = [sys.executable, "-m", "edge.cli.main", "infer", str(write_png(tmp_path / "a.png")), *flags]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 5, done.stderr
    two_lines_about(done.stderr, "standard output", "No space left on device")


def test_an_overlay_that_cannot_be_encoded_leaves_no_empty_file(tmp_path, capsys, monkeypatch):
    path = write_png(tmp_path / "a.png")
    monkeypatch.setattr(cv2, "imencode", lambda *_: (False, None))
    assert run(["infer", str(path), "--overlay", str(tmp_path / "out")]) == 5
    two_lines_about(capsys.readouterr().err, "a.overlay.png")
    assert list((tmp_path / "out").iterdir()) == []
