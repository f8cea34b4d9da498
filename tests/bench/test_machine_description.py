"""Description of the machine: read from the kernel's files, and None where there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.bench.machine_description import describe_machine, filesystem
from edge.bench.process_memory import measure_memory

if TYPE_CHECKING:
    from pathlib import Path


def put(root: Path, name: str, words: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(words)


def test_a_raspberry_pi_says_what_it_is(tmp_path: Path) -> None:
    put(tmp_path, "proc/device-tree/model", "Raspberry Pi 5 Model B Rev 1.0\0")
    put(tmp_path, "proc/cpuinfo", "processor : 0\nCPU implementer : 0x41\nCPU part : 0xd0b\n\nModel : Raspberry Pi 5\n")
    put(tmp_path, "proc/meminfo", "MemTotal:        8000000 kB\n")
    put(tmp_path, "etc/os-release", 'PRETTY_NAME="Debian 12"\n')
    put(tmp_path, "proc/loadavg", "0.25 0.1 0.1 1/2 3\n")
    found = describe_machine(tmp_path)
    assert (found.board, found.processor) == ("Raspberry Pi 5 Model B Rev 1.0", "Raspberry Pi 5")
    assert (found.memory_mb, found.system, found.load) == (8192, "Debian 12", 0.25)
    assert found.libraries["numpy"]


def test_a_cart_is_told_by_its_firmware(tmp_path: Path) -> None:
    put(tmp_path, "sys/class/dmi/id/sys_vendor", "Maker\n")
    put(tmp_path, "sys/class/dmi/id/product_name", "Cart 3\n")
    put(tmp_path, "proc/cpuinfo", "model name\t: Fast(R) CPU @ 2:1\n")
    found = describe_machine(tmp_path)
    assert (found.board, found.processor) == ("Maker Cart 3", "Fast(R) CPU @ 2:1")


def test_a_machine_that_says_nothing_is_described_by_nothing(tmp_path: Path) -> None:
    found = describe_machine(tmp_path)
    assert (found.board, found.processor, found.memory_mb, found.system, found.load) == (None,) * 5
    assert filesystem(tmp_path, tmp_path) is None


def test_the_outbox_s_file_system_is_that_of_the_deepest_mount(tmp_path: Path) -> None:
    put(tmp_path, "proc/mounts", f"/dev/a / ext4 rw 0 0\ntmpfs {tmp_path}/t tmpfs rw 0 0\n")
    assert filesystem(tmp_path / "t" / "x", tmp_path) == "tmpfs"
    assert filesystem(tmp_path / "tx", tmp_path) == "ext4"


def test_memory_is_summed_by_process_and_a_broker_is_none_of_ours(tmp_path: Path) -> None:
    def process(pid: int, command: str, pss: int, parent: int = 10) -> None:
        put(tmp_path, f"{pid}/cmdline", command.replace(" ", "\0"))
        put(tmp_path, f"{pid}/smaps_rollup", f"Rss: 9 kB\nPss:   {pss} kB\n")
        put(tmp_path, f"{pid}/status", f"VmHWM:   {2 * pss} kB\n")
        put(tmp_path, f"{pid}/stat", f"{pid} (python) S {parent} 0 0")

    process(10, "python -m edge.cli.main benchmark", 50_000, parent=1)
    process(11, "python -m edge.runtimes.isolated_child 3 4", 30_000)
    process(12, "mosquitto -c x", 90_000)
    process(13, "python -m edge.daemon.publisher.process 5", 20_000)
    found = measure_memory(tmp_path, 10)
    assert found.pss_mb == {"frame": 51.2, "runtime": 30.7, "publisher": 20.5}
    assert found.pss_total == 102.4
    assert found.peak_total == 204.8
    (tmp_path / "none").mkdir()
    assert measure_memory(tmp_path / "none", 10).pss_total is None
