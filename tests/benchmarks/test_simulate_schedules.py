"""Driver of the simulation: goes on from its own file only, says what it refuses, and ends in a verdict."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest
import simulate_schedules

if TYPE_CHECKING:
    from pathlib import Path


def drive(monkeypatch: pytest.MonkeyPatch, *args: str) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["simulate_schedules.py", "--jobs", "1", "--nice", "0", *args])
    try:
        return simulate_schedules.main()
    except SystemExit as end:
        return end.code


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"first_seed": "x", "next_seed": 1}', "\\xff"])
def test_a_broken_file_is_one_clear_error(
    tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "simulation.json"
    place.write_text(text)
    assert drive(monkeypatch, "--json", str(place)) == 2
    error, hint = capsys.readouterr().err.splitlines()
    assert error.startswith(f"error: {place} is no file of this program: ")
    assert hint.startswith("hint: ")
    assert place.read_text() == text


def test_another_seed_than_that_of_the_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "simulation.json"
    done = {"first_seed": 3, "next_seed": 5, "schedules": 2}
    place.write_text(json.dumps(done))
    assert drive(monkeypatch, "--seed", "2", "--json", str(place)) == 2
    assert "was begun with seed 3, not 2" in capsys.readouterr().err
    for seed in ([], ["--seed", "3"]):  # all were simulated
        assert drive(monkeypatch, *seed, "--schedules", "2", "--json", str(place)) == 0
        out, err = capsys.readouterr()
        assert "going on from seed 5" in err
        assert out.startswith("2 schedules from seed 3 on")
    assert drive(monkeypatch, "--json", str(tmp_path / "nowhere" / "x.json")) == 2


def test_a_replay_ends_in_a_verdict(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert drive(monkeypatch, "--replay", "1") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "seed 1: all promises kept"
