"""``edge-cli demo``: it ends by itself, leaves nothing behind, and fails where it does not show what it should."""

from __future__ import annotations

import re
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

import cv2
import pytest
from running_demo import leftovers, running_demo, wait_for_children

from edge.cli.main import run
from edge.demo import scenarios

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    import psutil

    from edge.demo.scenarios import Scenario

SCRIPTED = '[runtime]\nuri = "scripted://"\n'
"""A runtime that sees a lesion in everything: in a heart, too."""


@contextmanager
def demo(folder: Path, *args: str) -> Iterator[tuple[subprocess.Popen[str], list[psutil.Process]]]:
    """The running demo, and the processes that it had when someone last looked; it leaves no folder behind."""
    with running_demo(folder, "demo", *args) as running:
        yield running
    assert leftovers(folder, "sonoedge-demo") == []


@pytest.mark.slow
def test_the_demo_shows_what_it_promises(tmp_path):
    with demo(tmp_path) as (process, seen):
        seen += wait_for_children(process, 3)
        out, err = process.communicate(timeout=110)
    assert process.returncode == 0, (out, err)
    assert "true size" in out
    assert re.search(r"new: lesion 0\.\d\d \| malignancy .* mm", out)
    assert "30 frames: 30 abstained (wrong_anatomy)" in out
    assert "online: " in out
    assert "a clean goodbye" in out
    page = (tmp_path / "out" / "index.html").read_text()
    assert "Research use only" in page
    assert page.count("<figure>") >= 2
    overlays = sorted((tmp_path / "out").glob("*.png"))
    assert {path.name.split(".")[0] for path in overlays} == {"demo-phantom", "demo-heart"}
    assert all(cv2.imread(str(path)) is not None for path in overlays)


@pytest.fixture
def run_one_scenario(monkeypatch, tmp_path):
    """Runs the demo in this process with one scenario only, judged by the scripted runtime."""
    handler = signal.getsignal(signal.SIGTERM)
    config = tmp_path / "scripted.toml"
    config.write_text(SCRIPTED)

    def run_one(chosen: Scenario) -> int:
        monkeypatch.setattr(scenarios, "demo_scenarios", lambda own: [chosen])
        return run(["demo", "--config", str(config), "--out", str(tmp_path / "out")])

    yield run_one
    signal.signal(signal.SIGTERM, handler)


@pytest.mark.slow
def test_the_demo_fails_where_it_shows_something_else(run_one_scenario, tmp_path, capsys):
    assert run_one_scenario(scenarios.heart_scenario()) == 5
    out, err = capsys.readouterr()
    assert "  ! a heart was not refused as the wrong anatomy" in out
    assert err.startswith("error: the demo did not show what it should: ")
    assert len(err.splitlines()) == 2
    assert "Not as it should be" in (tmp_path / "out" / "index.html").read_text()


@pytest.mark.slow
def test_your_own_pictures_are_a_scenario(run_one_scenario, tmp_path, capsys):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(folder / name), cv2.randu(cv2.UMat(200, 300, cv2.CV_8UC1), 10, 250).get())
    assert run_one_scenario(scenarios.input_scenario(folder)) == 0
    out = capsys.readouterr().out
    assert "== Your pictures ==" in out
    assert "2 frames: 2 finding." in out
    assert "none missing" in out
    for stream in ("images-1", "images-2"):
        assert (tmp_path / "out" / f"demo-input.{stream}.0000.png").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopping_it_stops_everything(tmp_path, number):
    (tmp_path / "scripted.toml").write_text(SCRIPTED)
    with demo(tmp_path, "--config", str(tmp_path / "scripted.toml")) as (process, seen):
        seen += wait_for_children(process, 3)
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "Traceback" not in err


@pytest.mark.slow
def test_time_is_kept(tmp_path):
    with demo(tmp_path, "--seconds", "1") as (process, seen):
        seen += wait_for_children(process, 2)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 5
    assert "error: the daemon was not through in time" in err
    assert "--seconds" in err


@pytest.mark.slow
def test_a_daemon_that_fails_says_why(tmp_path):
    (tmp_path / "wrong.toml").write_text("[runtime]\nabacus = 1\n")
    with demo(tmp_path, "--config", str(tmp_path / "wrong.toml")) as (process, _):
        _, err = process.communicate(timeout=60)
    assert process.returncode == 5
    assert "error: the daemon failed: " in err
    assert "abacus" in err
    assert "demo-phantom.log" in err


def test_input_that_is_not_there_is_said_before_anything_runs(tmp_path, capsys):
    assert run(["demo", "--input", str(tmp_path / "missing.png"), "--out", str(tmp_path / "out")]) == 5
    assert "there is no such file" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_out_folder_that_cannot_be_is_said(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert run(["demo", "--out", str(tmp_path / "file")]) == 2
    assert "cannot be made" in capsys.readouterr().err
