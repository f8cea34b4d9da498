"""Which files are read and in what order, and what a path says that cannot be read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.contracts.errors import SourceError
from edge.contracts.frames import SourceEvent
from edge.sources.file_source import _natural_key, check_size, find_files, printable_path, skipped_event

if TYPE_CHECKING:
    from collections.abc import Iterable


def make(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def found_in(folder: Path) -> list[str]:
    found = find_files(str(folder), lambda path: path.suffix == ".x")
    return [item.relative_to(folder).as_posix() for item in found if isinstance(item, Path)]


def test_natural_order_through_folders(tmp_path: Path) -> None:
    names = ["a/1.x", "a/2.x", "a/10.x", "a2/1.x", "a10/0.x", "b.x", "b2.x", "b10.x", "C.x", "d 1.x"]
    make(tmp_path, reversed(names))
    assert found_in(tmp_path) == names


def test_only_what_is_wanted_and_nothing_hidden(tmp_path: Path) -> None:
    make(tmp_path, ["a.x", "b.txt", ".hidden.x", "._a.x", ".thumbnails/c.x", "sub/d.x"])
    assert found_in(tmp_path) == ["a.x", "sub/d.x"]


def test_a_file_is_read_whatever_its_name(tmp_path: Path) -> None:
    make(tmp_path, [".odd"])
    assert find_files(str(tmp_path / ".odd"), lambda path: False) == [tmp_path / ".odd"]


def test_relative_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, ["a/1.x"])
    monkeypatch.chdir(tmp_path)
    assert find_files("a", lambda path: True) == [Path("a/1.x")]


def test_a_link_that_leads_round_is_not_followed(tmp_path: Path) -> None:
    make(tmp_path, ["a/1.x"])
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    (tmp_path / "nowhere.x").symlink_to(tmp_path / "gone")
    assert found_in(tmp_path) == ["a/1.x"]


@pytest.mark.parametrize("name", ["", "nowhere", "bad\0name", "a.x/below"])
def test_nothing_there(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, ["a.x"])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError) as caught:
        find_files(name, lambda path: True)
    assert caught.value.exit_code == 5
    assert caught.value.hint


@pytest.mark.parametrize("names", [[], ["b.txt"], [".hidden.x"]])
def test_an_empty_folder(names: list[str], tmp_path: Path) -> None:
    make(tmp_path, names)
    with pytest.raises(SourceError, match="no file to read") as caught:
        found_in(tmp_path)
    assert caught.value.hint


def test_neither_file_nor_folder(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceError, match="neither"):
        find_files(str(tmp_path / "pipe"), lambda path: True)


def test_an_unreadable_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, ["a.x"])

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)  # root may read everything
    monkeypatch.setattr(os, "listdir", refuse)
    for path in (tmp_path, tmp_path / "a.x"):
        with pytest.raises(SourceError, match="Permission denied") as caught:
            find_files(str(path), lambda path: True)
        assert caught.value.hint


def test_what_cannot_be_looked_at_is_an_event_in_its_place(tmp_path: Path) -> None:
    make(tmp_path, ["1.x", "2.x", "3.x"])

    def accepts(path: Path) -> bool:
        if path.name == "2.x":
            raise PermissionError(13, "Permission denied")
        return True

    first, second, third = find_files(str(tmp_path), accepts)
    assert (first, third) == (tmp_path / "1.x", tmp_path / "3.x")
    assert isinstance(second, SourceEvent)
    assert (second.kind, second.reason.value, second.path) == ("skipped", "decode_error", str(tmp_path / "2.x"))
    assert "Permission denied" in second.detail


@given(
    names=st.lists(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1), max_size=8)
)
def test_any_names_can_be_ordered(names: list[str]) -> None:
    paths = [Path("root") / name for name in names]
    once = sorted(paths, key=_natural_key)
    backwards = paths[::-1]
    assert once == sorted(backwards, key=_natural_key)


def test_a_name_that_is_no_text_can_still_be_written_out() -> None:
    path = Path(os.fsdecode(b"/data/\xff.png"))
    assert printable_path(path) == "/data/\ufffd.png"
    assert printable_path(path).encode()


def test_unexpected_errors_are_named_without_their_words() -> None:
    event = skipped_event(Path("a"), ValueError("Secret^Name"))
    assert event.detail == "cannot be read: ValueError"


def test_the_largest_picture() -> None:
    check_size(4096, 3072)
    with pytest.raises(SourceError, match="20000 x 20000") as caught:
        check_size(20_000, 20_000)
    assert caught.value.reason == "too_large"
    assert "4096 x 3072" in caught.value.hint
