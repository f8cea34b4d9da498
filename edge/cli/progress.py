"""Progress bars on stderr, on terminals only."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

WIDTH = 24
EVERY_S = 0.1
CLEAR_LINE = "\r\x1b[K"


def is_terminal(stream: TextIO) -> bool:
    """Whether a stream is a terminal that knows how to clear a line."""
    return stream.isatty() and os.environ.get("TERM", "") != "dumb"


class FileProgressBar:
    """Progress bar over files: ``[=====---] 3/8 files, 41 frames, 28/s``; over the frames of one: ``41/120 frames``.

    Silent where stderr is no terminal.
    """

    def __init__(self, files: int, stream: TextIO | None = None, frames: int = 0) -> None:
        """``frames``: those of the one file, so far as it says; 0: the files are counted."""
        self._files, self._frames = files, frames
        self._stream = stream or sys.stderr
        self._shown = is_terminal(self._stream)
        self._began = time.monotonic()
        self._next = 0.0

    def show(self, files_done: int, frames: int) -> None:
        """Draw the bar again, if it is time to."""
        now = time.monotonic()
        if not self._shown or now < self._next:
            return
        self._next = now + EVERY_S
        if self._frames:
            filled = WIDTH * min(frames, self._frames) // self._frames
            done = f"{frames}/{self._frames} frames"
        else:
            filled = WIDTH * files_done // max(1, self._files)
            done = f"{files_done}/{self._files} files, {frames} frames"
        rate = frames / max(now - self._began, 1e-3)
        bar = "=" * filled + "-" * (WIDTH - filled)
        self._write(f"{CLEAR_LINE}[{bar}] {done}, {rate:.0f}/s")

    def clear(self) -> None:
        """Remove the bar, so that a line can be printed in its place; it comes back with the next `show`."""
        if self._shown:
            self._write(CLEAR_LINE)
            self._next = 0.0

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


class ProgressBar:
    """Progress bar for one task with a share done: ``[=====---] words``.

    Silent where stderr is no terminal.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._shown = is_terminal(self._stream)
        self._next = 0.0

    def show(self, share: float, words: str) -> None:
        """Draw the bar again, if it is time to; ``share`` from 0 to 1."""
        now = time.monotonic()
        if not self._shown or now < self._next:
            return
        self._next = now + EVERY_S
        filled = round(WIDTH * min(1.0, max(0.0, share)))
        self._stream.write(f"{CLEAR_LINE}[{'=' * filled}{'-' * (WIDTH - filled)}] {words}")
        self._stream.flush()

    def clear(self) -> None:
        """Remove the bar from the terminal."""
        if self._shown:
            self._stream.write(CLEAR_LINE)
            self._stream.flush()
