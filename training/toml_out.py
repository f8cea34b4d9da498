"""Writes the TOML that `recipe` reads: tables, arrays of tables, strings, numbers, lists. None is left out."""

from __future__ import annotations

import json
from typing import Any


def to_toml(tree: dict[str, Any], prefix: str = "") -> str:
    """``tree`` as TOML. Keys must be bare (letters, digits, ``_``, ``-``)."""
    plain = {k: v for k, v in tree.items() if v is not None and not _is_table(v)}
    lines = [f"{key} = {_value(value)}" for key, value in plain.items()]
    text = "\n".join(lines) + "\n" if lines else ""
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            text += f"\n[{name}]\n" + to_toml(value, f"{name}.")
        elif _is_table(value):
            text += "".join(f"\n[[{name}]]\n" + to_toml(row, f"{name}.") for row in value)
    return text


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))


def _value(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value, ensure_ascii=False)  # strings, booleans and integers are written alike in TOML
