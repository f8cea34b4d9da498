"""``edge-cli`` as a whole: what a user sees when a command ends, in whatever way."""

from __future__ import annotations

import os
import subprocess
import sys
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
import typer

from edge import __version__
from edge.cli import main as frame
from edge.cli.main import run
from edge.contracts import errors

if TYPE_CHECKING:
    from collections.abc import Callable

    Fake = Callable[[Callable[[], object]], None]

ENTRY = [sys.executable, "-c", "from edge.cli.main import main; main()"]
ENVIRON = {key: value for key, value in os.environ.items() if not key.startswith("EDGE_")}


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Adds a command ``fake-one`` that does what it is given."""

    def add(action: Callable[[], object]) -> None:
        module = ModuleType("edge.cli.fake_one")

        def command() -> object:
            """Do it."""
            return action()

        module.command = command  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "edge.cli.fake_one", module)
        monkeypatch.setitem(frame.COMMANDS, "fake-one", "Do it.")

    return add


def raiser(error: BaseException) -> Callable[[], None]:
    def action() -> None:
        raise error

    return action


def two_lines(err: str) -> tuple[str, str]:
    """The error and the hint; nothing else may stand there."""
    first, second, *rest = err.splitlines()
    assert not rest, err
    assert first.startswith("error: ")
    assert second.startswith("hint: ")
    assert len(second) > len("hint: ")
    return first.removeprefix("error: "), second.removeprefix("hint: ")


ALL_ERRORS = [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, errors.EdgeError)]


@pytest.mark.parametrize("cls", ALL_ERRORS)
def test_an_edge_error_is_two_lines_and_its_exit_code(
    cls: type[errors.EdgeError], fake: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    fake(raiser(cls("it broke\nbadly\x1b[31m", hint="mend\nit")))
    assert run(["fake-one"]) == cls.exit_code
    assert two_lines(capsys.readouterr().err) == ("it broke badly [31m", "mend it")


def test_an_error_without_a_hint_has_two_lines_too(fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    fake(raiser(errors.EdgeError("it broke")))
    assert run(["fake-one"]) == 1
    two_lines(capsys.readouterr().err)


@pytest.mark.parametrize("debug", [None, "0", "1"])
def test_an_unexpected_error_shows_its_traceback_only_if_asked(
    debug: str | None, fake: Fake, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EDGE_DEBUG", raising=False)
    if debug is not None:
        monkeypatch.setenv("EDGE_DEBUG", debug)
    fake(raiser(ZeroDivisionError("by zero")))
    assert run(["fake-one"]) == 1
    err = capsys.readouterr().err
    if debug == "1":
        assert "Traceback" in err
    else:
        message, hint = two_lines(err)
        assert message == "unexpected ZeroDivisionError: by zero"
        assert "EDGE_DEBUG=1" in hint


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (typer.Abort(), 130), (typer.Exit(7), 7)])
def test_leaving_early_is_quiet(
    error: BaseException, code: int, fake: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    fake(raiser(error))
    assert run(["fake-one"]) == code
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("result", "code"), [(None, 0), (0, 0), (5, 5), ("text", 0)])
def test_a_command_may_return_its_exit_code(result: object, code: int, fake: Fake) -> None:
    fake(lambda: result)
    assert run(["fake-one"]) == code


@pytest.mark.parametrize(
    ("args", "message", "hint"),
    [
        (["infr"], "there is no command 'infr'", "did you mean edge-cli infer?"),
        (["zzzzzz"], "there is no command 'zzzzzz'", "run, demo, demo-live, infer"),
        (["--nope"], "No such option", "see edge-cli --help"),
        (["config"], "Missing command", "see edge-cli config --help"),
        (["config", "nope"], "nope", "see edge-cli config --help"),
        (["config", "check"], "Missing argument", "see edge-cli config check --help"),
        (["config", "show", "--nope"], "No such option", "see edge-cli config show --help"),
        (["schema", "--out"], "--out", "--help"),
    ],
)
def test_wrong_usage_is_two_lines_and_exit_code_2(
    args: list[str], message: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(args) == 2
    shown = two_lines(capsys.readouterr().err)
    assert message.lower() in shown[0].lower()
    assert hint in shown[1]


def test_a_command_whose_file_is_missing_does_not_hinder_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(frame.COMMANDS, "not-there", "Nothing.")
    assert run(["not-there"]) == 2
    assert "lacks the command not-there" in capsys.readouterr().err
    assert run(["config", "--help"]) == 0
    assert run(["--help"]) == 0


def test_a_library_that_a_command_lacks_is_not_taken_for_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(name: str) -> ModuleType:
        raise ModuleNotFoundError("No module named 'absent'", name="absent")

    monkeypatch.setattr(frame, "import_module", broken)
    assert run(["config", "init"]) == 1
    assert "No module named 'absent'" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr() == (f"sonoedge {__version__}\n", "")


def test_without_arguments_it_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 0
    bare = capsys.readouterr()
    assert run(["--help"]) == 0
    assert capsys.readouterr() == bare


@pytest.mark.parametrize("command", ["config init", "schema --help", "--version"])
def test_a_reader_that_goes_away_is_met_quietly(command: str) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [*ENTRY, *command.split()], stdout=write, stderr=subprocess.PIPE, env=ENVIRON, check=False, timeout=60
        )
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


def test_as_a_process_it_exits_with_the_code() -> None:
    done = subprocess.run(
        [*ENTRY, "config", "check", "/nowhere/edge.toml"],
        capture_output=True,
        text=True,
        env=ENVIRON,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert "there is no such file" in two_lines(done.stderr)[0]
