"""``edge-cli demo-live``: a camera lost and found; it ends by itself or when asked to, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil
import pytest

from edge.cli.main import run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENVIRON = {key: value for key, value in os.environ.items() if not key.startswith("EDGE_")}
DEMO = [sys.executable, "-m", "edge.cli.main", "demo-live", "--hold", "0.3", "--seconds", "240"]
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")


@contextmanager
def demo_live(folder: Path) -> Iterator[tuple[subprocess.Popen[str], list[psutil.Process]]]:
    """The running demo, and the processes that it had when someone last looked. None of them may outlive it."""
    seen: list[psutil.Process] = []
    with subprocess.Popen(
        [*DEMO, "--out", str(folder / "out")],
        env={**ENVIRON, "TMPDIR": str(folder)},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Tests that run in the background have SIGINT ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        try:
            yield process, seen
        finally:
            process.kill()
    _, alive = psutil.wait_procs(seen, timeout=10)
    for one in alive:
        one.kill()
    assert alive == []


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """What the demo has printed until a line holds ``words``."""
    assert process.stdout is not None
    said = ""
    while words not in said:
        line = process.stdout.readline()
        assert line, (said, process.stderr.read() if process.stderr else "")
        said += line
    return said


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith("sonoedge-")]


@pytest.mark.slow
@needs_ffmpeg
def test_a_camera_is_found_lost_and_found_again(tmp_path: Path) -> None:
    with demo_live(tmp_path) as (process, seen):
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
    with demo_live(tmp_path) as (process, seen):
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
