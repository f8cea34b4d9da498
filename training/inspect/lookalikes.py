"""Look-alike search: pairs of pictures that show the same scan, also cropped, zoomed, brightened or annotated anew.

Corners with their surroundings (ORB features: Rublee et al., ICCV 2011) are looked up in an index over all pictures;
pairs that share enough of them are aligned (a similarity transform by RANSAC) and then compared pixel by pixel. The
last step is what keeps two patients apart that share no more than a scanner's letters.
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
"""Longer side in pixels that pictures are resized to."""
CORNERS = 300
NEAREST = 4
DISTANCE = 48
"""Bits of 256 in which two corners may differ."""
SHARED = 8
"""Corners that two pictures must share before they are aligned."""
INLIERS = 10
ALIKE = 0.80
"""Correlation of the pixels that both show, from which on they are look-alikes."""
OVERLAP = 0.15
"""Share of the smaller picture that both must show."""


@dataclass(frozen=True, eq=False)
class OrbFeatures:
    """ORB features of a picture: the picture, small, and its corners with their descriptors."""

    grey: Grey
    """(h, w) uint8, the longer side `SIDE`."""
    points: NDArray[np.float32]
    """(n, 2) x and y."""
    codes: NDArray[np.uint8]
    """(n, 32) binary descriptors of 256 bits."""


@dataclass(frozen=True)
class LookalikePair:
    """Pair of look-alikes: two pictures, by number, that show the same scan."""

    first: int
    second: int
    correlation: float
    zoom: float
    """Scale of the second against the first."""


def orb_features(grey: Grey) -> OrbFeatures:
    """Find the corners of a picture (H, W) uint8 grey, its histogram equalised first: gain settings differ."""
    scale = SIDE / max(grey.shape)
    small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    found, codes = cv2.ORB.create(CORNERS, fastThreshold=5).detectAndCompute(cv2.equalizeHist(small), None)
    if codes is None:
        return OrbFeatures(small, np.empty((0, 2), np.float32), np.empty((0, 32), np.uint8))
    return OrbFeatures(small, np.array([p.pt for p in found], np.float32), codes)


def find_lookalikes(features: Sequence[OrbFeatures]) -> Iterator[LookalikePair]:
    """Find all pairs of look-alikes, each once."""
    owners = np.repeat(np.arange(len(features)), [len(s.codes) for s in features])
    if not len(owners):
        return
    index = cv2.FlannBasedMatcher({"algorithm": 6, "table_number": 8, "key_size": 16, "multi_probe_level": 1}, {})
    index.add([np.concatenate([s.codes for s in features])])
    index.train()
    for number, each in enumerate(tqdm(features, desc="compare pictures", mininterval=2)):
        if not len(each.codes):
            continue
        votes: Counter[int] = Counter()
        for near in index.knnMatch(each.codes, k=NEAREST + 1):
            votes.update({int(owners[m.trainIdx]) for m in near if m.distance <= DISTANCE} - {number})
        for other, count in votes.items():
            # A pair may be found from either side; it is looked at from the lower number, or where only one found it.
            if count >= SHARED and (pair := compare(features, min(number, other), max(number, other))):
                yield pair


def compare(features: Sequence[OrbFeatures], first: int, second: int) -> LookalikePair | None:
    """Align the second picture with the first and compare their pixels; None unless they are look-alikes."""
    one, other = features[first], features[second]
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
    return LookalikePair(first, second, correlation, 1 / zoom) if correlation >= ALIKE else None


def _correlation(a: Grey, b: Grey) -> float:
    x, y = a.astype(np.float64), b.astype(np.float64)
    x, y = x - x.mean(), y - y.mean()
    total = float(np.sqrt((x * x).sum() * (y * y).sum()))
    return float((x * y).sum()) / total if total else 0.0


def connected_components(pairs: Sequence[tuple[int, int]], count: int) -> list[int]:
    """Connected components of pairs: for each of ``count`` pictures the lowest number that pairs connect it to."""
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
