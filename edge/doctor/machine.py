"""Checks of the machine itself: can it run this at all, its clock, memory, cores and sensors."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from edge import __version__
from edge.app.envelope import SystemClock
from edge.device import machine, sensors
from edge.doctor.check import absent, ok, warning, wrong
from edge.process.cores import allowed_cores, missing_cores
from edge.process.install import pip_install

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.config.settings import AffinitySettings, Settings
    from edge.contracts.ports import Clock
    from edge.device.machine import Machine
    from edge.device.sensors import Readings
    from edge.doctor.check import Check

GROUP = "machine"
HOT_C = 80.0
"""Warned of where the configuration sets no limit of its own: a Raspberry Pi begins to slow itself there."""
LEAST_MEMORY_MB = 200.0
"""What one stream's processes take, with room for the system."""
LIBRARIES = ("numpy", "opencv-python-headless", "ai-edge-litert", "paho-mqtt", "pydicom", "msgspec")


def check_machine(settings: Settings, root: Path = Path("/")) -> Iterator[Check]:
    """Check the machine in all respects. ``root``: of the kernel's files."""
    yield from check_board(machine.read_machine(root))
    yield check_versions()
    yield check_cores(settings.affinity, allowed_cores())
    yield check_memory(root / "proc/meminfo")
    yield check_clock(SystemClock())
    yield from check_sensors(sensors.read(root), settings.thermal.hot_c or HOT_C)


def check_board(found: Machine) -> Iterator[Check]:
    """Check whether our libraries exist for this kind of machine."""
    glibc = "another C library" if found.glibc is None else f"glibc {'.'.join(map(str, found.glibc))}"
    jetpack = "" if found.jetpack is None else f", JetPack {found.jetpack}"
    python = ".".join(map(str, found.python))
    what = f"{found.architecture}, Linux {found.kernel}, {glibc}, Python {python}{jetpack}"
    name = f"{found.board}: {what}" if found.board else what
    incompatibilities = machine.incompatibilities(found)
    for why, hint in incompatibilities:
        yield wrong(GROUP, "board", f"sonoedge cannot run here: {why}", hint)
    if not incompatibilities:
        yield ok(GROUP, "board", name)


def check_versions() -> Check:
    """Check which libraries are installed. Whether they work is seen where they are used."""
    found = {name: _version(name) for name in LIBRARIES}
    missing = [name for name, number in found.items() if number is None]
    if missing:
        return wrong(GROUP, "versions", f"not installed: {', '.join(missing)}", pip_install(*missing))
    return ok(
        GROUP, "versions", ", ".join(f"{name} {number}" for name, number in {"sonoedge": __version__, **found}.items())
    )


def check_cores(affinity: AffinitySettings, there: list[int]) -> Check:
    """Check whether the cores are there that processes are to keep to."""
    missing = missing_cores(affinity, there)
    if missing:
        return warning(
            GROUP,
            "cores",
            f"[affinity] asks for cores {_listed(missing)}; there are {_listed(there)}",
            "name cores of this machine; those that are not there are left out",
        )
    return ok(GROUP, "cores", f"{len(there)} for us: {_listed(there)}")


def check_memory(meminfo: Path) -> Check:
    """Check whether there is memory for the processes of one stream."""
    try:
        lines = dict(line.split(":", 1) for line in meminfo.read_text(encoding="ascii").splitlines() if ":" in line)
        total, free = (int(lines[key].split()[0]) * 1024 / 1e6 for key in ("MemTotal", "MemAvailable"))
    except (OSError, ValueError, KeyError, IndexError):
        return absent(GROUP, "memory", "the kernel does not say how much there is")
    text = f"{free:.0f} MB free of {total:.0f} MB"
    if free < LEAST_MEMORY_MB:
        return warning(GROUP, "memory", text, f"end other programs: one stream wants {LEAST_MEMORY_MB:.0f} MB")
    return ok(GROUP, "memory", text)


def check_clock(clock: Clock) -> Check:
    """Check whether the clock is synchronised, so that times in findings can be trusted."""
    if clock.synced():
        return ok(GROUP, "clock", f"synchronised, {clock.utc()[:19]}Z")
    return warning(
        GROUP,
        "clock",
        f"not synchronised, it says {clock.utc()[:19]}Z; findings will say so",
        "sudo timedatectl set-ntp true, and a time server that can be reached",
    )


def check_sensors(readings: Readings, hot_c: float) -> Iterator[Check]:
    """Check temperature, throttling and power supply."""
    cooler = "cool it better (a fan, more air), or give the runtime fewer threads"
    if readings.temperature_c is None:
        yield absent(GROUP, "temperature", "no sensor that can be read: health will not tell")
    elif readings.temperature_c >= hot_c:
        yield warning(GROUP, "temperature", f"{readings.temperature_c:.1f} °C, hot from {hot_c:.0f} °C on", cooler)
    else:
        yield ok(GROUP, "temperature", f"{readings.temperature_c:.1f} °C")
    governor = f" by {readings.governor}" if readings.governor else ""
    clock = "" if readings.clock_mhz is None else f"{readings.clock_mhz:.0f} MHz{governor}"
    if readings.throttled:
        yield warning(GROUP, "throttling", f"the clock is held down now{clock and ': '}{clock}", cooler)
    elif readings.flags is not None and readings.flags >> 16:
        yield warning(GROUP, "throttling", f"not now, but since the start: flags 0x{readings.flags:X}", cooler)
    elif readings.throttled is None:
        yield absent(GROUP, "throttling", "nothing here tells" + (clock and f"; {clock}"))
    else:
        yield ok(GROUP, "throttling", "none" + (clock and f", {clock}"))
    if readings.under_voltage:
        yield warning(GROUP, "supply", "too weak now", "take the board maker's own supply, and a short cable")
    elif readings.power_w is not None:
        yield ok(GROUP, "supply", f"{readings.power_w:.1f} W ({readings.power_source})")
    elif readings.under_voltage is None:
        yield absent(GROUP, "supply", "no sensor: power is not measured")
    else:
        yield ok(GROUP, "supply", "strong enough; power is not measured")


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None


def _listed(cores: list[int]) -> str:
    return ", ".join(map(str, cores))
