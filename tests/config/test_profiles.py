"""Device profiles that ship: they load, say why, name only what exists, and the daemon starts with each of them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edge.config.consistency import find_warnings
from edge.config.load import load_settings
from edge.config.settings import Settings, StreamSettings
from edge.config.toml_lines import key_lines
from edge.config.uri import parse_uri
from edge.device.cameras_and_accelerators import find_library
from edge.plugins import make_source, schemes
from edge.process.cores import allowed_cores, missing_cores

FOLDER = Path(__file__).parents[2] / "firmware_configs"
PROFILES = sorted(FOLDER.glob("*.toml"))
FALLBACK = "runtime_fallback"


def test_all_profiles_are_there_and_the_readme_tells_of_each() -> None:
    names = [path.stem for path in PROFILES]
    assert names == [
        "coral-m2-pi", "coral-m2-x86", "coral-usb-pi", "coral-usb-x86", "developer", "jetson-orin-nano",
        "raspberry-pi-4", "raspberry-pi-5", "raspberry-pi-zero-2-w", "x86-cart",
    ]  # fmt: skip
    text = (FOLDER / "README.md").read_text()
    for name in names:
        (row,) = (line for line in text.splitlines() if line.startswith("| `") and f"`{name}`" in line)
        settings = load_settings(FOLDER / f"{name}.toml", {}, {})
        limit = "no limit" if settings.thermal.hot_c is None else f"{settings.thermal.hot_c:.0f} °C"
        assert limit in row
        threads = parse_uri((settings.runtime.fallback or [settings.runtime.uri])[0]).params["threads"]
        assert f"processor, {threads} thread" in row


@pytest.mark.parametrize("path", PROFILES, ids=lambda p: p.stem)
def test_a_profile_loads_and_names_installed_plugins(path: Path) -> None:
    settings = load_settings(path, {}, {})
    assert settings != Settings()
    assert settings.sinks
    assert all(parse_uri(sink.uri).scheme in schemes("sinks") for sink in settings.sinks)
    assert all(parse_uri(stream.source).scheme in schemes("sources") for stream in settings.streams)
    runtimes = [settings.runtime.uri, *settings.runtime.fallback]
    assert all(parse_uri(uri).scheme in schemes("runtimes") for uri in runtimes)
    assert list(find_warnings(settings)) == []
    assert settings.publish.image_ref is False


@pytest.mark.parametrize("path", PROFILES, ids=lambda p: p.stem)
def test_a_profile_names_the_camera_line_of_its_device(path: Path) -> None:
    named = re.findall(r"--source '?((?:camera|rpicam|gst)://[^'\n]*?)(?:'| |$)", path.read_text(), re.MULTILINE)
    assert any(uri.startswith("camera://0") for uri in named)
    assert ("raspberry-pi" in path.stem) == any(uri.startswith("rpicam://") for uri in named)
    for uri in named:
        make_source(StreamSettings(name="cart", source=uri))  # refuses what it does not know


@pytest.mark.parametrize("path", PROFILES, ids=lambda p: p.stem)
def test_what_needs_hardware_has_a_fall_back_that_needs_none(path: Path) -> None:
    runtime = load_settings(path, {}, {}).runtime
    last = parse_uri([runtime.uri, *runtime.fallback][-1])
    assert last.scheme == "litert"
    assert set(last.params) == {"threads"}


@pytest.mark.parametrize("path", PROFILES, ids=lambda p: p.stem)
def test_every_setting_of_a_profile_says_why(path: Path) -> None:
    lines = path.read_text().splitlines()
    for key, number in key_lines(path.read_text()).items():
        line = lines[number - 1]
        if not line.startswith("["):
            assert " # " in line, f"{path.name}:{number}: {key} has no reason"


@pytest.mark.slow
@pytest.mark.parametrize("path", PROFILES, ids=lambda p: p.stem)
def test_the_daemon_starts_with_every_profile_and_says_what_it_runs_on(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    command = [sys.executable, "-m", "edge.cli.main", "run", "--config", path, "--device", "test"]
    command += ["--source", "phantom://?seed=1&lesions=1&frames=30", "--sink", f"jsonl://{out}"]
    command += ["--state-dir", tmp_path / "state", "--drain-timeout", "20"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    payloads = [json.loads(line)["payload"] for line in out.read_text().splitlines()]

    findings = [payload for payload in payloads if payload["schema"].startswith("finding/")]
    assert findings, done.stderr
    states = [payload for payload in payloads if payload["schema"].startswith("state/")]
    settings = load_settings(path, {}, {})
    fell_back = any(FALLBACK in state["reasons"] for state in states)
    assert {finding["runtime"]["fallback"] for finding in findings} == {fell_back}  # state and findings say the same
    if parse_uri(settings.runtime.uri).params.get("delegate") and find_library("libedgetpu.so.1") is None:
        assert fell_back
        assert "libedgetpu.so.1" in done.stderr  # why
    if not settings.runtime.fallback:
        assert not fell_back
    if fell_back:
        assert {finding["runtime"]["name"] for finding in findings} == {"litert"}

    missing = missing_cores(settings.affinity, allowed_cores())
    told = re.findall(r"affinity asks for cores (\[[\d, ]+\])", done.stderr)
    assert told == ([str(missing)] if missing else [])


def test_the_developer_profile_shows_a_phantom_on_this_machine() -> None:
    settings = load_settings(FOLDER / "developer.toml", {}, {})
    assert [parse_uri(s.source).scheme for s in settings.streams] == ["phantom"]
    assert [parse_uri(s.uri).host for s in settings.sinks] == ["localhost"]
