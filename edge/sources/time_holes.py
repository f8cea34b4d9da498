"""Finds holes in the times of a clip whose frames are otherwise a constant interval apart.

The only sign of a missing frame in codecs that do not number their frames (VP8, VP9, MPEG-4 part 2, Theora, WMV). In a
clip of variable frame rate an interval tells nothing: the frame before was shown for longer.
"""

from __future__ import annotations

import numpy as np

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

    def find(self, *, ended: bool, leading: bool) -> list[tuple[int, int | None]]:
        """Find holes that were not found before.

        Args:
            ended: whether the clip has no more packets.
            leading: only those behind a key frame, but shown before it: the numbers of frames cannot tell of them.

        Returns:
            (time of the first frame that may be predicted from a missing one, time of the next key frame or None) each.
        """
        if len(self._times) > _MAX_TIMES:
            del self._times[: -_MAX_TIMES // 2], self._keys[: -_MAX_TIMES // 2]
        times = np.array(self._times, np.int64)
        order = np.argsort(times, kind="stable")
        shown = times[order]
        after = np.flatnonzero(self._holes(np.diff(shown))) + 1
        last = len(times) if ended else max(0, len(times) - _UNSETTLED)
        # A frame that is shown before one that came earlier in the file is predicted from it.
        is_anchor = times >= np.maximum.accumulate(times) if len(times) else np.zeros(0, bool)
        anchors, keys = shown[is_anchor[order]], np.sort(times[np.array(self._keys, bool)])
        found: list[tuple[int, int | None]] = []
        for place in after:
            packet, at, before = int(order[place]), int(shown[place]), int(shown[place - 1])
            if at <= self._settled or packet >= last:
                continue
            self._settled = at
            key = keys[np.searchsorted(keys, at)] if keys.size and keys[-1] >= at else None
            if leading and (key is None or int(np.flatnonzero(times == key)[0]) >= packet):
                continue
            anchor = int(anchors[np.searchsorted(anchors, before, "right") - 1])
            found.append((at if anchor == before else anchor + 1, None if key is None else int(key)))
        return found

    def _holes(self, intervals: np.ndarray) -> np.ndarray:
        """Which intervals are holes, (N,) bool; none once the rate was found to vary."""
        none = np.zeros(len(intervals), bool)
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
        return none if self._varies else holes
