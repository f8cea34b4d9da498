"""The code map and the lists in package docstrings are made from first lines, and keep what people wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tools import code_map, source_tree
from tools.code_map import FOLDERS, LINE_LENGTH, MAP, list_item, wanted_texts

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of three modules, whose map ends in a part that people wrote."""
    files = {
        "edge/__init__.py": '"""The runtime on the device.\n\nMore about it."""\n\n__version__ = "1"\n',
        "edge/process/__init__.py": '"""Child processes and locks."""\n',
        "edge/process/rwlock.py": '"""Readers-writer lock;\nwriters have priority.\n\nWhy."""\n',
        "edge/quantiles.py": '"""Percentiles by nearest rank."""\n',
        MAP: "# Old\n\n## Was, and is now\n\n| was | is |\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_package_lists_its_modules_and_keeps_its_code(project: Path) -> None:
    assert wanted_texts(project)[project / "edge/__init__.py"] == (
        '"""The runtime on the device.\n\nMore about it.\n\nModules:\n\n'
        "- ``process/``: Child processes and locks.\n- ``quantiles``: Percentiles by nearest rank.\n"
        '"""\n\n__version__ = "1"\n'
    )


def test_a_list_is_not_broken_within_a_word_that_has_hyphens() -> None:
    word = "in-flight-window"
    for length in range(LINE_LENGTH - 2 * len(word), LINE_LENGTH):
        assert word in list_item("name", f"{'x' * length} {word} of it.")


def test_a_folder_that_is_no_package_has_its_sentence_too(project: Path) -> None:
    (project / "benchmarks").mkdir()
    (project / "benchmarks/soak.py").write_text('"""Soak test: hours under load."""\n')
    text = wanted_texts(project)[project / MAP]
    assert f"\n## benchmarks/\n\n{FOLDERS['benchmarks']}\n\n| file |" in text


def test_the_map_has_a_line_for_each_file_and_keeps_what_people_wrote(project: Path) -> None:
    text = wanted_texts(project)[project / MAP]
    assert "\n## edge/process/\n\nChild processes and locks.\n" in text
    assert "| `rwlock.py` | Readers-writer lock; writers have priority. |\n" in text
    assert text.endswith("\n## Was, and is now\n\n| was | is |\n")


def test_what_was_written_is_current_and_what_changed_is_not(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_map, "ROOT", project)
    assert project != source_tree.ROOT
    monkeypatch.setattr("sys.argv", ["code_map", "--check"])
    assert code_map.main() == 1
    monkeypatch.setattr("sys.argv", ["code_map"])
    assert code_map.main() == 0
    monkeypatch.setattr("sys.argv", ["code_map", "--check"])
    assert code_map.main() == 0
    (project / "edge/quantiles.py").write_text('"""Something else."""\n')
    assert code_map.main() == 1
