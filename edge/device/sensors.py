"""Reads temperature, clock, throttling and power from the kernel's files. What has no sensor is None, never zero.

/sys/class/thermal/thermal_zone*      temperature of the processor, by the zone's type
/sys/class/thermal/cooling_device*    cpufreq-…, Processor: above 0, the kernel holds the clock down
/sys/class/hwmon/hwmon*               coretemp, k10temp; rpi_volt: the Pi's supply; ina3221: the Jetson's
/sys/devices/system/cpu               cpufreq: clock, governor; thermal_throttle: how often an x86 slowed itself
…/soc*:firmware/get_throttled         the Raspberry Pi firmware's flags, hexadecimal
/sys/class/power_supply               what a battery gives, while it gives
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path("/")
"""Root of this machine's file tree; tests read another."""

UNDER_VOLTAGE = 0x1
"""Bit of the Raspberry Pi firmware's flags: the supply is too weak now."""
CLOCK_LIMITED = 0x2 | 0x4 | 0x8
"""Bits of the Raspberry Pi firmware's flags: the clock is capped, throttled, or limited by heat now."""

PROCESSOR_ZONE = re.compile(r"cpu|gpu|soc|tj|pkg|cv\d", re.IGNORECASE)
"""Types of zones that lie on the chip. Others (battery, wireless, the case) throttle nothing; some are constant."""
PROCESSOR_HWMON = ("coretemp", "k10temp", "zenpower", "cpu_thermal")
"""Names of hwmon chips that measure the temperature of the processor."""
CLOCK_LIMITERS = re.compile(r"cpufreq|^processor", re.IGNORECASE)
"""Types of cooling devices that cool by computing less; fans are of other types."""
PLAUSIBLE_C = (-40.0, 150.0)
"""Range of believable temperatures, degrees Celsius. A sensor that says anything else is broken, or off."""
INPUT_RAILS = ("VDD_IN", "VIN_SYS_5V0", "POM_5V_IN")
"""Rails through which a Jetson gets all its power; the others are parts of it and would count twice."""
POWER_METERS = re.compile(r"^(power_meter|ina2\d\d)$")
"""ACPI's meter of the whole machine, and the measuring chips of supply boards."""


class Readings(msgspec.Struct, frozen=True, kw_only=True):
    """Values of all sensors at one moment. None: there is no such sensor, or it does not answer."""

    temperature_c: float | None = None
    """Hottest place of the processor, in degrees Celsius."""
    clock_mhz: float | None = None
    """Fastest core's clock now."""
    governor: str | None = None
    """cpufreq's governor; several, joined by commas, where clusters of cores differ."""
    throttled: bool | None = None
    """Whether the clock is held down now, by heat or by a weak supply."""
    under_voltage: bool | None = None
    """Whether the supply is too weak now."""
    power_w: float | None = None
    """What the machine takes now, in watts."""
    power_source: str | None = None
    """Where ``power_w`` was read: ``VDD_IN``, ``power_meter``, ``battery``."""
    flags: int | None = None
    """The Raspberry Pi firmware's bits, as ``vcgencmd get_throttled`` shows them; from bit 16 on: since its start."""
    throttle_events: int | None = None
    """Times that an x86 processor slowed itself since it was started: compare two readings."""


def read(root: Path = ROOT) -> Readings:
    """Read all sensors once; takes a few milliseconds. Never raises: what cannot be read is None."""
    cpus = root / "sys/devices/system/cpu"
    policies = sorted((cpus / "cpufreq").glob("policy*"))
    clocks = [khz for policy in policies if (khz := _number(policy / "scaling_cur_freq")) is not None]
    governors = sorted({word for policy in policies if (word := _text(policy / "scaling_governor"))})
    events = [
        n for path in cpus.glob("cpu*/thermal_throttle/package_throttle_count") if (n := _number(path)) is not None
    ]
    flags = _firmware_flags(root)
    power_w, power_source = _power(root)
    return Readings(
        temperature_c=_temperature(root),
        clock_mhz=round(max(clocks) / 1e3, 1) if clocks else None,
        governor=",".join(governors) or None,
        throttled=_throttled(root, flags),
        under_voltage=_under_voltage(root, flags),
        power_w=power_w,
        power_source=power_source,
        flags=flags,
        throttle_events=int(max(events)) if events else None,
    )


