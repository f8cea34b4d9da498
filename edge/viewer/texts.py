"""Texts of the page and its reports, by language: one table, which the browser reads as well."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from edge.contracts.decoding import decode_json

PAGE = Path(__file__).parent / "page"


@cache
def texts() -> dict[str, dict[str, Any]]:
    """Table of all texts by language: ``en``, ``zh``."""
    found: dict[str, dict[str, Any]] = decode_json((PAGE / "texts.json").read_bytes(), dict[str, dict[str, Any]])
    return found
