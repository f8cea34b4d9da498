"""A running ``edge-cli demo`` or ``demo-live``, for tests that end it, and what it leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENVIRON = {key: value for key, value in os.environ.items() if not key.startswith("EDGE_")}


@contextmanager
def running_demo(folder: Path, *command: str) -> Iterator[tuple[subprocess.Popen[str], list[psutil.Process]]]:
    """The running demo, and the processes that it had when someone last looked. None of them may outlive it."""
    seen: list[psutil.Process] = []
    with subprocess.Popen(
        [sys.executable, "-m", "edge.cli.main", *command, "--out", str(folder / "out")],
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


def wait_for_children(process: subprocess.Popen[str], count: int) -> list[psutil.Process]:
    """All processes below the demo, once there are ``count``: broker, supervisor, frame process, publisher."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        children = psutil.Process(process.pid).children(recursive=True)
        if len(children) >= count:
            return children
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    raise AssertionError(f"the demo never had {count} processes")


def leftovers(folder: Path, prefix: str = "sonoedge-") -> list[str]:
    """Temporary folders of ours that are still there."""
    return [path.name for path in folder.iterdir() if path.name.startswith(prefix)]
