"""Freeze detection in one live stream: whether the scan stands still, judged against the stream's own noise.

A live scan changes from frame to frame almost everywhere, even with a probe that is held still: electronic noise is in
each of its pixels. A frozen one changes nowhere, but for a clock, a cursor, and what a codec makes of it: a key frame
is another picture of the same for once. So counted is where the picture changed, not by how much: the share of the
scan's blocks that did at any time in a window, without its key frame.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.contracts.frames import Frame

BLOCK = 8
"""Side of a block in samples."""
MAX_BLOCKS = (20, 12)
"""Most blocks across and down: so many tell a clock from a scan, and take little time."""
BACKGROUND = 12
"""Blocks that are not brighter show no change although there is one: black clips noise."""
LEAST_CHANGE = 0.15
"""Mean absolute difference of a block, in grey values, that is a change: a single pixel makes less."""
NOISE_FACTOR = 1.5
"""So many times the noise outside of the scan is a change inside of it: an analogue grabber adds noise to all."""
MOST_NOISE = 2.0
"""Largest noise outside of the scan, in grey values, that is believed to be noise."""
STILL_SHARE = 0.15
"""Share of blocks up to which a picture stands still. Of a probe held still 0.45 and more change, in codecs as well."""
KEY_FRAME_CHANGE = 5.0
"""Largest median change, in grey values, that a key frame makes. What changes more is another picture."""
RESUMED_S = 0.5
"""Seconds for which a picture that stood still must move in small ways to be live: codecs mend it after key frames."""
LEAST_CHANGES = 2
"""Changes without which nothing is said: two equal frames are a grabber that is faster than its scanner."""
ANEW = 0.03
"""Share of blocks from which on a change is another picture of the scanner; a clock or a cursor changes less."""
PICTURES, INTERVALS = 2.5, 5
"""So many pictures of the scanner the window is long at least, by the median of so many intervals between them."""
LONGEST_S = 1.0
"""Window in seconds while the scanner's rate is not known, and the longest that its rate makes."""


@dataclass(frozen=True, slots=True)
class _Change:
    """Change from one frame to the next."""

    at_ns: int
    changed: NDArray[np.bool_]
    """Whether each of the scan's blocks changed."""
    share: float
    """Share of them that did."""
    median: float
    """Median change of a block, in grey values."""


