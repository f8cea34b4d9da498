"""The systemd unit that ships: systemd understands it, its score is what its README tells, and it fits the daemon."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge.config.settings import Settings
from edge.daemon.supervisor import child_supervisor, supervisor

FOLDER = Path(__file__).parents[2] / "firmware_configs" / "systemd"
UNIT = FOLDER / "sonoedge.service"
ANALYZE = shutil.which("systemd-analyze")

needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")


def options():
    """Option -> values, in order."""
    found = {}
    for line in UNIT.read_text().splitlines():
        if line and line[0] not in "#[":
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


@needs_systemd
def test_systemd_understands_every_line(tmp_path):
    text = UNIT.read_text().replace("/opt/sonoedge/bin/edge-cli", sys.executable)
    (tmp_path / UNIT.name).write_text(text)
    told = subprocess.run([ANALYZE, "verify", tmp_path / UNIT.name], capture_output=True, text=True, timeout=60)
    assert UNIT.name not in told.stderr, told.stderr


@needs_systemd
def test_the_score_is_the_one_that_the_readme_tells():
    told = subprocess.run(
        [ANALYZE, "security", "--offline=yes", UNIT], capture_output=True, text=True, timeout=60
    ).stdout  # fmt: skip
    score = float(re.search(r"Overall exposure level for sonoedge.service: ([\d.]+)", told)[1])
    version = subprocess.run([ANALYZE, "--version"], capture_output=True, text=True, timeout=60).stdout.split()[1]
    noted_version, noted = re.search(r"systemd (\d+): \*\*([\d.]+)\*\*", (FOLDER / "README.md").read_text()).groups()
    assert score < 2.0
    if version == noted_version:
        assert score == float(noted)


def test_its_times_fit_the_daemons():
    unit = {name: values[-1] for name, values in options().items()}
    to_end_a_child_s = child_supervisor.TERMINATE_S + child_supervisor.DYING_S
    assert float(unit["WatchdogSec"]) > Settings().watchdog_s + to_end_a_child_s + max(child_supervisor.BACKOFF_S)
    assert float(unit["TimeoutStartSec"]) > child_supervisor.START_TIMEOUT_S
    assert float(unit["TimeoutStopSec"]) > supervisor.STOP_LIMIT_S
    assert (unit["Type"], unit["NotifyAccess"], unit["KillMode"]) == ("notify", "main", "mixed")
    assert unit["ExecReload"].endswith("-HUP $MAINPID")


def test_its_command_is_one_of_ours_and_no_secret_stands_in_it():
    from edge.cli.main import load

    words = options()["ExecStart"][0].split()
    command = load(words[1])
    assert words[2] in {option for parameter in command.params for option in parameter.opts}
    assert "/run/credentials/sonoedge.service/mqtt-password" in UNIT.read_text()
    assert options()["LoadCredential"] == ["mqtt-password:/etc/sonoedge/mqtt-password"]


MDWE = """
import ctypes, sys
if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0):  # PR_SET_MDWE: what MemoryDenyWriteExecute= is made of
    sys.exit(77)
import cv2, mmap
from edge.app.compose import choose_model, make_guard
from edge.config.settings import Settings
try:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    sys.exit(1)
except PermissionError:
    pass
settings = Settings()
make_guard(settings, choose_model(settings), isolated=True).close()
"""


@pytest.mark.slow
def test_the_model_computes_without_memory_that_is_both_writable_and_executable():
    assert options()["MemoryDenyWriteExecute"] == ["yes"]
    done = subprocess.run([sys.executable, "-c", MDWE], capture_output=True, text=True, timeout=100)
    if done.returncode == 77:
        pytest.skip("this kernel has no PR_SET_MDWE (6.3)")
    assert done.returncode == 0, done.stderr


@needs_systemd
def test_systemd_understands_the_kiosk_and_the_drop_ins(tmp_path):
    kiosk = (FOLDER / "sonoedge-kiosk.service").read_text()
    for program in ("/usr/bin/cage", "/usr/bin/chromium", "/usr/bin/setterm"):
        kiosk = kiosk.replace(program, sys.executable)
    (tmp_path / "sonoedge-kiosk.service").write_text(kiosk)
    (tmp_path / UNIT.name).write_text(UNIT.read_text().replace("/opt/sonoedge/bin/edge-cli", sys.executable))
    drop_ins = tmp_path / f"{UNIT.name}.d"
    shutil.copytree(FOLDER / "drop-ins", drop_ins)
    for name in (UNIT.name, "sonoedge-kiosk.service"):
        told = subprocess.run([ANALYZE, "verify", tmp_path / name], capture_output=True, text=True, timeout=60)
        assert not [line for line in told.stderr.splitlines() if str(tmp_path) in line], told.stderr
    assert len(list(drop_ins.iterdir())) == 2
