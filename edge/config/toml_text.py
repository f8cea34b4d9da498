"""Formats plain values and keys as TOML text."""

from __future__ import annotations

from typing import Any

import msgspec


def toml_value(value: Any) -> str:
    """Format ``value`` as TOML on one line. TypeError if it is no str, bool, int, float, list, tuple or dict.

    Floats must be finite.
    """
    if isinstance(value, str):  # JSON's escapes are TOML's; TOML wants one character more escaped
        return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml_value(v) for v in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml_key(k)} = {toml_value(v)}" for k, v in value.items()) + "}"
    raise TypeError(f"TOML has no {type(value).__name__}")


def toml_key(key: str) -> str:
    """Format ``key`` as a TOML key, quoted if it must be."""
    return key if key.replace("-", "").replace("_", "").isalnum() and key.isascii() else toml_value(key)
