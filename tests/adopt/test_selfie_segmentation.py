"""A segmentation network of somebody else: MediaPipe's, out of its wheel, adopted, and against MediaPipe itself.

SONOEDGE_MEDIAPIPE_PYTHON names a Python with mediapipe 0.10.21 (make test-mediapipe); the file is not ours to keep.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.adopt.adopt import AdoptOptions, adopt
from edge.adopt.golden_pictures import made_figures
from edge.cli.main import run

WHERE = "import mediapipe, pathlib; print(pathlib.Path(mediapipe.__file__).parent / 'modules/selfie_segmentation')"
SEGMENT = """
import sys
import numpy as np
import mediapipe as mp

pictures, out = sys.argv[1:]
with mp.solutions.selfie_segmentation.SelfieSegmentation(model_selection=0) as model:
    np.save(out, [model.process(picture).segmentation_mask for picture in np.load(pictures)])
"""


@pytest.fixture
def python():
    python = os.environ.get("SONOEDGE_MEDIAPIPE_PYTHON")
    if not python or not Path(python).is_file():
        pytest.skip("SONOEDGE_MEDIAPIPE_PYTHON names no Python with mediapipe 0.10.21")
    return python


def said_by(python, *command):
    done = subprocess.run([python, "-c", *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.slow
def test_it_outlines_what_mediapipe_outlines(tmp_path, capsys, python):
    model = Path(said_by(python, WHERE)) / "selfie_segmentation.tflite"
    options = AdoptOptions(labels=("person",), input_range="0..1", clear_label="empty")
    bundle = adopt(model, tmp_path / "selfie.sono.tflite", options).bundle
    assert run(["model", "verify", str(bundle.path)]) == 0
    capsys.readouterr()
    noise = np.random.default_rng(4)
    pictures = []
    for number, (figure, _) in enumerate(made_figures()):
        grain = noise.integers(0, 24, (256, 256, 1), np.uint8)  # or the pixel rules take it for a test card
        pictures.append(cv2.resize(figure, (256, 256)) // 8 * 7 + grain)
        cv2.imwrite(str(tmp_path / f"{number}.png"), cv2.cvtColor(pictures[-1], cv2.COLOR_RGB2BGR))
    np.save(tmp_path / "pictures.npy", pictures)
    said_by(python, SEGMENT, str(tmp_path / "pictures.npy"), str(tmp_path / "masks.npy"))
    given = [str(tmp_path / f"{number}.png") for number in range(len(pictures))]
    assert run(["infer", *given, "--model", str(bundle.path), "--allow-no-gate", "--json"]) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for answer, mask in zip(answers, np.load(tmp_path / "masks.npy"), strict=True):
        assert answer["found"] == ["person"], answer
        (area,) = answer["areas"]
        assert area["share"] == pytest.approx(float((mask >= 0.5).mean()), abs=0.01)
        drawn = np.zeros((256, 256), np.uint8)
        cv2.fillPoly(drawn, [np.round(np.array(outline)).astype(np.int32) for outline in area["outlines"]], 1)
        both, either = (drawn & (mask >= 0.5)).sum(), (drawn | (mask >= 0.5)).sum()
        assert both / either > 0.95


@pytest.mark.slow
def test_the_daemon_runs_it(tmp_path, python):
    model = Path(said_by(python, WHERE)) / "selfie_segmentation.tflite"
    bundle = adopt(model, tmp_path / "s.tflite", AdoptOptions(labels=("person",), input_range="0..1")).bundle
    out = tmp_path / "out.jsonl"
    given = ["--source", "phantom://?seed=1&frames=6&pace=max", "--sink", f"jsonl://{out}", "--device", "d"]
    more = ["--state-dir", str(tmp_path / "s"), "--model", str(bundle.path), "--allow-no-gate"]
    assert run(["run", *given, *more]) == 0
    coverage = [json.loads(line)["payload"] for line in out.read_text().splitlines() if "/coverage/" in line]
    assert sum(each["previous"]["frames"] for each in coverage if each["previous"]) == 6
