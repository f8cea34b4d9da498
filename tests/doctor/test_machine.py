"""Checks of machines that are well, and of those that are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from doctor_checks import marks, only
from machine_file_trees import jetson_orin_nano, pi_5, x86_cart

from edge.config.settings import AffinitySettings
from edge.device import sensors
from edge.device.machine import Machine
from edge.doctor.machine import check_board, check_clock, check_cores, check_memory, check_sensors

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_a_board_that_cannot_run_it_is_named_with_the_reason() -> None:
    board = Machine(
        board="Raspberry Pi 2 Model B", architecture="armv7l", bits=32, kernel="6.1", glibc=(2, 31), python=(3, 9, 2),
        jetpack=None,
    )  # fmt: skip
    checks = list(check_board(board))
    assert [check.mark for check in checks] == ["wrong", "wrong"]
    assert "cannot run here: armv7l: LiteRT has no wheels" in checks[0].text
    assert "cannot run here: Python 3.9.2" in checks[1].text


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (pi_5, {"temperature": "warning", "throttling": "warning", "supply": "warning"}),
        (jetson_orin_nano, {"temperature": "ok", "throttling": "ok", "supply": "ok"}),
        (x86_cart, {"temperature": "ok", "throttling": "warning", "supply": "ok"}),
        (lambda root: root, {"temperature": "absent", "throttling": "absent", "supply": "absent"}),
    ],
)
def test_sensors(tmp_path: Path, tree: Callable[[Path], Path], expected: dict[str, str]) -> None:
    assert marks(check_sensors(sensors.read(tree(tmp_path)), 80.0)) == expected


def test_throttling_that_is_over_is_still_told(tmp_path: Path) -> None:
    check = only(check_sensors(sensors.read(pi_5(tmp_path, flags="50000")), 90.0), "throttling")
    assert (check.mark, "0x50000" in check.text) == ("warning", True)


def test_clock_cores_and_memory(tmp_path: Path) -> None:
    class Clock:
        def __init__(self, synced: bool) -> None:
            self.synced = lambda: synced

        def monotonic_ns(self) -> int:
            return 0

        def utc(self) -> str:
            return "2026-01-02T03:04:05.000000Z"

    assert check_clock(Clock(True)).mark == "ok"
    assert check_clock(Clock(False)).mark == "warning"
    assert check_cores(AffinitySettings(frame=[0]), [0, 1]).mark == "ok"
    assert "asks for cores 2, 7" in check_cores(AffinitySettings(frame=[7], runtime=[0, 2]), [0, 1]).text
    meminfo = tmp_path / "meminfo"
    for kilobytes, mark in ((100_000, "warning"), (400_000, "ok")):
        meminfo.write_text(f"MemTotal: 450000 kB\nMemFree: 1 kB\nMemAvailable: {kilobytes} kB\n")
        assert check_memory(meminfo).mark == mark
    assert check_memory(tmp_path / "none").mark == "absent"
