"""Standard streams of ``edge-cli`` as a process: closed, full, of another encoding, read by nobody; and completion."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from sample_pictures import write_png

if TYPE_CHECKING:
    from pathlib import Path

ENTRY = [sys.executable, "-m", "edge"]
ENVIRON = {key: value for key, value in os.environ.items() if not key.startswith(("EDGE_", "PYTHONIO", "PYTHONUNB"))}
ENVIRON["EDGE_RUNTIME__URI"] = "scripted://"
COMMANDS = ["--help", "infer --help", "config init", "config show --json", "config schema", "model info --json"]


def edge(*args: str, **options: Any) -> subprocess.CompletedProcess[str]:
    environ = {**ENVIRON, **options.pop("env", {})}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.run([*ENTRY, *args], env=environ, check=False, timeout=100, encoding="utf-8", **streams)


def test_python_m_edge_is_the_program() -> None:
    done = edge("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("sonoedge ")
    assert edge("nosuch").returncode == 2


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "ascii:strict"])
@pytest.mark.parametrize("command", [*COMMANDS, "run --source nonsense", "doctor nosuch.toml"])
@pytest.mark.slow
def test_no_encoding_of_the_streams_is_an_obstacle(command: str, encoding: str) -> None:
    done = edge(*command.split(), env={"PYTHONIOENCODING": encoding})
    assert "Unicode" not in done.stderr
    assert done.returncode in (0, 2, 3)
    plain = encoding.startswith("ascii")
    assert not plain or (done.stdout + done.stderr).isascii()
    if "--json" in command:
        json.loads(done.stdout)


@pytest.mark.parametrize("form", [["--json"], ["--csv", "-"], []])
@pytest.mark.slow
def test_a_file_name_beyond_ascii_is_escaped_where_it_must_be(tmp_path: Path, form: list[str]) -> None:
    path = write_png(tmp_path / "ünö….png")
    done = edge("infer", str(path), *form, env={"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()
    if form == ["--json"]:
        assert json.loads(done.stdout)["path"] == str(path)
    else:
        assert "\\u00fcn\\u00f6....png" in done.stdout


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", [*COMMANDS, "schema --check --out schemas", "infer {picture} --csv -"])
@pytest.mark.slow
def test_a_full_disk_behind_stdout_is_said(tmp_path: Path, command: str, unbuffered: str) -> None:
    picture = write_png(tmp_path / "a.png")
    with open("/dev/full", "w") as full:
        done = edge(*command.format(picture=picture).split(), stdout=full, env={"PYTHONUNBUFFERED": unbuffered})
    assert done.returncode == 5
    error, hint = [line for line in done.stderr.splitlines() if not line.endswith("is not current")]
    assert error == "error: standard output cannot be written: No space left on device"
    assert hint.startswith("hint: ")


@pytest.mark.parametrize("command", [*COMMANDS, "schema --out {folder}", "infer {picture} --csv -", "infer {picture}"])
@pytest.mark.slow
def test_a_reader_that_goes_away_is_met_quietly(tmp_path: Path, command: str) -> None:
    picture = write_png(tmp_path / "a.png")
    read, write = os.pipe()
    os.close(read)
    try:
        done = edge(*command.format(picture=picture, folder=tmp_path / "out").split(), stdout=write)
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
@pytest.mark.slow
def test_streams_that_are_closed_at_the_start_are_no_obstacle(tmp_path: Path, closed: tuple[int, ...]) -> None:
    """Else the first file that is opened becomes stdout, and is printed to."""
    picture = write_png(tmp_path / "a.png")
    table = tmp_path / "a.csv"
    close = " ".join(f"{fd}>&-" for fd in closed)
    command = f'"$0" -m edge infer "$1" --csv "$2" {close}'
    done = subprocess.run(["sh", "-c", command, sys.executable, picture, table],
                          env=ENVIRON, check=False, timeout=100, capture_output=True)  # fmt: skip
    assert done.returncode == 0
    assert table.read_text().startswith("path,frame,")
    assert "RESULT" not in table.read_text()


@pytest.mark.parametrize(
    "command",
    ["infer {picture} --csv -", "infer {picture} --json", "config init", "config show", "config show --json",
     "config schema", "model info --json", "benchmark --frames 4 --json -", "benchmark --frames 4 --csv -"],
)  # fmt: skip
@pytest.mark.slow
def test_what_was_asked_for_on_a_closed_stdout_is_an_error(tmp_path: Path, command: str) -> None:
    picture = write_png(tmp_path / "a.png")
    words = [sys.executable, "-m", "edge", *command.format(picture=picture).split()]
    done = subprocess.run(["sh", "-c", '"$0" "$@" >&-', *words],
                          env=ENVIRON, check=False, timeout=100, capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 5, done.stderr
    error, hint = done.stderr.splitlines()
    assert error == "error: standard output cannot be written: it is closed"
    assert hint.startswith("hint: ")


@pytest.mark.slow
def test_nothing_but_text_goes_into_a_pipe(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png")
    for command in (["infer", str(tmp_path)], ["doctor", "nosuch.toml"], ["--help"]):
        done = edge(*command)
        assert "\x1b" not in done.stdout + done.stderr
        assert "\r" not in done.stdout + done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.slow
def test_completion_is_installed_and_knows_the_commands(tmp_path: Path, shell: str) -> None:
    """By the shell that the program was started from, as typer tells it; it is told here by the environment."""
    words = {
        "bash": {"COMP_WORDS": "edge-cli outbox st", "COMP_CWORD": "2"},
        "zsh": {"_TYPER_COMPLETE_ARGS": "edge-cli outbox st"},
        "fish": {"_TYPER_COMPLETE_ARGS": "edge-cli outbox st", "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }[shell]
    done = edge(env={**words, "_EDGE_CLI_COMPLETE": f"complete_{shell}"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "status" in done.stdout
    assert "resend" not in done.stdout


@pytest.mark.slow
def test_install_completion_writes_the_script_and_says_so(tmp_path: Path) -> None:
    command = f"{sys.executable} -m edge --install-completion; exit $?"
    done = subprocess.run(["bash", "-c", command], env={**ENVIRON, "HOME": str(tmp_path)}, check=False,
                          timeout=100, capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "completion installed" in done.stdout
    assert "_EDGE_CLI_COMPLETE" in (tmp_path / ".bash_completions" / "edge-cli.sh").read_text()
