"""Standard streams of a program: there, and able to take any text, whatever encoding the terminal or the pipe has."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys

ERRORS = "sonoedge.readable"
"""Name of the codec error handler: what an encoding lacks is replaced by what reads alike, or escaped."""
ALIKE = {
    "…": "...", "–": "-", "—": "-", "−": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "„": '"', "→": "->", "←": "<-",
    "×": "x", "·": ".", "•": "*", "°": " deg ", "±": "+-", "≤": "<=", "≥": ">=", "≈": "~", "µ": "u", "μ": "u", "σ": "s",
    "²": "^2", "³": "^3", "✓": "+", "✗": "x", "\u00a0": " ", "│": "|", "─": "-", "█": "#", "▏": "|",
}  # fmt: skip
"""What our own texts use beyond ASCII, and what stands for it."""


def readable(error: UnicodeError) -> tuple[str, int]:
    r"""Codec error handler: the same in ASCII where there is one, else ``\u`` escapes, as JSON and TOML have them."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    bad = error.object[error.start : error.end]
    return "".join(ALIKE.get(character) or escaped(character) for character in bad), error.end


def escaped(character: str) -> str:
    r"""Escape of one character, valid in JSON too: ``\u00fc``, or two of them beyond U+FFFF."""
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def ascii_json(text: str) -> str:
    """JSON text with every character beyond ASCII escaped: the same JSON."""
    return "".join(character if character < "\x80" else escaped(character) for character in text)


class ClosedStream(io.TextIOWrapper):
    """Stands in for a standard stream that was closed at the start: it leads to /dev/null."""

    def __init__(self) -> None:
        super().__init__(open(os.devnull, "wb"), "utf-8")  # noqa: SIM115  (for as long as the process runs)


def set_up_text_streams() -> None:
    """Make stdout and stderr take any text; streams that were closed at the start lead to /dev/null."""
    while (fd := os.open(os.devnull, os.O_RDWR)) < 3:  # else the next file that is opened would be our stdout
        pass
    os.close(fd)
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115  (for as long as the process runs)
    codecs.register_error(ERRORS, readable)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, ClosedStream())
        elif isinstance(stream, io.TextIOWrapper):
            with contextlib.suppress(ValueError, io.UnsupportedOperation):  # closed already
                stream.reconfigure(errors=ERRORS)


def takes_unicode(stream: object) -> bool:
    """Whether a text stream can take every character."""
    name = getattr(stream, "encoding", None) or "ascii"
    try:
        return codecs.lookup(name).name.startswith("utf")
    except LookupError:
        return False
