"""Reads the Python files of the project as syntax trees, for the code map and the structure rules."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("edge", "training", "export", "benchmarks", "tools")
"""What the map and the rules are about. Tests are named by what they show, and are as long as that takes."""
TESTS = ("tests",)

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class SourceFile:
    """One Python file: its path below the root of the project, its text and its syntax tree."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def summary(self) -> str:
        """First paragraph of the module's docstring on one line; empty where there is none."""
        return first_paragraph(ast.get_docstring(self.tree))

    @property
    def lines(self) -> int:
        """Number of lines in the file."""
        return self.text.count("\n")


def read_files(root: Path = ROOT, folders: tuple[str, ...] = PACKAGES) -> list[SourceFile]:
    """All Python files of ``folders`` in alphabetical order of their paths, folder by folder."""
    return [read_file(path, root) for folder in folders for path in sorted((root / folder).rglob("*.py"))]


def read_file(path: Path, root: Path = ROOT) -> SourceFile:
    """Parse one file. Raises SyntaxError if it is no Python."""
    text = path.read_text(encoding="utf-8")
    return SourceFile(path.relative_to(root), text, ast.parse(text, str(path)))


def definitions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, Definition]]:
    """Every class, function and method with its dotted name, nested functions included, in order of the file."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Definition):
            name = f"{prefix}{node.name}"
            yield name, node
            yield from definitions(node, f"{name}.")
        else:
            yield from definitions(node, prefix)


def first_paragraph(docstring: str | None) -> str:
    """The text before the first empty line, on one line."""
    return " ".join((docstring or "").strip().split("\n\n")[0].split())
