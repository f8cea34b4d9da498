"""``edge-cli doctor`` as a user and as a script runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from edge.cli.doctor import check_line, summary
from edge.doctor.check import absent, ok, warning, wrong

if TYPE_CHECKING:
    from pathlib import Path


def doctor(*args: str, code: int) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "edge.cli.main", "doctor", *args], capture_output=True, text=True, timeout=250
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.mark.slow
@pytest.mark.timeout(600)  # every runtime that is installed is started
def test_for_a_person_and_for_a_script(tmp_path: Path) -> None:
    config = tmp_path / "edge.toml"
    config.write_text(
        f'state_dir = "{tmp_path}/state"\n'
        '[[streams]]\nname = "p"\nsource = "phantom://?seed=1"\n'
        f'[[sinks]]\nuri = "jsonl://{tmp_path}/out.jsonl"\n'
        '[runtime]\nuri = "litert://?threads=1"\n'
    )
    told = doctor("--config", str(config), code=0)
    assert told.stderr == ""
    assert "\x1b" not in told.stdout  # no terminal, no colours
    groups = [text for text in told.stdout.splitlines() if text and not text.startswith(" ")]
    assert groups[:-1] == [
        "configuration", "machine", "disk", "runtimes", "cameras", "accelerators", "video", "streams", "sources",
        "receivers",
    ]  # fmt: skip
    assert "  ok       litert://?threads=1: " in told.stdout
    assert "gives frames of" in told.stdout

    data = json.loads(doctor("--json", "--config", str(config), code=0).stdout)
    assert (data["ok"], data["exit_code"]) == (True, 0)
    assert {check["group"] for check in data["checks"]} == set(groups[:-1])
    assert all(check["hint"] for check in data["checks"] if check["mark"] in ("warning", "wrong"))


@pytest.mark.slow
@pytest.mark.timeout(600)  # every runtime that is installed is started
def test_what_is_wrong_gives_its_code_and_stops_nothing_else(tmp_path: Path) -> None:
    config = tmp_path / "edge.toml"
    config.write_text('[runtime]\nurl = "litert://"\n')
    data = json.loads(doctor("--json", "--config", str(config), code=3).stdout)
    (problem,) = (check for check in data["checks"] if check["mark"] == "wrong")
    assert f"{config}:2" in problem["text"]
    assert "did you mean 'uri'" in problem["hint"]
    assert {"machine", "disk", "runtimes"} <= {check["group"] for check in data["checks"]}


def test_a_line_at_a_glance() -> None:
    assert check_line(ok("a", "disk", "fine"), coloured=False) == "  ok       disk: fine"
    assert check_line(warning("a", "clock", "late", "set it"), coloured=False) == (
        "  warning  clock: late\n           -> set it"
    )
    assert check_line(absent("a", "camera", "none"), coloured=False) == "  -        camera: none"
    assert check_line(wrong("a", "x", "bro\nken\x1b[0m", "mend"), coloured=True) == (
        "  \x1b[31m✗\x1b[0m x: bro ken [0m\n    -> mend"
    )
    assert summary([ok("a", "b", "c")]) == "all is well"
    assert summary([wrong("a", "b", "c", "d"), warning("a", "b", "c", "d")]) == "1 wrong, 1 warning"
