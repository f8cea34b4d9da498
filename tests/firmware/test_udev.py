"""The udev rules that ship: each line is one that udev reads, and each device of ours is given to its group."""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

RULES = sorted((Path(__file__).parents[2] / "firmware_configs" / "udev").glob("*.rules"))
PART = re.compile(r'^([A-Z_]+)(?:\{([^}]+)\})?(==|!=|\+=|:=|=)"([^"]*)"$')
MATCHES = {"ACTION", "SUBSYSTEM", "KERNEL", "ATTR", "ENV", "TEST"}
ASSIGNS = {"GROUP", "MODE", "ATTR"}
UDEVADM = shutil.which("udevadm")


def parts(line: str) -> list[tuple[str, str | None, str, str]]:
    found = []
    for text in re.split(r",\s*", line):
        part = PART.match(text)
        assert part, f"not a part of a rule: {text}"
        found.append((part[1], part[2], part[3], part[4]))
    return found


def rules() -> list[list[tuple[str, str | None, str, str]]]:
    lines = [line for path in RULES for line in path.read_text().splitlines()]
    return [parts(line) for line in lines if line and not line.startswith("#")]


def applied(device: dict[str, Any]) -> dict[str, str]:
    """What the rules assign to ``device``: keys as udev names them, ``ATTR{idVendor}``."""
    given: dict[str, str] = {}
    for rule in rules():
        matches = [part for part in rule if part[2] in ("==", "!=")]
        if all(fnmatch.fnmatchcase(device.get(f"{k}{{{a}}}" if a else k, ""), v) for k, a, _, v in matches):
            given |= {f"{k}{{{a}}}" if a else k: v for k, a, how, v in rule if how == "="}
    return given


def usb(vendor: str, product: str, interfaces: str = ":ff0000:") -> dict[str, str]:
    return {
        "ACTION": "add", "SUBSYSTEM": "usb", "ENV{DEVTYPE}": "usb_device", "ATTR{idVendor}": vendor,
        "ATTR{idProduct}": product, "ENV{ID_USB_INTERFACES}": interfaces, "TEST": "power/control",
    }  # fmt: skip


def test_every_line_is_made_of_keys_that_are_used_as_they_may_be() -> None:
    assert [path.stem for path in RULES] == ["60-sonoedge-cameras", "60-sonoedge-coral", "60-sonoedge-gpu"]
    assert len(rules()) >= 10
    for rule in rules():
        for key, _, how, value in rule:
            assert key in (MATCHES if how in ("==", "!=") else ASSIGNS), (key, how)
            assert value
        assigned = {key: value for key, _, how, value in rule if how == "="}
        assert assigned
        if "MODE" in assigned:
            assert assigned["MODE"] == "0660"  # the group, and nobody else
            assert assigned["GROUP"] in ("video", "render", "plugdev")


@pytest.mark.parametrize(
    ("device", "group"),
    [
        ({"SUBSYSTEM": "video4linux", "KERNEL": "video0"}, "video"),
        ({"SUBSYSTEM": "apex", "KERNEL": "apex_0"}, "plugdev"),
        ({"SUBSYSTEM": "drm", "KERNEL": "renderD128"}, "render"),
        ({"SUBSYSTEM": "drm", "KERNEL": "card0"}, None),
        ({"KERNEL": "nvmap"}, "video"),
        ({"KERNEL": "nvhost-gpu"}, "video"),
        (usb("1a6e", "089a"), "plugdev"),
        (usb("18d1", "9302"), "plugdev"),
        (usb("18d1", "4ee1"), None),  # a telephone of the same maker
        ({"SUBSYSTEM": "block", "KERNEL": "sda"}, None),
    ],
)
def test_each_device_is_given_to_its_group_and_others_are_left_alone(device: dict[str, str], group: str | None) -> None:
    assert applied(device).get("GROUP") == group


def test_grabbers_and_sticks_stay_awake_and_other_usb_devices_may_sleep() -> None:
    for device in (usb("534d", "2109", ":0e0100:0e0200:010100:"), usb("18d1", "9302")):
        assert applied(device)["ATTR{power/control}"] == "on"
    assert applied(usb("046d", "c077", ":030102:")) == {}


def complaints(folder: Path) -> str:
    """What udev itself says of the rules in ``folder``."""
    assert UDEVADM is not None
    told = subprocess.run([UDEVADM, "verify", *folder.glob("*.rules")], capture_output=True, text=True, timeout=60)
    if "Unknown command" not in told.stderr:
        return "" if told.returncode == 0 else told.stdout + told.stderr
    # Before systemd 254: udev reads all rules to try a device. In a mount namespace: the machine sees none of it.
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("this udevadm cannot verify, and trying the rules needs root")
    place = "/run/udev/rules.d"
    script = f"mkdir -p {place} && mount --bind {folder} {place} && {UDEVADM} test /devices/virtual/mem/null"
    told = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, timeout=60)
    read = told.stdout + told.stderr
    if "/run/udev/rules.d/" not in read:
        pytest.skip(f"no mount namespace to try the rules in: {told.stderr.strip()[:100]}")
    lines = [line for line in read.splitlines() if re.search(r"/run/udev/rules\.d/\S+\.rules:\d+", line)]
    return "\n".join(lines)


@pytest.mark.skipif(UDEVADM is None, reason="udevadm is not installed")
def test_udev_itself_reads_them(tmp_path: Path) -> None:
    for path in RULES:
        shutil.copy(path, tmp_path)
    assert complaints(tmp_path) == ""
    (tmp_path / "61-broken.rules").write_text('SUBSYSTEM="usb", GROP="x"\n')
    assert "61-broken.rules" in complaints(tmp_path)  # or the silence above would prove nothing
