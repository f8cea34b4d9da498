"""Emulated Arm processors, and the files by which a kernel describes them.

Qemu emulates the instructions. What it does not emulate is ``/proc/cpuinfo`` and ``/sys/devices/system/cpu``: a program
would see the host's. LiteRT's CPU library reads both to choose its kernels. With an x86 cpuinfo it crashes; without the
two lists of CPUs it runs, but leaves XNNPACK out without a word, and other kernels give other bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

CORES = 2


@dataclass(frozen=True, slots=True)
class ArmCpu:
    """One emulated Arm processor: its qemu name, part number and features."""

    name: str
    """As qemu calls it."""
    part: int
    """Arm's part number (MIDR_EL1), by which libraries know a core."""
    features: str
    """As the kernel lists them; programs are told the same by qemu through the auxiliary vector."""
    boards: str
    """Where such a core is found, for people."""
    without: str = ""
    """What of it is left out, as qemu takes it."""


V8 = "fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid"
V8_2 = f"{V8} atomics fphp asimdhp asimdrdm lrcpc dcpop asimddp"
CPUS = (
    ArmCpu("cortex-a53", 0xD03, V8, "Raspberry Pi Zero 2 W, Pi 3"),
    ArmCpu("cortex-a72", 0xD08, V8, "Raspberry Pi 4"),
    ArmCpu("cortex-a76", 0xD0B, V8_2, "Raspberry Pi 5; as Jetson Orin's A78AE: int8 dot products"),
    # With SME outputs are up to 250 steps off, and golden vectors refuse it: docs/arm64.md. No board here has it.
    ArmCpu("max", 0xD4F, f"{V8_2} sve i8mm bf16", "all that qemu can but SME: int8 matrix products, SVE", ",sme=off"),
)
BY_NAME = {cpu.name: cpu for cpu in CPUS}


def cpuinfo(cpu: ArmCpu) -> str:
    """Content of ``/proc/cpuinfo`` for `CORES` such cores."""
    core = (
        f"BogoMIPS\t: 108.00\nFeatures\t: {cpu.features}\nCPU implementer\t: 0x41\nCPU architecture: 8\n"
        f"CPU variant\t: 0x0\nCPU part\t: {cpu.part:#x}\nCPU revision\t: 3\n\n"
    )
    return "".join(f"processor\t: {number}\n{core}" for number in range(CORES))


def write_cpu_files(root: Path, cpu: ArmCpu, *, listed: bool = True) -> None:
    """Write the files by which the system below ``root`` describes its processor: ``proc/cpuinfo``, lists of CPUs.

    Args:
        root: of an Arm system that is entered by chroot.
        cpu: which one.
        listed: False hides the lists of CPUs, as a sandbox without /sys does.
    """
    for folder in (root / "proc", root / "sys"):
        if folder.is_symlink():  # debootstrap's, where it may not mount: through it we would write to the host's
            folder.unlink()
    proc, system = root / "proc", root / "sys/devices/system/cpu"
    proc.mkdir(exist_ok=True)
    system.mkdir(parents=True, exist_ok=True)
    (proc / "cpuinfo").write_text(cpuinfo(cpu))
    for name in ("possible", "present"):
        if listed:
            (system / name).write_text(f"0-{CORES - 1}\n")
        else:
            (system / name).unlink(missing_ok=True)