class FreezeDetector:
    """Freeze detector of one stream: fed each frame, it says whether the scan has been standing still."""

    def __init__(self, window_s: float) -> None:
        """``window_s``: time without a change, in seconds, after which a scan stands still."""
        self._least_ns, self._most_ns = int(window_s * 1e9), int(max(window_s, LONGEST_S) * 1e9)
        self._intervals: deque[int] = deque(maxlen=INTERVALS)
        """Time between pictures of the scanner while it was live: a grabber may repeat each of them many times."""
        self._anew_at_ns = 0
        self._changes: deque[_Change] = deque()
        self._last: NDArray[np.uint8] | None = None
        self._areas: _Areas | None = None
        self._frozen_at_ns: int | None = None
        """When it last was seen to stand still; None: it is live."""

    def add(self, frame: Frame) -> bool:
        """Take the next frame. Returns whether its scan has stood still for the whole window."""
        now = frame.captured_ns
        if self._areas is None or self._areas.shape != frame.pixels.shape:
            self._areas, self._last, self._frozen_at_ns = _Areas(frame), None, None
            self._changes.clear()
            self._intervals.clear()
            self._anew_at_ns = 0
        elif self._areas.regions != frame.regions:  # found anew: what was seen before still counts
            self._areas = _Areas(frame)
        sample = self._areas.sample(frame.pixels)
        last, self._last = self._last, sample
        if last is None:
            self._changes.append(_Change(now, np.ones(1, np.bool_), 1.0, 255.0))
            return False
        changed, median = self._areas.change(last, sample)
        self._changes.append(_Change(now, changed, np.count_nonzero(changed) / changed.size, median))
        while len(self._changes) > LEAST_CHANGES + 1 and self._changes[1].at_ns <= now - self._most_ns:
            self._changes.popleft()  # the first one kept is at the longest window's begin, or before
        self._note_interval(self._changes[-1])
        if self._still(now, self._areas.lit):
            self._frozen_at_ns = now
        elif median > KEY_FRAME_CHANGE or now - (self._frozen_at_ns or 0) > RESUMED_S * 1e9:
            self._frozen_at_ns = None
        return self._frozen_at_ns is not None

    def _note_interval(self, change: _Change) -> None:
        """Note the time since the scanner's last picture. Key frames of one that stands still are no pictures of it."""
        if change.share < ANEW:
            return
        if self._anew_at_ns and (self._frozen_at_ns is None or change.median > KEY_FRAME_CHANGE):
            self._intervals.append(change.at_ns - self._anew_at_ns)
        self._anew_at_ns = change.at_ns

    def _window_ns(self) -> int:
        """Length of the window: as set, longer where the scanner is slow or its rate is not known yet."""
        if len(self._intervals) < INTERVALS:
            return self._most_ns
        usual = sorted(self._intervals)[INTERVALS // 2]
        return min(self._most_ns, max(self._least_ns, int(PICTURES * usual)))

    def _still(self, now_ns: int, lit: NDArray[np.bool_]) -> bool:
        """Whether the window is full, and few blocks changed in it, but for one key frame."""
        window_ns = self._window_ns()
        kept_changes = list(self._changes)[1:]
        if now_ns - self._changes[0].at_ns < window_ns or len(kept_changes) < LEAST_CHANGES:
            return False
        changes = [change for change in kept_changes if change.at_ns > now_ns - window_ns]
        if len(changes) < LEAST_CHANGES:
            changes = kept_changes[-LEAST_CHANGES:]
        *others, largest = sorted(changes, key=lambda change: change.share)
        if largest.median > KEY_FRAME_CHANGE or others[-1].share >= STILL_SHARE:
            return False  # most live frames
        # Of areas that were found anew, those of this size are near enough the same blocks.
        kept = [change.changed for change in others if change.changed.size == lit.size]
        moved = np.logical_or.reduce(kept) if kept else np.ones(lit.size, np.bool_)
        counted = moved[lit] if lit.any() else moved
        return float(counted.mean()) < STILL_SHARE


class _Areas:
    """Blocks of a picture that are in the scan, and those beside it."""

    def __init__(self, frame: Frame) -> None:
        self.shape, self.regions = frame.pixels.shape, frame.regions
        height, width = self.shape[:2]
        across, down = (
            min(most, max(1, side // BLOCK)) for most, side in zip(MAX_BLOCKS, (width, height), strict=True)
        )
        self._side = (min(BLOCK, height), min(BLOCK, width))
        self._blocks = (down, across)
        self._steps = (max(1, height // (down * self._side[0])), max(1, width // (across * self._side[1])))
        mask = np.zeros((height, width), np.uint8)
        for region in self.regions:
            x, y, w, h = region.box
            if region.outline is not None:
                cv2.fillPoly(mask, [np.array(region.outline, np.int32)], 1)
            else:
                mask[max(0, y) : y + h, max(0, x) : x + w] = 1
        if not self.regions or not mask.any():
            mask[:] = 1
        inside = self._means(self._take(mask))
        self._inside, self._outside = inside == 1, inside == 0
        if not self._inside.any():
            self._inside = inside > 0
        self._nothing = np.zeros(np.count_nonzero(self._inside), np.bool_)
        self.lit = ~self._nothing
        """Which blocks of the scan are not black: only they can show a change."""

    def sample(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Evenly spread pixels of a picture, (rows, columns) uint8 in whole blocks; green where it has colours."""
        return self._take(pixels if pixels.ndim == 2 else pixels[:, :, 1])

    def _take(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        rows, cols = self._blocks[0] * self._side[0], self._blocks[1] * self._side[1]
        return np.ascontiguousarray(pixels[:: self._steps[0], :: self._steps[1]][:rows, :cols])

    def _means(self, sample: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Mean of each block, float32, exactly: whole numbers are summed."""
        size = (self._blocks[1], self._blocks[0])
        means: NDArray[np.float32] = cv2.resize(sample.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        return means

    def change(self, before: NDArray[np.uint8], now: NDArray[np.uint8]) -> tuple[NDArray[np.bool_], float]:
        """Which of the scan's blocks changed, (blocks,), and their median change in grey values; samples (h, w)."""
        if np.array_equal(before, now):
            return self._nothing, 0.0
        differences = self._means(cv2.absdiff(before, now))
        bright = self._means(now) > BACKGROUND
        self.lit = bright[self._inside]
        beside = differences[self._outside & bright]
        noise = min(MOST_NOISE, float(np.sort(beside)[beside.size // 4])) if beside.size else 0.0
        scan = differences[self._inside]
        lit = scan[self.lit]
        median = float(np.sort(lit if lit.size else scan)[max(lit.size or scan.size, 1) // 2])
        return scan > max(LEAST_CHANGE, NOISE_FACTOR * noise), median
