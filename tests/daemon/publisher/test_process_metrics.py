"""Process metrics: memory, age and free disk, from the real /proc and from one of our own making."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from edge.daemon.publisher import process_metrics
from edge.process.usage import process_tree, uptime_s

if TYPE_CHECKING:
    from pathlib import Path


def make_process(proc: Path, pid: int, parent: int, pss_kb: int | None, name: str = "x") -> None:
    folder = proc / str(pid)
    folder.mkdir()
    (folder / "stat").write_text(f"{pid} ({name}) S {parent} " + " ".join(str(n) for n in range(5, 53)))
    if pss_kb is not None:
        (folder / "smaps_rollup").write_text(
            f"0-1 ---p 0 00:00 0 [rollup]\nRss: 999 kB\nPss: {pss_kb} kB\nPss_Anon: 1 kB\n"
        )


def test_memory_is_that_of_a_process_and_all_its_descendants(tmp_path: Path) -> None:
    make_process(tmp_path, 10, 1, 1000)
    make_process(tmp_path, 11, 10, 2000, name="odd) name (")
    make_process(tmp_path, 12, 11, 3000)
    make_process(tmp_path, 13, 11, None)  # ended meanwhile
    make_process(tmp_path, 20, 1, 50_000)  # not ours
    (tmp_path / "self").mkdir()
    assert sorted(process_tree(10, tmp_path)) == [10, 11, 12, 13]
    assert process_metrics.memory_mb(10, tmp_path) == round(6000 * 1024 / 1e6, 1)
    assert process_metrics.memory_mb(99, tmp_path) is None


def test_of_this_process_and_a_child() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert child.pid in process_tree(os.getpid())
        memory = process_metrics.memory_mb(os.getpid())
        assert memory is not None
        assert 5 < memory < 5000
    finally:
        child.communicate(b"\n")
    assert 0 <= uptime_s(os.getpid()) < 86400 * 365
    assert uptime_s(2**22 + 1) == 0


def test_disk(tmp_path: Path) -> None:
    free = process_metrics.disk_free_mb(tmp_path)
    assert free is not None
    assert free > 0
    assert process_metrics.disk_free_mb(tmp_path / "missing") is None
