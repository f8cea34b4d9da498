"""Command line of training: help, errors, and every documented command."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

import export.__main__
import training.cli

CHECKOUT = Path(__file__).parents[2]


def call(*args: str) -> subprocess.CompletedProcess[str]:
    # As a user in a checkout has it: without the safe path that these tests run under.
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    command = [sys.executable, "-m", "training", *args]
    return subprocess.run(command, cwd=CHECKOUT, env=environ, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", ["run", "cv", "eval", "calibrate", "report", "check", "look", "gate"])
def test_help_ends_in_an_example_on_one_line(command):
    result = call(command, "--help")
    assert result.returncode == 0
    assert result.stdout.rstrip().splitlines()[-1].lstrip().startswith(f"python -m training {command} ")


def test_missing_data_is_two_lines_and_makes_no_run(tmp_path):
    result = call("run", "--data", str(tmp_path / "nowhere"), "--out", str(tmp_path / "run"))
    assert result.returncode == 3
    what, hint = result.stderr.splitlines()
    assert what.startswith("error: ")
    assert "bus_data.csv is missing" in what
    assert hint.startswith("hint: --data names the folder")
    assert not (tmp_path / "run").exists()


def test_judging_what_is_no_run_says_so(tmp_path):
    result = call("eval", str(tmp_path))
    assert result.returncode == 3
    assert "is not a whole run" in result.stderr


def documented():
    """Every command of training and export in the documentation."""
    found = []
    for name in ("docs/training.md", "docs/own-model.md", "README.md"):
        text = (CHECKOUT / name).read_text(encoding="utf-8").replace("\\\n", " ")
        found += re.findall(r"^ {4}.*?python -m (training|export) (.+)$", text, re.MULTILINE)
    return found


@pytest.mark.parametrize(("package", "line"), documented())
def test_documented_commands_are_commands(package, line):
    app = {"training": training.cli.app, "export": export.__main__.app}[package]
    name, *arguments = shlex.split(line, comments=True)
    commands = typer.main.get_command(app).commands
    assert commands[name].make_context(name, arguments).params  # raises for an option that there is not


def test_the_way_to_the_shipped_bundle_is_documented():
    commands = {f"{package} {line.split()[0]}" for package, line in documented()}
    assert {"training cv", "training calibrate", "training report", "export folds", "export bundle"} <= commands
    assert any({"--calibration", "--figures"} <= set(line.split()) for _, line in documented())
