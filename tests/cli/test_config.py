"""``edge-cli config`` as a user runs it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import jsonschema
import pytest

from edge.cli.main import run
from edge.config.load import load_settings, read_toml
from edge.config.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("EDGE_")]:
        monkeypatch.delenv(name)


def test_init_writes_a_file_that_check_accepts_and_does_not_write_over_it(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "edge.toml"
    assert run(["config", "init", "--out", str(path)]) == 0
    assert load_settings(path, {}, {}) == Settings()
    text = path.read_text()
    assert run(["config", "check", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}: OK (streams: 0, sinks: 0)\n"

    path.write_text("site = 'mine'\n")
    assert run(["config", "init", "--out", str(path)]) == 3
    assert "--force" in capsys.readouterr().err
    assert path.read_text() == "site = 'mine'\n"
    assert run(["config", "init", "--out", str(path), "--force"]) == 0
    assert path.read_text() == text
    capsys.readouterr()
    assert run(["config", "init"]) == 0
    assert capsys.readouterr().out == text


def test_init_where_nothing_can_be_written(tmp_path: Path, capsys: Captured) -> None:
    assert run(["config", "init", "--out", str(tmp_path / "no" / "edge.toml")]) == 3
    assert "No such file" in capsys.readouterr().err
    assert run(["config", "init", "--force", "--out", str(tmp_path)]) == 3


def test_check_says_everything_that_is_wrong(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "edge.toml"
    path.write_text("stie = 'a'\n[runtime]\ntimeout_s = 0\n")
    assert run(["config", "check", str(path)]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["error", "hint"] * 2
    assert f"{path}:1: stie" in lines[0]
    assert f"{path}:3: runtime.timeout_s" in lines[2]


def test_check_knows_which_schemes_are_installed(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "edge.toml"
    path.write_text('[[streams]]\nname = "a"\nsource = "phantm://"\n[[sinks]]\nuri = "mqt://u:hunter2@h"\n')
    assert run(["config", "check", str(path)]) == 3
    err = capsys.readouterr().err
    assert f"{path}:3: streams[0].source: no source is called phantm://" in err
    assert f"{path}:5: sinks[0].uri: no sink is called mqt://" in err
    assert "hunter2" not in err


def test_check_warns_of_what_is_missing_here_and_lets_it_pass(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "edge.toml"
    path.write_text('[[sinks]]\nuri = "mqtts://h"\nusername = "u"\npassword_file = "/nowhere/password"\n')
    assert run(["config", "check", str(path)]) == 0
    out, err = capsys.readouterr()
    assert err == (
        f"warning: {path}:4: sinks[0].password_file: there is no file /nowhere/password "
        "(put it there, or correct the path)\n"
    )
    assert out == f"{path}: OK (streams: 0, sinks: 1)\n"


def test_check_leaves_the_environment_out_and_show_does_not(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "edge.toml"
    path.write_text("site = 'a'\n")
    monkeypatch.setenv("EDGE_SITE", "Not A Name")
    assert run(["config", "check", str(path)]) == 0
    capsys.readouterr()
    assert run(["config", "show", "--config", str(path)]) == 3
    assert capsys.readouterr().err.startswith("error: EDGE_SITE: site: expected a name")


def test_show_is_toml_with_origins_and_no_passwords(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "edge.toml"
    path.write_text('site = "a"\n[[sinks]]\nuri = "mqtt://u:hunter2@h"\n')
    monkeypatch.setenv("EDGE_DEVICE", "d")
    assert run(["config", "show", "--config", str(path)]) == 0
    out = capsys.readouterr().out
    assert "hunter2" not in out
    shown = {line.split(" = ")[0]: line.split("  # ")[-1] for line in out.splitlines() if " = " in line}
    assert shown["site"] == f"file {path}:1"
    assert shown["device"] == "environment EDGE_DEVICE"
    again = tmp_path / "again.toml"
    again.write_text(out)
    assert read_toml(again)[0]["sinks"][0]["uri"] == "mqtt://u:***@h"


def test_show_tells_what_stands_for_what_is_not_set(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "Cart-9")
    assert run(["config", "show"]) == 0
    assert "the host name makes it 'cart-9'" in capsys.readouterr().out


def test_show_as_json(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_SINKS__0__URI", "mqtt://u:hunter2@h")
    assert run(["config", "show", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["settings"]["sinks"][0]["uri"] == "mqtt://u:***@h"
    assert shown["origins"]["sinks[0].uri"] == "environment EDGE_SINKS__0__URI"
    assert shown["origins"]["site"] == "default"


def test_schema_accepts_what_load_accepts_and_refuses_what_it_refuses(tmp_path: Path, capsys: Captured) -> None:
    assert run(["config", "schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    validator = jsonschema.Draft202012Validator(schema)
    good = tmp_path / "good.toml"
    good.write_text('site = "a"\n[[streams]]\nname = "a"\nsource = "phantom://"\n[runtime]\ntimeout_s = 1\n')
    assert load_settings(good, {}, {}).site == "a"
    assert validator.is_valid(read_toml(good)[0])
    for bad in ({"stie": 1}, {"runtime": {"timeout_s": 0}}, {"site": "A"}, {"streams": [{"name": "a"}]}):
        assert not validator.is_valid(bad)
