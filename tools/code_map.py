"""Writes docs/map.md and the module lists in package docstrings, both from the first lines of docstrings.

``python -m tools.code_map`` writes; ``--check`` changes nothing and exits with 1 where a file is not current.
"""

from __future__ import annotations

import argparse
import ast
import sys
import textwrap
from itertools import groupby
from typing import TYPE_CHECKING

from tools.source_tree import ROOT, SourceFile, read_files

if TYPE_CHECKING:
    from pathlib import Path

LINE_LENGTH = 120
"""As ruff has it."""
MAP = "docs/map.md"
RENAMED = "## Was, and is now"
"""Heading of the part of the map that people keep by hand: it stays as it is."""
HEAD = """# Map: one line for each file

Written by `make map` from the first lines of docstrings; `make check` fails where it is not current. How the
parts fit together is told in [ARCHITECTURE.md](../ARCHITECTURE.md). Begin with `edge/pipeline/loop.py`.
"""
FOLDERS = {"benchmarks": "Benchmarks and long fault-injection runs: scripts that are started by hand from a checkout."}
"""What is in folders that are no packages and so have no docstring of their own."""
MODULES = "Modules:"
"""Line in a package's docstring from which on the generator writes."""


def main() -> int:
    """Write everything, or with ``--check`` name what is not current; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, epilog="example: python -m tools.code_map --check")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if a file is not current")
    check: bool = parser.parse_args().check
    stale = {path: text for path, text in wanted_texts(ROOT).items() if text_of(path) != text}
    for path, text in stale.items():
        if check:
            print(f"{path.relative_to(ROOT)} is not current: make map", file=sys.stderr)
        else:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
    return int(check and bool(stale))


def wanted_texts(root: Path) -> dict[Path, str]:
    """Texts that the generated files should have, by path: package files with their lists, and the map."""
    files = read_files(root)
    texts = {root / file.path: package_text(file, files) for file in files if file.path.name == "__init__.py"}
    texts[root / MAP] = map_text(files, text_of(root / MAP))
    return texts


def text_of(path: Path) -> str:
    """The text of a file; empty where there is none."""
    return path.read_text(encoding="utf-8") if path.exists() else ""


def package_text(package: SourceFile, files: list[SourceFile]) -> str:
    """The package's ``__init__.py`` with one line for each module and each package in it."""
    folder = package.path.parent
    inside = [file for file in files if file is not package and folder in (file.path.parent, file.path.parent.parent)]
    members = [
        (file.path.stem if file.path.parent == folder else f"{file.path.parent.name}/", file.summary)
        for file in inside
        if file.path.parent == folder or file.path.name == "__init__.py"
    ]
    docstring = (ast.get_docstring(package.tree) or "").split(f"\n\n{MODULES}\n")[0].strip()
    listed = "".join(f"\n{list_item(name, summary)}" for name, summary in sorted(members))
    body = package.tree.body[0].end_lineno or 0
    rest = "".join(package.text.splitlines(keepends=True)[body:])
    whole = f"{docstring}\n\n{MODULES}\n{listed}\n" if members else docstring
    return f'"""{whole}"""\n{rest}'


def list_item(name: str, summary: str) -> str:
    """One item of a list, broken where the project's lines end."""
    return textwrap.fill(
        f"- ``{name}``: {summary}",
        LINE_LENGTH,
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,  # an option (`--check`) or a word stays whole: it can be searched for
    )


def map_text(files: list[SourceFile], old: str) -> str:
    """The map: a table for each folder, then what people keep by hand in ``old``."""
    parts = [HEAD]
    by_folder = sorted(files, key=lambda file: (file.path.parent.parts, file.path.name))
    for folder, members in groupby(by_folder, key=lambda file: file.path.parent):
        listed = {file.path.name: file.summary for file in members}
        parts.append(f"\n## {folder}/\n\n{listed.pop('__init__.py', FOLDERS.get(str(folder), ''))}\n")
        if listed:
            parts.append("\n| file | what it holds |\n|---|---|\n")
            parts += [f"| `{name}` | {summary} |\n" for name, summary in listed.items()]
    kept = old.partition(f"\n{RENAMED}\n")[2]
    return "".join(parts) + (f"\n{RENAMED}\n{kept}" if kept else "")


if __name__ == "__main__":
    sys.exit(main())
