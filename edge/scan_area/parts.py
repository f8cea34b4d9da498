"""Parts of a speckle map that are large and broad enough for a scan; several views are several parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

THINNEST = 0.045
"""Parts thinner than this share of the picture's shorter side are taken off: text, bars, and what joins them to it."""
SMALLEST = 0.04
"""Smallest part that is a scan, as a share of the picture's area."""
SECOND = 0.4
"""Smallest further view, as a share of the largest part's area."""
MOST_VIEWS = 4
TIP_ASIDE, TIP_GAP, TIP_AREA = 0.2, 0.25, 0.005
"""How far a fan's tip may lie aside and above the rest, and its least area, as shares of the rest's."""
TEXT_AREA, TEXT_MARKS, TEXT_SHARE = 0.01, 90, 0.04
"""Least share of the scan's area, marks, and share of marks of a field with text. A cyst has calipers at most; a colour
bar that stands in the scan has 60 marks, ten letters have 100."""


def scan_parts(speckle: NDArray[np.uint8], smallest: float = SMALLEST) -> list[NDArray[np.uint8]]:
    """Masks of the scans in a speckle map, (h, w) uint8 1 or 0, largest first, their holes filled.

    ``smallest``: least area of a scan, as a share of the picture's.
    """
    height, width = speckle.shape
    filled = _filled(speckle)
    thin = max(3, round(min(height, width) * THINNEST)) | 1
    # Beyond the picture's edge the scan goes on: opening must not round the corners of one that fills it.
    framed = cv2.copyMakeBorder(filled, thin, thin, thin, thin, cv2.BORDER_REPLICATE)
    broad = cv2.morphologyEx(framed, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (thin, thin)))
    broad = np.ascontiguousarray(broad[thin:-thin, thin:-thin])
    count, labels, stats, _ = cv2.connectedComponentsWithStats(broad, connectivity=4)
    areas = sorted(((int(stats[label, cv2.CC_STAT_AREA]), label) for label in range(1, count)), reverse=True)
    least = max(smallest * height * width, SECOND * areas[0][0]) if areas else 0
    views = [label for area, label in areas[:MOST_VIEWS] if area >= least]
    near = np.ones((thin, thin), np.uint8)
    parts = []
    for view in views:
        part = (labels == view).astype(np.uint8)
        others = ((labels != view) & (labels != 0)).astype(np.uint8)
        # What opening took off the part's own corners comes back, as far as it hangs together with it.
        whole = _largest(cv2.dilate(part, near) & filled & (1 - others))
        for _, label in areas:
            if label not in views and _is_tip(stats[label], stats[view]):
                whole |= (labels == label).astype(np.uint8)
        parts.append(whole)
    return parts


def covers_text(inside: NDArray[np.uint8], speckle: NDArray[np.uint8], marks: NDArray[np.uint8]) -> bool:
    """Whether a field with text lies inside of an outline: a dialogue that was opened over the scan.

    Arguments: (h, w) uint8, 1 or 0: the outline, filled; the two maps as `edge.scan_area.texture.speckle_map` gives.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(inside & (1 - speckle), connectivity=8)
    least = TEXT_AREA * int(inside.sum())
    for label in range(1, count):
        area = int(stats[label, cv2.CC_STAT_AREA])
        if area >= least and int(marks[labels == label].sum()) >= max(TEXT_MARKS, TEXT_SHARE * area):
            return True
    return False


def _is_tip(small: NDArray[np.int32], scan: NDArray[np.int32]) -> bool:
    """Whether a small part is the tip of a fan that a dark gap parts from the rest; both as OpenCV's statistics."""
    x, y, width, height, area = small.tolist()
    scan_x, scan_y, scan_width, scan_height, scan_area = scan.tolist()
    centred = abs(x + width / 2 - scan_x - scan_width / 2) < TIP_ASIDE * scan_width
    above = -height < scan_y - (y + height) < TIP_GAP * scan_height
    return bool(centred and above and width < scan_width / 2 and area > TIP_AREA * scan_area)


def _filled(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The mask with all holes filled: cysts and shadows that the scan surrounds."""
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(np.zeros_like(mask), outlines, -1, 1, cv2.FILLED), np.uint8)


def _largest(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The largest connected part of a mask that is not empty."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    largest: NDArray[np.uint8] = (labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())).astype(np.uint8)
    return largest
