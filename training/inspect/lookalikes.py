"""Pictures that show the same scan, also cut out, zoomed, mirrored in brightness or annotated anew.

Corners with their surroundings (ORB: Rublee et al., ICCV 2011) are looked up in an index over all pictures; pairs that
share enough of them are laid over each other (a similarity by RANSAC) and then compared pixel by pixel. The last step
is what keeps two patients apart that share no more than a scanner's letters.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from tqdm import tqdm

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Grey = NDArray[np.uint8]

SIDE = 256
"""Long side that pictures are brought to."""
CORNERS = 300
NEAREST = 4
DISTANCE = 48
"""Bits of 256 in which two corners may differ."""
SHARED = 8
"""Corners that two pictures must share before they are laid over each other."""
INLIERS = 10
ALIKE = 0.80
"""Correlation of the pixels that both show, from which they show the same."""
OVERLAP = 0.15
"""Share of the smaller picture that both must show."""


@dataclass(frozen=True, eq=False)
class Sketch:
    """What is kept of a picture: it, small, and its corners."""

    grey: Grey
    points: NDArray[np.float32]
    """(n, 2) x and y."""
    codes: NDArray[np.uint8]
    """(n, 32)."""


@dataclass(frozen=True)
class Pair:
    """Two pictures, by number, that show the same."""

    first: int
    second: int
    correlation: float
    zoom: float
    """Of the second against the first."""


def sketch(grey: Grey) -> Sketch:
    """Corners of (H, W) grey, its contrast evened out first: gain settings differ."""
    scale = SIDE / max(grey.shape)
    small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    found, codes = cv2.ORB_create(CORNERS, fastThreshold=5).detectAndCompute(cv2.equalizeHist(small), None)
    if codes is None:
        return Sketch(small, np.empty((0, 2), np.float32), np.empty((0, 32), np.uint8))
    return Sketch(small, np.array([p.pt for p in found], np.float32), codes)


def find_pairs(sketches: Sequence[Sketch]) -> Iterator[Pair]:
    """All pairs that show the same, each once."""
    owners = np.repeat(np.arange(len(sketches)), [len(s.codes) for s in sketches])
    if not len(owners):
        return
    index = cv2.FlannBasedMatcher({"algorithm": 6, "table_number": 8, "key_size": 16, "multi_probe_level": 1}, {})
    index.add([np.concatenate([s.codes for s in sketches])])
    index.train()
    for number, each in enumerate(tqdm(sketches, desc="compare pictures", mininterval=2)):
        if not len(each.codes):
            continue
        votes: Counter[int] = Counter()
        for near in index.knnMatch(each.codes, k=NEAREST + 1):
            votes.update({int(owners[m.trainIdx]) for m in near if m.distance <= DISTANCE} - {number})
        for other, count in votes.items():
            # A pair may be found from either side; it is looked at from the lower number, or where only one found it.
            if count >= SHARED and (pair := compare(sketches, min(number, other), max(number, other))):
                yield pair


def compare(sketches: Sequence[Sketch], first: int, second: int) -> Pair | None:
    """Lay the second over the first; None unless they show the same."""
    one, other = sketches[first], sketches[second]
    matches = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(other.codes, one.codes)
    matches = [m for m in matches if m.distance <= DISTANCE]
    if len(matches) < SHARED:
        return None
    source = np.array([other.points[m.queryIdx] for m in matches])
    target = np.array([one.points[m.trainIdx] for m in matches])
    matrix, inliers = cv2.estimateAffinePartial2D(source, target, method=cv2.RANSAC, ransacReprojThreshold=3.0)
    if matrix is None or int(inliers.sum()) < INLIERS:
        return None
    zoom = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if not 0.2 < zoom < 5:
        return None
    height, width = one.grey.shape
    laid = cv2.warpAffine(other.grey, matrix, (width, height))
    there = cv2.warpAffine(np.ones_like(other.grey), matrix, (width, height)) > 0
    smaller = min(one.grey.size, other.grey.size * zoom * zoom)
    if there.sum() < OVERLAP * smaller:
        return None
    correlation = _correlation(one.grey[there], laid[there])
    return Pair(first, second, correlation, 1 / zoom) if correlation >= ALIKE else None


def _correlation(a: Grey, b: Grey) -> float:
    x, y = a.astype(np.float64), b.astype(np.float64)
    x, y = x - x.mean(), y - y.mean()
    total = float(np.sqrt((x * x).sum() * (y * y).sum()))
    return float((x * y).sum()) / total if total else 0.0


def joined(pairs: Sequence[tuple[int, int]], count: int) -> list[int]:
    """For each of ``count`` pictures the lowest number that pairs connect it to."""
    lowest = list(range(count))

    def root(i: int) -> int:
        while lowest[i] != i:
            lowest[i] = lowest[lowest[i]]
            i = lowest[i]
        return i

    for a, b in pairs:
        low, high = sorted((root(a), root(b)))
        lowest[high] = low
    return [root(i) for i in range(count)]
