"""Every file that the documentation names is there: a move that forgets it would send readers to nowhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "firmware_configs").rglob("*.md")})
PATH = re.compile(r"(?:`|\]\()((?:[\w-]+/)+[\w.-]+\.(?:py|md|toml|json|svg|png))(?:`|\)|:)")
"""In backticks, or as the target of a link."""
BASES = (ROOT, ROOT / "edge")
"""Pages name files below the root of the project, or, of the runtime, below ``edge``."""
PAST = {"CHANGELOG.md", "map.md"}
"""These name files of earlier versions on purpose."""


def missing(text: str, page: Path) -> list[str]:
    return [name for name in PATH.findall(text) if not any((base / name).exists() for base in (*BASES, page.parent))]


@pytest.mark.parametrize("page", [page for page in PAGES if page.name not in PAST], ids=lambda page: page.name)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    assert not missing(page.read_text(encoding="utf-8"), page)


def test_a_file_that_is_not_there_is_found() -> None:
    assert missing("`pipeline/loop.py`, `pipeline/gone.py`, [x](docs/no.md)", ROOT / "x.md") == [
        "pipeline/gone.py",
        "docs/no.md",
    ]
