"""Limit of silence: how long a live stream may give no picture until it counts as lost."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.sources.live.reader import LiveOptions

DEFAULT_S = 0.85
"""A camera that died is told within a second, from the last frame on."""
INTERVALS = 3.0
"""A stream of few frames may be silent for so many of its usual intervals."""
LONGEST_S = 10.0
MOST_AGE_S = 0.25
"""So much of a picture's age counts as silence: a machine that is busy takes pictures late, and would tell a loss late.
Streams that are always later keep most of their limit, and a limit that was asked for (`silence_s`) holds whole."""
_KEEP = 0.9


class SilenceLimit:
    """Clock of one stream: when the last picture came, and when the next one is overdue."""

    def __init__(self, options: LiveOptions) -> None:
        self._options = options
        self._usual_s = 0.0
        self.limit_s = options.first_frame_s
        """Seconds of silence that are allowed at present."""
        self._at = time.monotonic()
        self._has_frame = False

    def begin(self) -> None:
        """Note that the stream was opened."""
        self._at, self._has_frame, self._usual_s = time.monotonic(), False, 0.0
        self.limit_s = self._options.first_frame_s

    def note_frame(self, age_s: float = 0.0) -> None:
        """Note that a picture came, captured ``age_s`` ago: silence began then, and not when somebody took it."""
        now = time.monotonic()
        if self._options.silence_s is None:
            now -= min(max(age_s, 0.0), MOST_AGE_S)
        if self._has_frame:
            passed_s = max(0.0, now - self._at)
            self._usual_s += (1 - _KEEP) * (passed_s - self._usual_s) if self._usual_s else passed_s
        self._at, self._has_frame = now, True
        if self._options.silence_s is not None:
            self.limit_s = self._options.silence_s
        else:
            self.limit_s = min(max(DEFAULT_S, INTERVALS * self._usual_s), LONGEST_S)

    def note_sign_of_life(self) -> None:
        """Note that a picture came that could not be decoded: the stream is not silent."""
        self._at = time.monotonic()

    def left_s(self) -> float:
        """Seconds until the stream counts as silent; 0: it does."""
        return max(0.0, self.limit_s - (time.monotonic() - self._at))
