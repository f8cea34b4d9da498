"""Values of DICOM data elements as integer, float or text, with None or a default for those absent or broken."""

from __future__ import annotations

from collections.abc import MutableSequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


def first_value(elements: Dataset, keyword: str) -> Any:
    """First value of an element; None if it is absent, empty or unreadable."""
    try:
        value = elements.get(keyword)
        if isinstance(value, MutableSequence):  # of values or of items
            value = value[0] if len(value) else None
    except Exception:  # one broken element is as good as absent
        return None
    return None if value in ("", b"") else value


def int_value(elements: Dataset, keyword: str, default: int) -> int:
    """First value of an element as an integer; ``default`` if there is none."""
    try:
        return int(first_value(elements, keyword))
    except (TypeError, ValueError, OverflowError):
        return default


def float_value(elements: Dataset, keyword: str) -> float | None:
    """First value of an element as a float, which may be infinite or NaN; None if it is no number."""
    try:
        return float(first_value(elements, keyword))
    except (TypeError, ValueError, OverflowError):
        return None


def text_value(elements: Dataset, keyword: str) -> str | None:
    """First value of an element in at most 64 printable characters; None if nothing is left."""
    value = first_value(elements, keyword)
    if not isinstance(value, str):
        return None
    return "".join(c for c in value if c.isprintable()).strip()[:64] or None
