"""``edge-cli demo-live``: a camera lost and found; it ends by itself or when asked to, and leaves nothing behind."""

from __future__ import annotations

import re
import shutil
import signal
import time
from typing import TYPE_CHECKING

import psutil
import pytest
from running_demo import leftovers, running_demo

from edge.cli.main import run

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

DEMO = ("demo-live", "--hold", "0.3", "--seconds", "240")
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """What the demo has printed until a line holds ``words``."""
    assert process.stdout is not None
    said = ""
    while words not in said:
        line = process.stdout.readline()
        assert line, (said, process.stderr.read() if process.stderr else "")
        said += line
    return said


@pytest.mark.slow
@needs_ffmpeg
def test_a_camera_is_found_lost_and_found_again(tmp_path: Path) -> None:
    with running_demo(tmp_path, *DEMO) as (process, seen):
        said = read_until(process, "finding: lesion")
        seen += psutil.Process(process.pid).children(recursive=True)
        assert process.stdout is not None  # what is buffered there, `communicate` does not see
        said += process.stdout.read()
        _, err = process.communicate(timeout=300)
    assert process.returncode == 0, (said, err)
    assert said.count("coverage: LOST") >= 3, said  # a busy machine may lose it once more
    assert said.count("coverage: back") >= 3, said
    # After each return a row shows the lesion, however slow the machine is; a rate or an age may not be known yet.
    live = re.compile(r"^ +[\d.]+  live +[\d.-]+ +[\d.-]+ +\d+ +\d+ +\d+  lesion, [\d.]+ x [\d.]+ mm$", re.M)
    returns = re.split(r"-- camera: switched .*$", said, flags=re.M)[1:]
    assert len(returns) == 3, said
    assert all(live.search(each) for each in returns), said
    assert int(re.search(r"(\d+) reconnects", said).group(1)) >= 3, said  # type: ignore[union-attr]
    assert re.search(r"camera: killed: told after [\d.]+ s", said), said
    assert "true: " in said, said
    assert leftovers(tmp_path) == []


@pytest.mark.slow
@needs_ffmpeg
@pytest.mark.parametrize(
    "number",
    [
        signal.SIGINT,
        pytest.param(signal.SIGTERM, marks=pytest.mark.opt_in),
        pytest.param(signal.SIGKILL, marks=pytest.mark.opt_in),
    ],
)
def test_nothing_is_left_however_it_ends(tmp_path: Path, number: signal.Signals) -> None:
    with running_demo(tmp_path, *DEMO) as (process, seen):
        read_until(process, "camera: switched on")
        deadline = time.monotonic() + 30
        while len(seen) < 5 and time.monotonic() < deadline:  # broker, ffmpeg, supervisor, frame process, publisher
            seen[:] = psutil.Process(process.pid).children(recursive=True)
            time.sleep(0.05)
        process.send_signal(number)
        out = process.stdout.read() if process.stdout is not None else ""
        process.wait(60)
    if number != signal.SIGKILL:
        assert process.returncode == 0
        assert "ended by you before it was through" in out
        assert leftovers(tmp_path) == []


def test_without_ffmpeg_it_says_so_and_is_no_failure(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run(["demo-live", "--out", str(tmp_path / "out")]) == 0
    assert "skipped: ffmpeg" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()