def _temperature(root: Path) -> float | None:
    on_chip: list[float] = []
    elsewhere: list[float] = []
    for zone in sorted(root.glob("sys/class/thermal/thermal_zone*")):
        celsius = _celsius(zone / "temp")
        if celsius is not None:
            (on_chip if PROCESSOR_ZONE.search(_text(zone / "type") or "") else elsewhere).append(celsius)
    for chip in _hwmons(root):
        if _text(chip / "name") in PROCESSOR_HWMON:
            on_chip += [celsius for path in chip.glob("temp*_input") if (celsius := _celsius(path)) is not None]
    found = on_chip or elsewhere  # a zone of the case is better than none
    return max(found) if found else None


def _throttled(root: Path, flags: int | None) -> bool | None:
    if flags is not None:
        return bool(flags & CLOCK_LIMITED)
    held = [
        level > 0
        for device in root.glob("sys/class/thermal/cooling_device*")
        if CLOCK_LIMITERS.search(_text(device / "type") or "") and (level := _number(device / "cur_state")) is not None
    ]
    return any(held) if held else None


def _under_voltage(root: Path, flags: int | None) -> bool | None:
    for chip in _hwmons(root):
        if _text(chip / "name") == "rpi_volt":
            alarm = _number(chip / "in0_lcrit_alarm")
            if alarm is not None:
                return alarm > 0
    return None if flags is None else bool(flags & UNDER_VOLTAGE)


def _firmware_flags(root: Path) -> int | None:
    """The node's folder is ``soc`` up to the Pi 4, and carries an address on the Pi 5."""
    nodes = sorted(root.glob("sys/devices/platform/soc*/soc*:firmware/get_throttled"))
    try:
        return int(_text(nodes[0]) or "", 16) if nodes else None
    except ValueError:
        return None


def _power(root: Path) -> tuple[float | None, str | None]:
    """(watts, where they were read)."""
    for chip in _hwmons(root):
        for label in sorted(chip.glob("in*_label")):
            rail = label.name.removeprefix("in").removesuffix("_label")
            volts, amperes = _number(chip / f"in{rail}_input"), _number(chip / f"curr{rail}_input")
            if _text(label) in INPUT_RAILS and volts is not None and amperes is not None:
                return round(volts * amperes / 1e6, 2), _text(label)  # mV, mA
        name = _text(chip / "name") or ""
        if POWER_METERS.match(name):
            for file in ("power1_average", "power1_input"):
                microwatts = _number(chip / file)
                if microwatts is not None:
                    return round(microwatts / 1e6, 2), name
    for supply in sorted(root.glob("sys/class/power_supply/*")):
        microwatts = _number(supply / "power_now")
        if _text(supply / "status") == "Discharging" and microwatts is not None:
            return round(microwatts / 1e6, 2), "battery"
    return None, None


def _hwmons(root: Path) -> Iterator[Path]:
    yield from sorted(root.glob("sys/class/hwmon/hwmon*"))


def _celsius(path: Path) -> float | None:
    millidegrees = _number(path)
    if millidegrees is None or not PLAUSIBLE_C[0] < millidegrees / 1e3 < PLAUSIBLE_C[1]:
        return None
    return round(millidegrees / 1e3, 1)


def _number(path: Path) -> float | None:
    try:
        return int(_text(path) or "")
    except ValueError:
        return None


def _text(path: Path) -> str | None:
    """A sensor that is off answers with an error, or with nothing."""
    try:
        return path.read_text(encoding="ascii").strip() or None
    except (OSError, ValueError):
        return None
