"""``-`` is standard input where a file is read, and standard output where one is written."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from typing import TYPE_CHECKING

import pytest
from dicom_source_files import cine, write_dicom
from sample_pictures import write_clip, write_png

from edge.cli.main import run
from edge.config.load import stdin_bytes
from edge.models.bundle import SHIPPED_BUNDLE

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("scripted_runtime")


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch):
    """Says what comes on standard input."""

    def give(data: bytes) -> None:
        stdin_bytes.cache_clear()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    yield give
    stdin_bytes.cache_clear()


@pytest.mark.parametrize("kind", ["png", "dcm", "avi", "tif"])
def test_infer_reads_a_picture_a_clip_or_dicom(tmp_path: Path, stdin, capsys, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    if kind == "dcm":
        write_dicom(path, cine(3))
    elif kind == "avi":
        write_clip(path, 3)
    else:
        write_png(path)
    stdin(path.read_bytes())
    assert run(["infer", "-", "--json", "--overlay", str(tmp_path / "out")]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["path"] for line in lines] == ["-"] * len(lines)
    assert [line["frame"] for line in lines] == list(range(3 if kind in ("dcm", "avi") else 1))
    assert all(name.startswith("stdin.") for name in os.listdir(tmp_path / "out"))


@pytest.mark.parametrize("data", [b"", b"hello", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_said(stdin, capsys, data: bytes) -> None:
    stdin(data)
    assert run(["infer", "-"]) == 5
    out, err = capsys.readouterr()
    assert "no_result" in out
    assert err.startswith("error: nothing could be read: -: ")


def test_a_terminal_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    class Terminal(io.TextIOWrapper):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal(io.BytesIO()))
    stdin_bytes.cache_clear()
    for command in (["infer", "-"], ["config", "check", "-"], ["model", "info", "-"]):
        assert run(command) in (2, 3)
        assert "terminal" in capsys.readouterr().err


def test_a_pipe_of_the_shell_is_a_file_too(tmp_path: Path, capsys) -> None:
    read, write = os.pipe()
    os.write(write, write_png(tmp_path / "a.png").read_bytes()[:60000])
    os.close(write)
    assert run(["infer", f"/dev/fd/{read}", str(tmp_path / "a.png"), "--json"]) in (0, 5)
    os.close(read)
    assert f"/dev/fd/{read}" in capsys.readouterr().out


def test_csv_on_stdout_stands_there_alone(tmp_path: Path, capsys) -> None:
    write_png(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"bad")
    assert run(["infer", str(tmp_path), "--csv", "-"]) == 5
    out, err = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["status"] for row in rows] == ["finding", "no_result"]
    assert "b.png: " in err
    assert run(["infer", str(tmp_path), "--csv", "-", "--json"]) == 2


def test_an_input_is_never_written_over(tmp_path: Path, capsys) -> None:
    path = write_png(tmp_path / "a.png")
    before = path.read_bytes()
    for option in ("--csv", "--overlay"):
        assert run(["infer", str(path), option, str(path)]) == 2
        assert "written over" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_a_uri_is_told_from_a_path(capsys) -> None:
    assert run(["infer", "images:///x.png"]) == 5
    assert "takes plain paths" in capsys.readouterr().err


@pytest.mark.parametrize("form", [["{path}"], ["--config", "{path}"], ["-"], ["{path}", "--config", "{path}"]])
@pytest.mark.parametrize("command", ["check", "show"])
def test_a_configuration_is_given_in_any_way(tmp_path: Path, stdin, capsys, command: str, form: list[str]) -> None:
    path = tmp_path / "edge.toml"
    path.write_text('site = "clinic-a"\n')
    stdin(path.read_bytes())
    assert run(["config", command, *(word.format(path=path) for word in form)]) == 0
    assert ("OK" if command == "check" else "clinic-a") in capsys.readouterr().out


def test_two_configurations_are_one_too_many(capsys) -> None:
    for command in (["config", "check", "a", "--config", "b"], ["doctor", "a", "--config", "b"]):
        assert run(command) == 2
        assert "are two files" in capsys.readouterr().err
    assert run(["config", "check"]) == 2


def test_what_is_wrong_on_stdin_has_its_line(stdin, capsys) -> None:
    stdin(b'site = "a"\nsiet = 1\n')
    assert run(["config", "check", "-"]) == 3
    assert "-:2: " in capsys.readouterr().err


@pytest.mark.parametrize("form", [[str(SHIPPED_BUNDLE)], ["--model", str(SHIPPED_BUNDLE)], ["-"]])
def test_a_model_is_given_in_any_way(stdin, capsys, form: list[str]) -> None:
    stdin(SHIPPED_BUNDLE.read_bytes())
    assert run(["model", "info", *form, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["manifest"]["name"] == "breast"


def test_files_are_written_to_stdout(capsys) -> None:
    assert run(["config", "init", "--out", "-"]) == 0
    assert capsys.readouterr().out.startswith("#")


@pytest.mark.slow
def test_a_benchmark_goes_from_one_pipe_into_the_next(tmp_path: Path, stdin, capsys) -> None:
    run(["benchmark", "--frames", "40", "--warm-up", "2", "--no-broker", "--json", "-"])
    report = capsys.readouterr().out
    (tmp_path / "a.json").write_text(report)
    stdin(report.encode())
    assert run(["benchmark", "compare", str(tmp_path / "a.json"), "-"]) == 0
    assert run(["benchmark", "--json", "-", "--csv", "-"]) == 2
