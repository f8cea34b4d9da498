"""The shipped model on real ultrasound: what it must refuse, and what it must not."""

from __future__ import annotations

import csv
import json
import subprocess
import sys

import cv2
import numpy as np
import pytest

pytestmark = pytest.mark.data


def infer(*paths):
    """Answers by JSON line, and the exit code, as a user would get them."""
    command = [sys.executable, "-m", "edge.cli.main", "infer", "--json", *map(str, paths)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=540)
    assert "Traceback" not in run.stderr, run.stderr
    return [json.loads(line) for line in run.stdout.splitlines()], run.returncode


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_hearts_lungs_eyes_and_resolution_phantoms_are_not_judged_as_breasts(data_dir):
    files = [path for folder in ("dicom", "clips") for path in sorted((data_dir / folder).iterdir())]
    answers, _ = infer(*files)
    assert {answer["path"] for answer in answers} == {str(path) for path in files}  # frames, or a reason, for each
    assert all(answer["reason"] for answer in answers if answer["status"] in ("abstained", "no_result"))
    frames = [answer for answer in answers if answer["frame"] is not None]
    judged = [answer for answer in frames if answer["status"] in ("finding", "clear")]
    assert len(frames) > 100
    assert len(judged) <= 0.10 * len(frames), f"{len(judged)} of {len(frames)} frames were judged"


@pytest.mark.timeout(300)
def test_held_out_breasts_are_seldom_refused_and_their_lesions_are_found(data_dir):
    with (data_dir / "bus-bra" / "5-fold-cv.csv").open() as file:
        held_out = [row["ID"] for row in csv.DictReader(file) if row["kFold"] == "1"]
    answers, code = infer(*(data_dir / "bus-bra" / "images" / f"{name}.jpg" for name in held_out))
    assert code == 0
    assert len(answers) == len(held_out)
    refused = [a for a in answers if a["reason"] in ("wrong_anatomy", "not_ultrasound", "flat", "black", "too_small")]
    assert len(refused) <= 0.03 * len(answers), f"{len(refused)} of {len(answers)} breasts were refused"
    assert sum(a["status"] == "finding" for a in answers) >= 0.8 * len(answers)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_cancers_of_which_a_half_is_black_do_not_read_as_clear(data_dir, tmp_path):
    names = sorted((data_dir / "busi" / "images").glob("malignant_*"))[::8]
    for path in names:
        grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        height, width = grey.shape
        for half in (np.s_[: height // 2], np.s_[:, : width // 2], np.s_[:, width // 2 :]):
            spoilt = grey.copy()
            spoilt[half] = 0
            cv2.imwrite(str(tmp_path / f"{path.stem}-{len(list(tmp_path.iterdir()))}.png"), spoilt)
    answers, _ = infer(tmp_path)
    assert len(answers) == 3 * len(names) > 50
    clear = [answer["path"] for answer in answers if answer["status"] == "clear"]
    assert len(clear) <= 0.04 * len(answers), clear
