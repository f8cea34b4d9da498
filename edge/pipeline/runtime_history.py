"""Runtime history: which runtimes have failed in this run of the daemon, so that a new frame process knows it too.

Without it each new frame process would begin with the runtime that hangs, and wait for it before it looks for another.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

import msgspec

from edge.process.reaper import LeftBehind, reaper

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.process.shared_notes import SharedNotes

MOST_NOTED = 20
"""Left-behind processes in the notes: far more than can be, and few enough for a page."""
MOST_WORDS = 160
"""Characters that are kept of an error."""


class RuntimeFailure(msgspec.Struct, frozen=True):
    """Failure of a runtime, and when it may be tried again."""

    why: str
    pause_s: float
    """Pause before the next try."""
    retry_at: float
    """Monotonic clock, in seconds: the same for all processes of a run."""


class RunNotes(msgspec.Struct, frozen=True):
    """What one frame process writes down for the next."""

    failures: dict[str, RuntimeFailure] = {}
    """By URI of the runtime."""
    left_behind: list[LeftBehind] = []


class RuntimeHistory:
    """Failures of the runtimes, by their place in the settings: the configured one is 0. Safe for threads."""

    def __init__(self, uris: Sequence[str], notes: SharedNotes | None = None) -> None:
        """``notes``: memory that the last frame process of this run has written to; None: nothing is handed on."""
        self._uris, self._notes = list(uris), notes
        self._lock = threading.Lock()
        self._failures: dict[str, RuntimeFailure] = {}
        if notes is None:
            return
        with contextlib.suppress(msgspec.MsgspecError):  # blank, or torn by a kill: then nothing is known
            before = msgspec.json.decode(notes.read(), type=RunNotes)
            self._failures = {uri: failure for uri, failure in before.failures.items() if uri in self._uris}
            reaper.remember(before.left_behind)
        reaper.on_change = self._write

    def failure(self, place: int) -> RuntimeFailure | None:
        """Last failure of the runtime at ``place``; None if it has passed its test since, or never failed."""
        return self._failures.get(self._uri(place))

    def note(self, place: int, failure: RuntimeFailure) -> None:
        """Note that the runtime at ``place`` has failed."""
        short = msgspec.structs.replace(failure, why=failure.why[:MOST_WORDS])
        with self._lock:
            self._failures = {**self._failures, self._uri(place): short}
        self._write()

    def forget(self, place: int) -> None:
        """Forget the failure of the runtime at ``place``: it has passed its test."""
        if self.failure(place) is None:
            return
        with self._lock:
            self._failures = {uri: failure for uri, failure in self._failures.items() if uri != self._uri(place)}
        self._write()

    def order(self, count: int) -> list[int]:
        """Places 0 to ``count`` - 1 in the order in which to try them: those that have failed come last."""
        return sorted(range(count), key=lambda place: self.failure(place) is not None)

    def _uri(self, place: int) -> str:
        return self._uris[place] if place < len(self._uris) else f"#{place}"

    def _write(self) -> None:
        if self._notes is None:
            return
        left_behind = reaper.left_behind()[-MOST_NOTED:]
        with self._lock:
            notes = RunNotes(self._failures, left_behind)
            # Long URIs may leave no room: then at least who is still there, which bounds how many more there will be.
            if not self._notes.write(msgspec.json.encode(notes)):
                self._notes.write(msgspec.json.encode(msgspec.structs.replace(notes, failures={})))
