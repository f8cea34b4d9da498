"""Keys out of the bytes that a terminal sends: letters, and the escape sequences of arrows and page keys."""

from __future__ import annotations

import codecs
import re

UP, DOWN, LEFT, RIGHT = "up", "down", "left", "right"
PAGE_UP, PAGE_DOWN, HOME, END = "page-up", "page-down", "home", "end"
ENTER, ESCAPE, BACKSPACE, CLEAR, REDRAW = "enter", "escape", "backspace", "clear", "redraw"

_CONTROLS = {
    "\r": ENTER, "\n": ENTER, "\x7f": BACKSPACE, "\x08": BACKSPACE, "\x15": CLEAR, "\x0c": REDRAW, "\x03": "q",
}  # fmt: skip
_SEQUENCE = re.compile(r"\x1b(?:\[([0-9;?<=>]*)([ -/]*)([@-~])|O([@-~]))")
"""CSI and SS3 sequences. Parameters may hold modifiers (``1;5A``): Shift and Control change nothing here."""
_UNFINISHED = re.compile(r"\x1b(?:\[[0-9;?<=>]*[ -/]*|O)?")
_LETTERS = {"A": UP, "B": DOWN, "C": RIGHT, "D": LEFT, "H": HOME, "F": END}
_NUMBERS = {"1": HOME, "4": END, "5": PAGE_UP, "6": PAGE_DOWN, "7": HOME, "8": END}
PENDING_LIMIT = 64
"""Characters of a sequence that does not end; then it is dropped."""


class KeyParser:
    """Turns bytes into keys; keeps what may be the beginning of a sequence until more comes, or `flush`."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._pending = ""

    @property
    def pending(self) -> bool:
        """Whether the beginning of a sequence waits for its rest."""
        return bool(self._pending)

    def feed(self, data: bytes) -> list[str]:
        """Keys in ``data``: names as above, and single characters for all that can be printed."""
        text = self._pending + self._decoder.decode(data)
        self._pending = ""
        keys: list[str] = []
        at = 0
        while at < len(text):
            if text[at] != "\x1b":
                keys += _plain_key(text[at])
                at += 1
            elif found := _SEQUENCE.match(text, at):
                keys += _sequence_key(found)
                at = found.end()
            elif text.startswith("\x1b\x1b", at):
                keys.append(ESCAPE)
                at += 1
            elif _UNFINISHED.fullmatch(text, at) and len(text) - at <= PENDING_LIMIT:
                self._pending = text[at:]
                break
            else:
                at += 2 if text[at + 1 : at + 2].isprintable() else 1  # Alt and a letter: no key of ours
        return keys

    def flush(self) -> list[str]:
        """The keys that no more bytes came for: a lone escape is the key Esc, the rest of a sequence nothing."""
        was, self._pending = self._pending, ""
        return [ESCAPE] if was == "\x1b" else []


def _plain_key(character: str) -> list[str]:
    if character in _CONTROLS:
        return [_CONTROLS[character]]
    return [character] if character.isprintable() and character != "\ufffd" else []


def _sequence_key(found: re.Match[str]) -> list[str]:
    parameters, _, final, application = found.groups()
    if application or final != "~":
        name = _LETTERS.get(application or final)
    else:
        name = _NUMBERS.get(parameters.partition(";")[0])
    return [name] if name else []
