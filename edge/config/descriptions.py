"""Describes types, values and paths of settings in plain English, for messages to people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import inspect as types

from edge.config.password_mask import mask_passwords
from edge.contracts.names import NAME_PATTERN

if TYPE_CHECKING:
    from edge.config.toml_lines import KeyPath

MAX_SHOWN = 60
"""Characters of a wrong value that are repeated in a message."""


def dotted_path(path: KeyPath) -> str:
    """Dotted name of a setting's path: ``streams[0].source``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def describe_value(value: Any) -> str:
    """Describe a value for a message: ``the text "fast"``. Passwords are masked, long texts cut."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        text = mask_passwords(value)
        return f'the text "{text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…"}"'
    if isinstance(value, (int, float)):
        return f"the number {value}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return "a table"
    return "nothing" if value is None else f"a {type(value).__name__}"


def describe_type(kind: types.Type) -> str:
    """Describe a type for a message: ``a number greater than 0``."""
    if isinstance(kind, types.UnionType):
        return " or ".join(describe_type(t) for t in kind.types if not isinstance(t, types.NoneType))
    if isinstance(kind, types.StrType):
        if kind.pattern == NAME_PATTERN:
            return "a name of 1 to 32 lower case letters, digits and hyphens"
        return "a text in quotes"
    if isinstance(kind, types.BoolType):
        return "true or false"
    if isinstance(kind, types.LiteralType):
        return "one of " + ", ".join(f'"{v}"' for v in kind.values)
    if isinstance(kind, (types.IntType, types.FloatType)):
        return ("a whole number" if isinstance(kind, types.IntType) else "a number") + _bounds(kind)
    if isinstance(kind, types.TupleType):
        return f"a list of {len(kind.item_types)}: " + ", ".join(describe_type(t) for t in kind.item_types)
    if isinstance(kind, types.VarTupleType):
        return f"a list, each {describe_type(kind.item_type)}"
    if isinstance(kind, types.ListType):
        return "a list of tables" if isinstance(kind.item_type, types.StructType) else "a list"
    return "a table"


def _bounds(kind: types.IntType | types.FloatType) -> str:
    if kind.ge is not None and kind.le is not None:
        return f" from {kind.ge:g} to {kind.le:g}"
    if kind.gt is not None:
        return f" greater than {kind.gt:g}"
    if kind.ge is not None:
        return f" of at least {kind.ge:g}"
    return ""
