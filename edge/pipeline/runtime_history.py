"""Runtime history: which runtimes have failed in this run of the daemon, so that a new frame process knows it too.

Without it each new frame process would begin with the runtime that hangs, and wait for it before it looks for another.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import TYPE_CHECKING

import msgspec

from edge.contracts.decoding import decode_json
from edge.process.reaper import LeftBehind, reaper

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.process.shared_notes import SharedNotes

MOST_NOTED = 20
"""Processes in the notes: far more than can be, and few enough for a page."""
PAUSE_S = 60.0
"""Until a runtime is tried again that has taken its frame process with it."""
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
    children: list[LeftBehind] = []
    """Children of the frame process, and what it left behind: those that are there yet, its successor cannot kill."""
    in_process: str = ""
    """URI of a runtime that is in the frame process itself: it is loaded, or computes."""
    pid: int = 0
    """Of the frame process that has written this."""


class RuntimeHistory:
    """Failures of the runtimes, by their place in the settings: the configured one is 0. Safe for threads."""

    def __init__(self, uris: Sequence[str], notes: SharedNotes | None = None, *, in_process: bool = False) -> None:
        """``notes``: memory that the last frame process of this run has written to; None: nothing is handed on.

        ``in_process``: runtimes have no process of their own.
        """
        self._uris, self._notes, self._in_process = list(uris), notes, in_process
        self._lock = threading.Lock()
        self._failures: dict[str, RuntimeFailure] = {}
        self._used = ""
        if notes is None:
            return
        with contextlib.suppress(msgspec.MsgspecError):  # blank, or torn by a kill: then nothing is known
            before = decode_json(notes.read(), RunNotes)
            self._failures = {uri: failure for uri, failure in before.failures.items() if uri in self._uris}
            reaper.remember(before.children)
            if before.in_process in self._uris and before.pid in {one.pid for one in reaper.left_behind()}:
                why = f"process {before.pid}, which it was in, cannot be killed"
                self._failures[before.in_process] = RuntimeFailure(why, PAUSE_S, time.monotonic() + PAUSE_S)
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

    def use(self, place: int) -> None:
        """Note that the runtime at ``place`` is about to be loaded, or computes: if it is in this process."""
        if self._in_process:
            self._used = self._uri(place)
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
        children = reaper.children()[-MOST_NOTED:]
        with self._lock:
            notes = RunNotes(self._failures, children, self._used, os.getpid())
            # Long URIs may leave no room: then at least who is still there, which bounds how many more there will be.
            if not self._notes.write(msgspec.json.encode(notes)):
                self._notes.write(msgspec.json.encode(msgspec.structs.replace(notes, failures={}, in_process="")))
