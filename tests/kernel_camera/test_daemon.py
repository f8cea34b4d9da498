"""The whole daemon on a real kernel video device: judged pictures, an unplugged camera told, and pictures again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kernel_camera.vivid_controls import UNPLUG, set_control

from edge.plugins import schemes

NODE = Path("/sys/class/video4linux/video0/name")
pytestmark = [
    pytest.mark.opt_in,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        not NODE.exists() or not NODE.read_text().startswith("vivid"), reason="no vivid device: make kernel-camera"
    ),
    pytest.mark.skipif("camera" not in schemes("sources"), reason="not installed: camera:// is no entry point"),
]


def messages(path, kind):
    """Messages of one kind that the daemon has written so far."""
    lines = path.read_text().splitlines() if path.exists() else []
    found = [json.loads(line) for line in lines if line.endswith("}")]
    return [one["payload"] for one in found if f"/{kind}" in one["topic"]]


def formats(path):
    """Pixel formats of the streams of all ``state`` messages so far."""
    streams = [stream for state in messages(path, "state") for stream in state["streams"]]
    return {stream["input"]["format"] for stream in streams if stream.get("input")}


def wait_for(condition, limit_s=240):
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.2)
    raise AssertionError("it did not come")


def test_a_daemon_judges_a_camera_and_outlives_its_unplugging(tmp_path):
    out = tmp_path / "out.jsonl"
    command = [sys.executable, "-m", "edge.cli.main", "run", "--source", "/dev/video0", "--runtime", "scripted://"]
    command += ["--sink", f"jsonl://{out}", "--state-dir", tmp_path / "state", "--device", "cart"]
    daemon = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        wait_for(lambda: len(messages(out, "results")) > 3)
        wait_for(lambda: formats(out))
        assert formats(out) == {"yuyv"}
        set_control(UNPLUG)
        wait_for(lambda: any(one["reason"] == "source_lost" for one in messages(out, "coverage")))
        seen = len(messages(out, "results"))
        wait_for(lambda: len(messages(out, "results")) > seen + 3)
    finally:
        daemon.send_signal(signal.SIGTERM)
        _, said = daemon.communicate(timeout=120)
    assert "the camera is gone" in said
    assert "Traceback" not in said
