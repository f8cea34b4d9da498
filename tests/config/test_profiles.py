"""The device profiles that ship: they load, say why, and name only what exists."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.config.load import load_settings
from edge.config.sense import warnings
from edge.config.settings import Settings
from edge.config.toml_lines import key_lines
from edge.config.uri import parse_uri
from edge.plugins import schemes

FOLDER = Path(__file__).parents[2] / "firmware_configs"
PROFILES = sorted(FOLDER.glob("*.toml"))


def test_both_profiles_are_there() -> None:
    assert [p.stem for p in PROFILES] == ["developer", "raspberry-pi-5"]


@pytest.mark.parametrize("path", PROFILES, ids=lambda p: p.stem)
def test_a_profile_loads_and_names_installed_plugins(path: Path) -> None:
    settings = load_settings(path, {}, {})
    assert settings != Settings()
    assert settings.sinks
    assert all(parse_uri(sink.uri).scheme in schemes("sinks") for sink in settings.sinks)
    assert all(parse_uri(stream.source).scheme in schemes("sources") for stream in settings.streams)
    assert parse_uri(settings.runtime.uri).scheme in schemes("runtimes")
    assert list(warnings(settings)) == []
    assert settings.publish.image_ref is False


@pytest.mark.parametrize("path", PROFILES, ids=lambda p: p.stem)
def test_every_setting_of_a_profile_says_why(path: Path) -> None:
    lines = path.read_text().splitlines()
    for key, number in key_lines(path.read_text()).items():
        line = lines[number - 1]
        if not line.startswith("["):
            assert " # " in line, f"{path.name}:{number}: {key} has no reason"


def test_the_developer_profile_shows_a_phantom_on_this_machine() -> None:
    settings = load_settings(FOLDER / "developer.toml", {}, {})
    assert [parse_uri(s.source).scheme for s in settings.streams] == ["phantom"]
    assert [parse_uri(s.uri).host for s in settings.sinks] == ["localhost"]
