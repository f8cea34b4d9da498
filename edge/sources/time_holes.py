"""Finds holes in the times of a clip whose frames are otherwise a constant interval apart.

The only sign of a missing frame in codecs that do not number their frames (VP8, VP9, MPEG-4 part 2, Theora, WMV). In a
clip of variable frame rate an interval tells nothing: the frame before was shown for longer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAX_TIMES = 1 << 13
"""Most times that are kept to tell what the interval is."""
_UNSETTLED = 32
"""Last packets of those read, whose order of showing is not known yet."""
_FEWEST = 3
"""Fewest regular intervals that make a constant rate."""
_REGULAR_FOR_EACH_HOLE = 6
"""Regular intervals for each hole; with more holes the rate counts as variable."""
_ROUNDING_NS = 1_100_000
"""Containers that store milliseconds are off by up to one of them."""
_ROUNDING = 0.02
_SHORTEST_HOLE = 2
PAUSE_NS = 1_000_000_000
"""A longer hole is a pause of the recording."""
_NEVER = 1 << 62


@dataclass(frozen=True, slots=True)
class Hole:
    """Place in a clip where frames are missing, by its times in nanoseconds."""

    begin: int
    """Of the first frame that may be predicted from a missing one."""
    end: int | None
    """Of the next key frame; None: it did not come yet."""
    missing: int
    """Frames that are missing."""
    leading: bool
    """The next key frame came before the hole in the file, though it is shown behind it."""


class TimeHoles:
    """Times of the packets of one clip, in the order of the file, and the holes among them."""

    def __init__(self) -> None:
        self._times: list[int] = []
        self._keys: list[bool] = []
        self._settled = 0
        """Time up to which holes were looked for."""
        self._varies = False

    def add(self, at: int, key: bool) -> None:
        """Note the time of a packet that is shown, and whether frames can be decoded from it on."""
        self._times.append(at)
        self._keys.append(key)

    def find(self, *, ended: bool) -> list[Hole]:
        """Find the holes that were not found before. ``ended``: the clip has no more packets."""
        if len(self._times) > _MAX_TIMES:
            del self._times[: -_MAX_TIMES // 2], self._keys[: -_MAX_TIMES // 2]
        times = np.array(self._times, np.int64)
        order = np.argsort(times, kind="stable")
        shown = times[order]
        missing = self._missing(np.diff(shown))
        settled = len(times) if ended else len(times) - _UNSETTLED
        key_packets = np.flatnonzero(self._keys)
        last = self._last_complete(times) if ended else _NEVER
        reordered = self._most_reordered(times)
        found = []
        for place in np.flatnonzero(missing):
            packet, at = int(order[place + 1]), int(shown[place + 1])
            if at <= self._settled or packet >= settled:
                continue
            self._settled = at
            if at > last or at - int(shown[place]) > PAUSE_NS:
                continue
            key = next((int(index) for index in key_packets if times[index] >= at), None)
            end = None if key is None else int(times[key])
            # Frames shown before the missing one may be predicted from it.
            begin = int(shown[max(0, place + 1 - reordered)])
            found.append(Hole(begin, end, int(missing[place]), leading=key is not None and key < packet))
        return found

    @staticmethod
    def _last_complete(times: NDArray[np.int64]) -> int:
        """Last time before which nothing is missing in a clip that was trimmed: that of the last frame but some.

        Frames that come later in the file than one that is shown after them may have been cut off.
        """
        anchors = np.unique(np.maximum.accumulate(times))
        return _NEVER if len(anchors) in (0, 1, len(times)) else int(anchors[-2])

    @staticmethod
    def _most_reordered(times: NDArray[np.int64]) -> int:
        """Most frames in a row that come later in the file than one that is shown after them."""
        anchors = np.flatnonzero(times >= np.maximum.accumulate(times))
        return int(np.diff(anchors, append=len(times)).max(initial=1)) - 1

    def _missing(self, intervals: NDArray[np.int64]) -> NDArray[np.int64]:
        """Frames that are missing in each interval, (N,) int64; none once the rate was found to vary."""
        none = np.zeros(len(intervals), np.int64)
        if self._varies or len(intervals) < _FEWEST:
            return none
        step = float(np.median(intervals))
        tolerance = _ROUNDING_NS + _ROUNDING * step
        regular = np.abs(intervals - step) <= tolerance
        step = float(intervals[regular].mean())
        count = np.rint(intervals / max(step, 1.0))
        holes = (count >= _SHORTEST_HOLE) & (np.abs(intervals - count * step) <= _ROUNDING_NS + _ROUNDING * intervals)
        others = int((~regular & ~holes).sum())
        allowed = max(1, int(regular.sum()) // _REGULAR_FOR_EACH_HOLE)
        self._varies = others > 1 + len(intervals) // 200 or int(holes.sum()) > allowed or regular.sum() < _FEWEST
        return none if self._varies else np.where(holes, count - 1, 0).astype(np.int64)
