"""Text of table cells: what may be shown of it, how many columns it takes, padding, shortening, packing."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

ELLIPSIS = "…"
_AGE_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def printable(text: str) -> str:
    """``text`` with every control character replaced: devices may send anything, and terminals act on it."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def encodable(text: str, encoding: str) -> str:
    """``text`` as ``encoding`` can write it, equally wide: other characters become ``?``, an ellipsis ``~``."""
    if text.isascii():
        return text
    return "".join(c if _is_encodable(c, encoding) else "~" if c == ELLIPSIS else "?" * _width_of(c) for c in text)


def _is_encodable(character: str, encoding: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def display_width(text: str) -> int:
    """Columns of a terminal that ``text`` takes: two for wide East Asian characters, none for combining ones."""
    return len(text) if text.isascii() else sum(map(_width_of, text))


def _width_of(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def pad(text: str, width: int, *, right: bool = False) -> str:
    """``text`` filled up with spaces to ``width`` columns; ``right``: aligned to the right."""
    spaces = " " * (width - display_width(text))
    return spaces + text if right else text + spaces


def cut(text: str, width: int) -> str:
    """The beginning of ``text`` that takes at most ``width`` columns."""
    if text.isascii():
        return text[:width]
    while display_width(text) > width:
        text = text[:-1]
    return text


def shorten_middle(text: str, width: int) -> str:
    """``text`` if it takes at most ``width`` columns, else its beginning and its end: versions stand at the end."""
    if display_width(text) <= width:
        return text
    if width < 3:
        return cut(ELLIPSIS, width)
    end = cut(text[::-1], (width - 1) // 2)[::-1]
    return cut(text, width - 1 - display_width(end)) + ELLIPSIS + end


def pack_words(words: Iterable[str], width: int, indent: str = "") -> list[str]:
    """Lines of at most ``width`` columns out of ``words``, none of which is broken unless it is wider than a line."""
    lines: list[str] = []
    line = ""
    for word in words:
        if line and display_width(line) + 1 + display_width(word) <= width:
            line += " " + word
            continue
        if line:
            lines.append(line)
        line = word if not lines else indent + word
        while display_width(line) > width:
            head = cut(line, width)
            lines.append(head)
            line = indent + line[len(head) :]
    return [*lines, line] if line else lines


def age_text(seconds: float | None) -> str:
    """``7 s``, ``3 m``, ``5 h``, ``12 d``: an age in its largest unit, rounded down; ``-`` if it is not known."""
    if seconds is None:
        return "-"
    whole = max(0, int(seconds))
    unit, name = next((each for each in _AGE_UNITS if whole >= each[0]), _AGE_UNITS[-1])
    return f"{whole // unit} {name}"


def number_text(value: float | None, digits: int = 0) -> str:
    """``27.4``: a number with so many ``digits``; one too long for a column by its power of ten, and never cut."""
    if value is None:
        return "-"
    text = f"{value:.{digits}f}"
    return text if len(text) <= 9 else f"{value:.1e}"
