"""A state directory that is taken away under the running daemon: said, delivered from, and never made anew unlocked."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from brokers import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow


def start(folder: Path) -> subprocess.Popen[str]:
    """Start a daemon on ``folder/state`` that writes to ``folder/out.jsonl``."""
    command = [sys.executable, "-m", "edge.cli.main", "run", "--source", "phantom://?seed=1&fps=20"]
    command += ["--runtime", "scripted://?distinct=1", "--site", "lab", "--device", "cart"]
    command += ["--state-dir", str(folder / "state"), "--sink", f"jsonl://{folder}/out.jsonl"]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def messages(folder: Path) -> list[dict[str, Any]]:
    """What the daemon has published, each with its topic."""
    path = folder / "out.jsonl"
    whole = (
        [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")] if path.exists() else []
    )
    return [{**one["payload"], "topic": one["topic"]} for one in map(json.loads, whole)]


def durable(folder: Path) -> list[int]:
    """Seq of the findings and coverage that were published."""
    return [one["seq"] for one in messages(folder) if "/findings/" in one["topic"] or "/coverage/" in one["topic"]]


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A daemon that has published some findings."""
    process = start(tmp_path)
    wait_until(lambda: len(durable(tmp_path)) >= 10, 60)
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate()


@pytest.mark.parametrize("how", ["removed", "moved", "replaced"])
def test_the_daemon_says_it_and_ends(daemon: subprocess.Popen[str], tmp_path: Path, how: str) -> None:
    path = tmp_path / "state"
    if how == "moved":
        path.rename(tmp_path / "elsewhere")
    else:
        shutil.rmtree(path)
    if how == "replaced":
        path.mkdir(mode=0o700)
    _, errors = daemon.communicate(timeout=60)
    assert daemon.returncode == 5, errors
    assert f"error: the state directory {path} was removed, moved or replaced" in errors
    assert "\nhint: " in errors
    if how == "replaced":
        assert list(path.iterdir()) == []
    else:
        assert not path.exists()
    last = [one for one in messages(tmp_path) if one["topic"].endswith("/state")][-1]
    assert (last["status"], last["reasons"]) == ("offline", ["stopped", "state_dir_lost"])
    assert sorted(set(durable(tmp_path))) == list(range(1, max(durable(tmp_path)) + 1))


def test_a_lock_file_that_is_removed_protects_again_soon(daemon: subprocess.Popen[str], tmp_path: Path) -> None:
    lock = tmp_path / "state" / "lock"
    lock.unlink()
    wait_until(lambda: lock.exists() and lock.read_text().strip() == str(daemon.pid), 30)
    other = start(tmp_path)
    _, errors = other.communicate(timeout=60)
    assert other.returncode == 5
    assert f"in use by another daemon (process {daemon.pid})" in errors
    assert daemon.poll() is None
