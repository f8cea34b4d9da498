"""Matching of lesions between frames (data association): which is which of the frames before, by overlap of boxes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.contracts.region import Box
    from edge.contracts.results import Lesion

WITHIN = 0.5
"""A box is a part of another one's lesion if so much of the smaller lies within the larger: a mask that falls to
pieces, or is cut by the plane, is one lesion."""


REACH_NS = 500_000_000
"""Where a lesion was seen for once to twice so long counts as its reach."""


@dataclass(slots=True)
class Reach:
    """Box around all places where a lesion was seen in the last second or so: its pieces turn up there."""

    box: Box
    _since_ns: int
    _before: Box | None = None
    _newer: Box | None = None

    def add(self, box: Box, now_ns: int) -> None:
        """Add the place where the lesion is now; forget the oldest."""
        if now_ns - self._since_ns >= REACH_NS:
            self._before, self._newer, self._since_ns = self._newer, None, now_ns
        self._newer = around(box, self._newer)
        self.box = around(self._newer, self._before)


def match(
    known: Sequence[Lesion], reach: Sequence[Box], found: Sequence[Lesion], match_iou: float
) -> tuple[dict[int, Lesion], list[Lesion]]:
    """Match the lesions of a frame with those known, best overlap first, earlier ones before later ones.

    Args:
        known: lesions as they were last seen.
        reach: of each of them, the place where pieces of it turn up.
        found: lesions of this frame.
        match_iou: boxes that overlap at least so much are the same lesion.

    Returns:
        For known lesions, by number, the one that it is now; and found ones that are none of them, nor a part of one.
    """
    scores = [
        (iou(one.box, other.box), within(one.box, other.box), -k, f)
        for k, one in enumerate(known)
        for f, other in enumerate(found)
    ]
    pairs: dict[int, Lesion] = {}
    taken: set[int] = set()
    for overlap, part, minus_k, f in sorted(scores, reverse=True):
        if (overlap >= match_iou or part >= WITHIN) and -minus_k not in pairs and f not in taken:
            pairs[-minus_k] = found[f]
            taken.add(f)
    unknown = [
        lesion
        for f, lesion in enumerate(found)
        if f not in taken and not any(_is_part(lesion.box, reach[k]) for k in pairs)
    ]
    return pairs, unknown


def _is_part(box: Box, reach: Box) -> bool:
    return _shared(box, reach) >= WITHIN * box[2] * box[3]


def around(box: Box, other: Box | None) -> Box:
    """Smallest box around two; the first alone where there is no other."""
    if other is None:
        return box
    left, top = min(box[0], other[0]), min(box[1], other[1])
    right, bottom = max(box[0] + box[2], other[0] + other[2]), max(box[1] + box[3], other[1] + other[3])
    return left, top, right - left, bottom - top


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes (x, y, w, h); 0 where both are empty."""
    shared = _shared(a, b)
    return shared / (a[2] * a[3] + b[2] * b[3] - shared) if shared else 0.0


def within(a: Box, b: Box) -> float:
    """Share of the smaller of two boxes that lies within the larger one, 0 to 1."""
    shared = _shared(a, b)
    return shared / min(a[2] * a[3], b[2] * b[3]) if shared else 0.0


def _shared(a: Box, b: Box) -> int:
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return width * height if width > 0 and height > 0 else 0
