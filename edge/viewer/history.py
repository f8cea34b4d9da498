"""History of one stream: the newest seconds as JPEG, in memory only, within a limit of bytes."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.tap.messages import SeenFrame

SECONDS = 20.0
TOTAL_BYTES = 64 << 20
"""Most memory of the histories of all streams together."""
SHORTEST_NS = 30_000_000
"""Frames sooner after the last one that was kept are left out; more is left out where the memory is too small."""


@dataclass(frozen=True, slots=True, eq=False)
class KeptFrame:
    """One frame as it was shown: what was said of it, and its picture (None: none could be shown)."""

    note: SeenFrame
    jpeg: bytes | None

    @property
    def size(self) -> int:
        """Bytes of memory that it takes, about."""
        return len(self.jpeg or b"") + 4096


class History:
    """Frames of the last `SECONDS`, the oldest first. Where they do not fit, every second one goes."""

    def __init__(self, limit_bytes: int) -> None:
        """``limit_bytes``: most memory that it takes."""
        self._limit = limit_bytes
        self._frames: deque[KeptFrame] = deque()
        self._interval_ns = SHORTEST_NS
        self.used = 0
        """Bytes of memory in use."""
        self.holders: set[int] = set()
        """Who looks at what is there now: while there is anybody, nothing is added, and nothing goes."""

    def add(self, frame: KeptFrame) -> None:
        """Keep a frame, unless it follows too soon or somebody holds what is there."""
        at = frame.note.captured_ns
        if self.holders or (self._frames and at - self._frames[-1].note.captured_ns < self._interval_ns):
            return
        self._frames.append(frame)
        self.used += frame.size
        while self._frames and at - self._frames[0].note.captured_ns > SECONDS * 1e9:
            self.used -= self._frames.popleft().size
        if self.used > self._limit:
            self._thin()

    def hold(self, holder: int, shown: KeptFrame | None) -> None:
        """Hold what is there for ``holder``; ``shown``: the frame on its screen, which is there in any case."""
        if shown is not None and all(each.note.seq != shown.note.seq for each in self._frames):
            self._frames.append(shown)
            self.used += shown.size
        self.holders.add(holder)

    def release(self, holder: int) -> None:
        """Let go what ``holder`` held; no harm if it did not."""
        self.holders.discard(holder)

    def seqs(self) -> list[int]:
        """Numbers of the frames that are there, the oldest first."""
        return [each.note.seq for each in self._frames]

    def frame(self, seq: int) -> KeptFrame | None:
        """Frame with this number; None: it is not there."""
        return next((each for each in self._frames if each.note.seq == seq), None)

    def wipe(self) -> None:
        """Forget all: another exam has begun."""
        self._frames.clear()
        self.used = 0
        self.holders.clear()
        self._interval_ns = SHORTEST_NS

    def _thin(self) -> None:
        self._interval_ns *= 2
        self._frames = deque(list(self._frames)[::-2][::-1])
        self.used = sum(each.size for each in self._frames)
        while self.used > self._limit and self._frames:  # a single picture over the limit
            self.used -= self._frames.popleft().size
