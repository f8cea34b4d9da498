"""Docstrings of class fields, read from the source, since Python does not keep them at run time."""

from __future__ import annotations

import ast
import inspect
import sys
from functools import cache
from typing import Any


def field_docs(cls: type[Any]) -> dict[str, str]:
    """Docstring of each field of ``cls`` by field name, its base classes' fields included; without markup."""
    docs: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if base.__module__.startswith("edge."):
            docs.update(_docs_in_module(base.__module__).get(base.__name__, {}))
    return docs


def without_markup(text: str) -> str:
    """A docstring's text as one paragraph without reStructuredText markup."""
    return " ".join(text.replace("``", "`").split())


@cache
def _docs_in_module(name: str) -> dict[str, dict[str, str]]:
    """By class and field name, of one module."""
    module = ast.parse(inspect.getsource(sys.modules[name]))
    return {node.name: _docs_in_class(node) for node in module.body if isinstance(node, ast.ClassDef)}


def _docs_in_class(node: ast.ClassDef) -> dict[str, str]:
    docs: dict[str, str] = {}
    for statement, following in zip(node.body, node.body[1:], strict=False):
        if (
            isinstance(statement, ast.AnnAssign)
            and isinstance(statement.target, ast.Name)
            and isinstance(following, ast.Expr)
            and isinstance(following.value, ast.Constant)
            and isinstance(following.value.value, str)
        ):
            docs[statement.target.id] = without_markup(following.value.value)
    return docs
