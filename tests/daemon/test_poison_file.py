"""A file that kills the frame process, in the real daemon: it is left out, and the others are judged once."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
from brokers import wait_until

KILLER = """
import ctypes, os, sys
if "edge.daemon.frame.process" in " ".join(sys.orig_argv):
    import edge.sources.images as images
    decode = images.decode_picture
    def kills(data, info, *more):
        picture = decode(data, info, *more)
        if picture[0][0, 0] == 66:
            {how}
        return picture
    images.decode_picture = kills
"""


@pytest.fixture
def run(tmp_path):
    """Starts a daemon on a folder; its messages go to a file."""
    started = []

    def start(*sources, **environment):
        command = [sys.executable, "-m", "edge.cli.main", "run", "--runtime", "scripted://?distinct=1"]
        command += ["--device", "cart", "--config", str(tmp_path / "edge.toml")]
        (tmp_path / "edge.toml").write_text("watchdog_s = 2.0\n")
        command += [part for source in sources for part in ("--source", source)]
        command += ["--state-dir", str(tmp_path / "state"), "--sink", f"jsonl://{tmp_path / 'out.jsonl'}"]
        process = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env={**os.environ, **environment}
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def messages(tmp_path, kind):
    lines = (tmp_path / "out.jsonl").read_text().splitlines() if (tmp_path / "out.jsonl").exists() else []
    found = [json.loads(line) for line in lines]
    found = [each["payload"] for each in found]
    return [each for each in found if str(each.get("schema", "")).startswith(kind)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("os.kill(os.getpid(), 9)", "ended with signal 9"),
        ("ctypes.PyDLL(None).sleep(600)", "no sign of life"),  # with Python's lock held
        ("ctypes.PyDLL(None).usleep(2_400_000)", "no sign of life"),  # so long that it is asked to stop, and does
    ],
    ids=["dies", "hangs", "hangs for long enough"],
)
def test_a_file_that_kills_is_left_out_and_the_rest_is_judged_once(run, how, said, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(1, 25):  # its place is so far back that the watchdog has seen the process alive
        picture = np.random.default_rng(number).integers(70, 250, (240, 320), np.uint8)
        picture[0, 0] = 66 if number == 18 else 99
        cv2.imwrite(str(folder / f"{number}.png"), picture)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(KILLER.replace("{how}", how))
    path = os.pathsep.join(part for part in (str(tmp_path / "site"), os.environ.get("PYTHONPATH")) if part)
    daemon = run(f"images://{folder}", PYTHONPATH=path)
    _, errors = daemon.communicate(timeout=90)
    assert daemon.returncode == 5, errors  # who waits for the folder to be through learns that one is missing
    assert "error: not everything was judged" in errors
    assert errors.count(said) == 2, errors
    assert "(poison) file number 18" in errors
    assert "judged before the restart" in errors
    reasons = [each.get("reason") for each in messages(tmp_path, "coverage")]
    assert "poison" in reasons, errors
    assert reasons[-1] == "stream_ended"
    new = [each for each in messages(tmp_path, "finding") if each["lifecycle"] == "new"]
    assert len(new) < 23 + 2 * 17, "only what was not on disk yet is judged again"
    assert (tmp_path / "state" / "poison.json").exists()
    assert not (tmp_path / "state" / "reading").exists()


@pytest.mark.slow
def test_a_live_stream_beside_hostile_files_is_not_blind(run, hostile_dir, tmp_path):
    daemon = run(f"dicom://{hostile_dir}", "phantom://?seed=1&width=160&height=120&fps=20&frames=400")
    wait_until(lambda: messages(tmp_path, "finding"), 30)
    _, errors = daemon.communicate(timeout=100)
    assert daemon.returncode == 5, errors
    assert "edge.daemon.frame.process ended" not in errors
    assert "no sign of life" not in errors
    assert errors.count("skipped (decode_error)") >= 6, errors
    silent = [each for each in messages(tmp_path, "coverage") if each.get("stream", "").startswith("phantom")]
    assert not [each for each in silent if each.get("reason") in ("no_frames", "source_lost")]
