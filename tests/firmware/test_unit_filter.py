"""The daemon with its page, under the system call filter of the unit that ships: live, although it may not be nice."""

from __future__ import annotations

import ctypes.util
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="the extra viewer is not installed")

from viewer_page import LIMIT_S, connected
from viewer_rig import wait_for

from edge.process.usage import process_tree

TESTS = Path(__file__).parents[1]
UNIT = TESTS.parent / "firmware_configs" / "systemd" / "sonoedge.service"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"),
    pytest.mark.skipif(ctypes.util.find_library("seccomp") is None, reason="libseccomp is not installed"),
]


def filtered(*command: str) -> list[str]:
    return [sys.executable, str(TESTS / "unit_filter.py"), str(UNIT), *command]


def test_the_filter_is_the_units() -> None:
    told = subprocess.run(
        filtered(sys.executable, "-c", "import os; os.sched_setaffinity(0, {0}); print('kept'); os.nice(1)"),
        capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    assert "PermissionError" in told.stderr
    assert told.stdout == "kept\n"


def test_the_page_is_live_under_it(tmp_path: Path) -> None:
    (tmp_path / "edge.toml").write_text("[view]\nport = 0\n")
    command = [sys.executable, "-m", "edge.cli.main", "run", "--view", "--config", str(tmp_path / "edge.toml")]
    command += ["--source", "phantom://?seed=1", "--runtime", "scripted://", "--state-dir", str(tmp_path / "state")]
    daemon = subprocess.Popen(filtered(*command), stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    log: list[str] = []

    def read() -> None:
        assert daemon.stderr is not None
        with daemon.stderr:
            log.extend(daemon.stderr)

    reading = threading.Thread(target=read, daemon=True)
    reading.start()
    try:
        address = wait_for(lambda: re.search(r"the page is at (\S+)", "".join(log)), "the page's address")[1]
        with connected(address) as page:
            page.stream = "phantom-1"
            page.until(lambda got: bool(got["frame"]) and got["frame"]["box"] is not None)
        tree = [(Path(f"/proc/{pid}/cmdline").read_bytes(), pid) for pid in process_tree(daemon.pid)]
        (viewer,) = [pid for line, pid in tree if b"edge.viewer.process" in line]
        assert os.getpriority(os.PRIO_PROCESS, viewer) == os.getpriority(os.PRIO_PROCESS, daemon.pid)
        assert "Seccomp:\t2" in Path(f"/proc/{viewer}/status").read_text()
    finally:
        daemon.terminate()
        daemon.wait(LIMIT_S)
        reading.join(LIMIT_S)
    assert not [line for line in log if " error " in line], log
