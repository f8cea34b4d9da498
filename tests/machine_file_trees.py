"""File trees that look like machines: what the kernel shows of a Pi 4 and 5, a Jetson Orin Nano, an x86 cart."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

CPU = "sys/devices/system/cpu"
THERMAL = "sys/class/thermal"
HWMON = "sys/class/hwmon"


def write_files(root: Path, files: dict[str, str]) -> Path:
    """Write ``files`` below ``root``; the kernel ends each with a line feed."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n" if text else "")
    return root


def pi_4(root: Path, flags: str = "0") -> Path:
    return write_files(
        root,
        {
            f"{THERMAL}/thermal_zone0/type": "cpu-thermal",
            f"{THERMAL}/thermal_zone0/temp": "61835",
            f"{THERMAL}/cooling_device0/type": "gpio-fan",
            f"{THERMAL}/cooling_device0/cur_state": "1",
            f"{HWMON}/hwmon0/name": "cpu_thermal",
            f"{HWMON}/hwmon0/temp1_input": "61835",
            f"{HWMON}/hwmon1/name": "rpi_volt",
            f"{HWMON}/hwmon1/in0_lcrit_alarm": "0",
            f"{CPU}/cpufreq/policy0/scaling_cur_freq": "1800000",
            f"{CPU}/cpufreq/policy0/scaling_governor": "ondemand",
            "sys/devices/platform/soc/soc:firmware/get_throttled": flags,
        },
    )


def pi_5(root: Path, flags: str = "50005") -> Path:
    return write_files(
        root,
        {
            f"{THERMAL}/thermal_zone0/type": "cpu-thermal",
            f"{THERMAL}/thermal_zone0/temp": "82650",
            f"{THERMAL}/cooling_device0/type": "pwm-fan",
            f"{THERMAL}/cooling_device0/cur_state": "4",
            f"{HWMON}/hwmon2/name": "rpi_volt",
            f"{HWMON}/hwmon2/in0_lcrit_alarm": "1",
            f"{CPU}/cpufreq/policy0/scaling_cur_freq": "1500000",
            f"{CPU}/cpufreq/policy0/scaling_governor": "ondemand",
            "sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled": flags,
        },
    )


def jetson_orin_nano(root: Path) -> Path:
    zones = {
        "cpu-thermal": "48531",
        "gpu-thermal": "47843",
        "cv0-thermal": "",
        "soc0-thermal": "46906",
        "tj-thermal": "49125",
    }
    files = {}
    for i, (kind, temp) in enumerate(zones.items()):
        files[f"{THERMAL}/thermal_zone{i}/type"] = kind
        files[f"{THERMAL}/thermal_zone{i}/temp"] = temp  # a zone that is off answers with nothing
    rails = {1: ("VDD_IN", "5008", "1240"), 2: ("VDD_CPU_GPU_CV", "5008", "480"), 3: ("VDD_SOC", "5008", "320")}
    for i, (label, millivolts, milliamperes) in rails.items():
        files[f"{HWMON}/hwmon1/in{i}_label"] = label
        files[f"{HWMON}/hwmon1/in{i}_input"] = millivolts
        files[f"{HWMON}/hwmon1/curr{i}_input"] = milliamperes
    return write_files(
        root,
        {
            **files,
            f"{HWMON}/hwmon1/name": "ina3221",
            f"{THERMAL}/cooling_device0/type": "pwm-fan",
            f"{THERMAL}/cooling_device0/cur_state": "1",
            f"{THERMAL}/cooling_device1/type": "cpufreq-cpu0",
            f"{THERMAL}/cooling_device1/cur_state": "0",
            f"{CPU}/cpufreq/policy0/scaling_cur_freq": "1510400",
            f"{CPU}/cpufreq/policy0/scaling_governor": "schedutil",
            f"{CPU}/cpufreq/policy4/scaling_cur_freq": "729600",
            f"{CPU}/cpufreq/policy4/scaling_governor": "schedutil",
        },
    )


def x86_cart(root: Path) -> Path:
    files = {}
    for core, khz in enumerate(("800000", "3400000")):
        files[f"{CPU}/cpufreq/policy{core}/scaling_cur_freq"] = khz
        files[f"{CPU}/cpufreq/policy{core}/scaling_governor"] = "powersave"
        files[f"{CPU}/cpu{core}/thermal_throttle/package_throttle_count"] = "17"
    return write_files(
        root,
        {
            **files,
            f"{THERMAL}/thermal_zone0/type": "acpitz",
            f"{THERMAL}/thermal_zone0/temp": "98000",  # firmware's invention, and not of the chip
            f"{THERMAL}/thermal_zone1/type": "x86_pkg_temp",
            f"{THERMAL}/thermal_zone1/temp": "71000",
            f"{THERMAL}/cooling_device0/type": "Processor",
            f"{THERMAL}/cooling_device0/cur_state": "2",
            f"{THERMAL}/cooling_device1/type": "intel_powerclamp",
            f"{THERMAL}/cooling_device1/cur_state": "-1",
            f"{HWMON}/hwmon0/name": "coretemp",
            f"{HWMON}/hwmon0/temp1_input": "72000",
            f"{HWMON}/hwmon1/name": "nvme",
            f"{HWMON}/hwmon1/temp1_input": "80850",
            "sys/class/power_supply/AC/online": "0",
            "sys/class/power_supply/BAT0/status": "Discharging",
            "sys/class/power_supply/BAT0/power_now": "14820000",
        },
    )
