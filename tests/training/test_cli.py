from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]


def training(*args: str) -> subprocess.CompletedProcess[str]:
    # As a user in a checkout has it: without the safe path that these tests run under.
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    command = [sys.executable, "-m", "training", *args]
    return subprocess.run(command, cwd=CHECKOUT, env=environ, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", ["run", "cv", "eval", "calibrate", "report", "check", "look"])
def test_help_ends_in_an_example_on_one_line(command):
    result = training(command, "--help")
    assert result.returncode == 0
    assert result.stdout.rstrip().splitlines()[-1].lstrip().startswith(f"python -m training {command} ")


def test_missing_data_is_two_lines_and_makes_no_run(tmp_path):
    result = training("run", "--data", str(tmp_path / "nowhere"), "--out", str(tmp_path / "run"))
    assert result.returncode == 3
    what, hint = result.stderr.splitlines()
    assert what.startswith("error: ")
    assert "bus_data.csv is missing" in what
    assert hint.startswith("hint: --data names the folder")
    assert not (tmp_path / "run").exists()


def test_judging_what_is_no_run_says_so(tmp_path):
    result = training("eval", str(tmp_path))
    assert result.returncode == 3
    assert "is not a whole run" in result.stderr
