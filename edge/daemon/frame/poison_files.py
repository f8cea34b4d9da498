"""Poison files: how often the frame process died while a file was open, kept in the state directory."""

from __future__ import annotations

import contextlib
import logging
import os
from typing import TYPE_CHECKING

import msgspec

from edge.contracts.decoding import decode_json

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

FILE_NAME = "poison.json"
MOST = 256
"""Most files that are remembered; the oldest go first."""
DEATHS = 2
"""Deaths after which a file is poison."""
POINTS = 3
"""Points that it must have as well: a death counts 2, or 1 where another file was the one being decoded."""


class _Suspect(msgspec.Struct):
    deaths: int = 0
    points: int = 0


class PoisonFiles:
    """Deaths of the frame process, counted by file. Files are known by keys, which change when they do."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / FILE_NAME
        self._suspects: dict[str, _Suspect] = {}
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            self._suspects = decode_json(self._path.read_bytes(), dict[str, _Suspect])

    def is_poison(self, key: str) -> int:
        """Number of deaths if the file is to be left out, else 0."""
        suspect = self._suspects.get(key, _Suspect())
        return suspect.deaths if suspect.deaths >= DEATHS and suspect.points >= POINTS else 0

    def is_suspect(self, key: str) -> bool:
        """Whether the process has died while the file was open, and it was not read to its end since."""
        return key in self._suspects

    def count_death(self, key: str, sure: bool) -> None:
        """Count a death against a file; ``sure``: it was being decoded, or no other was. Call `save` at the end."""
        suspect = self._suspects.pop(key, _Suspect())
        suspect.deaths += 1
        suspect.points += 2 if sure else 1
        self._suspects[key] = suspect  # at the end: the newest

    def clear(self, key: str) -> None:
        """Forget a file that was read to its end."""
        if self._suspects.pop(key, None) is not None:
            self.save()

    def save(self) -> None:
        """Write it down, for good: it is done after a death only. What cannot be written is logged."""
        for key in list(self._suspects)[:-MOST]:
            del self._suspects[key]
        draft = self._path.with_suffix(".new")
        try:
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(msgspec.json.encode(self._suspects))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
        except OSError as error:
            log.warning("which files the process died at cannot be written down: %s", error.strerror)
