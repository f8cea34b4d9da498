"""Finds missing frames of a live stream by holes in its time stamps, where the codec has a constant frame rate.

The decoders of MPEG-1, MPEG-2 and MPEG-4 part 2 say nothing of a frame that never came, and predict the next from the
one before. In a stream whose frames are otherwise a constant interval apart a hole tells it.
"""

from __future__ import annotations

import statistics
from collections import deque

CONSTANT = frozenset({"mpeg1video", "mpeg2video", "mpeg4", "mpg1", "mpg2", "mpeg", "m2v1", "fmp4", "mp4v"})
"""Codecs of constant frame rate that tell of no missing frame: FFmpeg's names, and four-character codes."""
_STEPS = 16
"""Intervals that are remembered."""
_FEWEST = 3
"""Fewest intervals that make a rate."""
_HOLE = 1.5
"""An interval of so many usual ones is a hole."""
_TOLERANCE = 0.25
"""By so much of the usual one may a regular interval differ."""
_REGULAR = 0.6
"""Share of intervals that are regular in a stream of constant rate; in others a long interval tells nothing."""


class StampHoles:
    """Time stamps of the frames of one connection, in the order in which they are shown."""

    def __init__(self, codec: str) -> None:
        self._is_constant = codec in CONSTANT
        self._last: int | None = None
        self._steps: deque[int] = deque(maxlen=_STEPS)

    def is_behind_hole(self, stamp: int | None) -> bool:
        """Whether a frame is missing before the one with this time stamp."""
        if not self._is_constant or stamp is None:
            return False
        last, self._last = self._last, stamp
        if last is None:
            return False
        step = stamp - last
        found = len(self._steps) >= _FEWEST and self._is_hole(step)
        self._steps.append(step)
        return found

    def _is_hole(self, step: int) -> bool:
        usual = statistics.median(self._steps)
        if step < _HOLE * usual:
            return False
        regular = sum(abs(each - usual) <= _TOLERANCE * usual for each in self._steps)
        return regular >= _REGULAR * len(self._steps)
