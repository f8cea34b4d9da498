"""Checks of cameras and accelerators, and of the right to use them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from doctor_checks import marks
from machine_file_trees import write_files

from edge.doctor.devices import check_devices


def test_no_devices_are_no_fault(tmp_path: Path) -> None:
    assert marks(check_devices(tmp_path)) == {"camera": "absent", "accelerator": "absent"}


def test_a_coral_without_driver_or_library(tmp_path: Path) -> None:
    write_files(tmp_path, {"sys/bus/pci/devices/1/vendor": "0x1ac1", "sys/bus/pci/devices/1/device": "0x089a"})
    found = {check.name: check for check in check_devices(tmp_path)}
    assert "no driver serves it" in found["Coral PCIe"].text
    assert "libedgetpu1-std" in found["libedgetpu.so.1"].hint
    write_files(tmp_path, {"dev/apex_0": "", "usr/lib/x86_64-linux-gnu/libedgetpu.so.1": ""})
    assert marks(check_devices(tmp_path)) == {"camera": "absent", "Coral PCIe": "ok", "libedgetpu.so.1": "ok"}


NOBODY = """
import grp, json, os, sys  # all of it now: nobody may read where Python lies
from pathlib import Path
from edge.doctor.devices import check_devices
os.setgid(65534); os.setgroups([]); os.setuid(65534)
print(json.dumps([[c.name, c.mark, c.text, c.hint] for c in check_devices(Path(sys.argv[1]))]))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody who may not")
def test_a_device_that_we_may_not_use_names_the_group_that_may(tmp_path_factory: pytest.TempPathFactory) -> None:
    import json
    import shutil
    import tempfile

    root = Path(tempfile.mkdtemp())  # pytest's own folders are closed to others
    try:
        write_files(root, {"dev/video0": "", "sys/class/video4linux/video0/name": "grabber", "dev/dri/renderD128": ""})
        root.chmod(0o755)
        for node in ("dev/video0", "dev/dri/renderD128"):
            (root / node).chmod(0o660)
        done = subprocess.run([sys.executable, "-c", NOBODY, root], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
    finally:
        shutil.rmtree(root)
    assert [(name, mark) for name, mark, _, _ in told] == [("grabber", "warning"), ("GPU", "warning")], done.stderr
    assert "usermod -aG video" in told[0][3]
    assert "usermod -aG render" in told[1][3]
