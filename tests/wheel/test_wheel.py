"""The wheel that users install: the other tests run against it, and it works alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import edge

TREE = Path(__file__).parents[2]


def built_wheel() -> Path:
    wheels = sorted((TREE / "dist").glob("sonoedge-*.whl"))
    if not wheels or not os.environ.get("SONOEDGE_TESTS_WHEEL"):
        pytest.skip("no wheel was built for this run: use make test")
    return wheels[-1]


def test_the_tests_run_against_the_installed_wheel_not_the_tree():
    built_wheel()
    assert TREE not in Path(edge.__file__).parents or "site-packages" in edge.__file__


def test_the_wheel_carries_edge_alone_and_its_model():
    names = zipfile.ZipFile(built_wheel()).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"edge"}
    assert "edge/models/data/breast.tflite" in names
    assert "edge/py.typed" in names
    assert any(name.endswith("/LICENSE") for name in names)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_in_a_bare_environment_without_tensorflow_it_runs_infer(tmp_path):
    wheel = built_wheel()
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "bare"], check=True)
    python = tmp_path / "bare" / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "--constraint", TREE / "constraints.txt", wheel], check=True, cwd=tmp_path)
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format", "freeze"], check=True, capture_output=True, text=True
    ).stdout.lower()
    assert "tensorflow" not in listed
    script = (
        "import cv2; from edge.phantom.scene import PhantomScene, PhantomSpec;"
        "cv2.imwrite('p.png', PhantomScene(PhantomSpec(seed=1)).pixels(0))"
    )
    subprocess.run([python, "-c", script], check=True, cwd=tmp_path)
    got = subprocess.run(
        [tmp_path / "bare" / "bin" / "edge-cli", "infer", "p.png", "--json", "--overlay", "out"],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    (answer,) = [json.loads(line) for line in got.stdout.splitlines()]
    assert answer["status"] == "finding"
    assert answer["lesions"][0]["long_axis_mm"] is None  # a PNG has no calibration
    assert len(list((tmp_path / "out").iterdir())) == 1
