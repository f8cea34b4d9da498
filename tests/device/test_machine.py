"""Boards that cannot run it are named, with the reason."""

from __future__ import annotations

import platform
import sys
from typing import TYPE_CHECKING, Any

import pytest
from machine_file_trees import write_files

from edge.device.machine import Machine, incompatibilities, read_machine

if TYPE_CHECKING:
    from pathlib import Path


def machine(**changes: Any) -> Machine:
    fields: dict[str, Any] = {
        "board": "", "architecture": "aarch64", "bits": 64, "kernel": "6.6", "glibc": (2, 36), "python": (3, 11, 2),
        "jetpack": None,
    }  # fmt: skip
    return Machine(**{**fields, **changes})


@pytest.mark.parametrize(
    "fine", [machine(), machine(architecture="x86_64"), machine(jetpack=6), machine(glibc=(2, 27), python=(3, 10, 0))]
)
def test_what_can_run_it(fine: Machine) -> None:
    assert incompatibilities(fine) == []


@pytest.mark.parametrize(
    ("barred", "why"),
    [
        (machine(architecture="armv7l", bits=32), ["armv7l: LiteRT has no wheels"]),
        (machine(architecture="armv6l", bits=32), ["armv6l: LiteRT has no wheels"]),
        (machine(bits=32), ["32-bit programs on a 64-bit kernel"]),
        (machine(glibc=(2, 24)), ["glibc 2.24, LiteRT needs 2.27"]),
        (machine(glibc=None), ["not the GNU C library"]),
        (machine(python=(3, 9, 2)), ["Python 3.9.2, we need 3.10"]),
        (machine(jetpack=4, glibc=(2, 27), python=(3, 6, 9)), ["JetPack 4: Python 3.6.9, we need 3.10"]),
        (
            machine(architecture="armv7l", bits=32, glibc=(2, 24), python=(3, 5, 3)),
            ["armv7l", "glibc 2.24", "Python 3.5.3"],
        ),
    ],
)
def test_what_cannot_run_it_and_why(barred: Machine, why: list[str]) -> None:
    found = incompatibilities(barred)
    assert len(found) == len(why)
    for (told, hint), expected in zip(found, why, strict=True):
        assert told.startswith(expected)
        assert hint


@pytest.mark.parametrize(
    ("release", "jetpack"),
    [("# R32 (release), REVISION: 7.1, GCID: 1", 4), ("# R36 (release), REVISION: 4.0", 6), ("junk", None)],
)
def test_a_jetson_says_its_jetpack(tmp_path: Path, release: str, jetpack: int | None) -> None:
    write_files(tmp_path, {"etc/nv_tegra_release": release, "proc/device-tree/model": "NVIDIA Jetson\0"})
    assert (read_machine(tmp_path).jetpack, read_machine(tmp_path).board) == (jetpack, "NVIDIA Jetson")


def test_this_machine(tmp_path: Path) -> None:
    found = read_machine(tmp_path)
    assert (found.board, found.jetpack) == ("", None)
    assert found.python == tuple(sys.version_info[:3])
    assert found.architecture == platform.machine()
    assert incompatibilities(found) == []  # or this test would not run
