"""Lesion descriptors of the BI-RADS ultrasound lexicon, as numbers from the grey picture.

They are what a radiologist names in a lesion.

The features are those of the ACR BI-RADS ultrasound lexicon (orientation, margin, echo pattern, posterior features);
the numbers are simple ones of our own. They depend on the outline that the model drew, and on gain and
compression where stated. One that cannot be computed is absent.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.contracts import precision

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.contracts.region import Box
    from edge.contracts.results import Lesion

PATCH = 128
"""Longest side of what is looked at, in pixels: a larger surrounding is thinned out; a 4K picture costs no more."""
MARGIN_POINTS = 48
MARGIN_OFFSETS = np.linspace(-1.0, 1.0, 9)
ALONG = np.arange(-1.0, MARGIN_POINTS + 1)
"""Numbers of the points along the outline, with one more at each end for the tangents."""
VECTOR = 16
"""Columns that OpenCV works on at once."""
MIN_STEP = 6.0
"""Least difference in grey between the two sides of a margin for its sharpness to mean something."""
MIN_PIXELS = 12
"""Least number of pixels that a mean is taken of."""
MIN_GREY = 2.0
"""Means under this are background; nothing is divided by them."""


def describe(
    lesion: Lesion,
    pixels: NDArray[np.uint8],
    scan: Box,
    aspect: float = 1.0,
    scan_grey: NDArray[np.uint8] | None = None,
) -> dict[str, float]:
    """Compute all descriptors of one lesion that can be computed, rounded to three decimals.

    ``taller_than_wide``: height over width of the box; over 1 is the "not parallel" orientation, where depth runs
    down the picture (linear probes; an approximation in sectors).
    ``margin_sharpness``, ``echogenicity``, ``posterior``: see the functions of these names.

    Args:
        lesion: in pixels of ``pixels``.
        pixels: (H, W) grey or (H, W, 3) RGB, uint8, the source picture.
        scan: (x, y, w, h) of the scanned part: what is outside is no tissue and is not averaged.
        aspect: height of a pixel over its width, in mm; 1 where there is no calibration.
        scan_grey: (h, w) uint8, the grey of ``scan``, where it has been made already.
    """
    x, y, w, h = lesion.box
    found: dict[str, float | None] = {"taller_than_wide": h * aspect / w}
    room = _surroundings(lesion.box, scan)
    if room is not None:
        px, py, pw, ph = room
        step = max(1, -(-max(pw, ph) // PATCH))
        if scan_grey is None:
            grey = _thinned(pixels, room, step)
        else:
            grey = _thinned(scan_grey, (px - scan[0], py - scan[1], pw, ph), step)
        points = np.fromiter(chain.from_iterable(lesion.outline), np.float64, 2 * len(lesion.outline)).reshape(-1, 2)
        outline = (points - (px, py)) / step
        box = (round((x - px) / step), round((y - py) / step), max(1, round(w / step)), max(1, round(h / step)))
        bounds = ((x - px) / step, (y - py) / step, (x + w - px) / step, (y + h - py) / step)
        found["margin_sharpness"] = margin_sharpness(grey, outline, bounds)
        found["echogenicity"] = echogenicity(grey, outline)
        found["posterior"] = posterior(grey, box)
    return {name: precision.descriptor(value) for name, value in found.items() if value is not None}


def echogenicity(grey: NDArray[np.uint8], outline: NDArray[np.float64]) -> float | None:
    """Mean grey inside over mean grey of the ring around; under 1 is hypoechoic. Depends on compression.

    The ring starts a tenth of the lesion's radius outside the outline (which is never exact) and is as wide as a
    third of the radius.

    Args:
        grey: (H, W) uint8.
        outline: (n, 2) float in its pixels.
    """
    corners = np.rint(outline - 0.5).astype(np.int32)
    inside = np.zeros(grey.shape, np.uint8)
    cv2.fillPoly(inside, [corners], 1)
    radius = max(1.0, math.sqrt(cv2.countNonZero(inside) / math.pi))
    reach = max(2, round(radius * 0.45))
    x, y, w, h = cv2.boundingRect(corners)
    left, width = max(0, x - reach), w + 2 * reach
    # The ring ends here; dilating more of nothing takes its time too, and so do single columns behind full vectors.
    window = (slice(max(0, y - reach), max(0, y + h + reach)), slice(left, left + width + -width % VECTOR))
    grey, inside = grey[window], inside[window]
    near = cv2.dilate(inside, _disc(round(radius * 0.1)))
    far = cv2.dilate(inside, _disc(reach))
    within, around = _mean(grey, inside), _mean(grey, far - near)
    return within / around if within is not None and around is not None and around >= MIN_GREY else None


def posterior(grey: NDArray[np.uint8], box: Box) -> float | None:
    """Mean grey below the lesion over that beside it at the same depth; over 1 enhancement, under 1 shadow.

    Below: the middle half of the lesion's width, from its lower edge to half its height further down. Beside: the
    same rows, a lesion's width to the left and to the right, where the picture reaches so far. Same depth, so that
    attenuation and time gain compensation, which act on both alike, cancel.

    Args:
        grey: (H, W) uint8.
        box: (x, y, w, h) of the lesion in its pixels.
    """
    x, y, w, h = box
    rows = slice(y + h, min(grey.shape[0], y + h + max(2, h // 2)))
    if rows.stop - rows.start < h / 8:
        return None
    gap = max(1, w // 8)
    below = grey[rows, max(0, x + w // 4) : x + w - w // 4]
    left = grey[rows, max(0, x - gap - w) : max(0, x - gap)]
    right = grey[rows, x + w + gap : x + 2 * w + gap]
    if below.size < MIN_PIXELS or left.size + right.size < MIN_PIXELS:
        return None
    beside = (_total(left) + _total(right)) / (left.size + right.size)
    return _total(below) / below.size / beside if beside >= MIN_GREY else None


def margin_sharpness(
    grey: NDArray[np.uint8], outline: NDArray[np.float64], bounds: tuple[float, float, float, float]
) -> float | None:
    """Share of the change of grey across the margin that happens close to it: 1 sharp, about 0.25 a plain ramp.

    Grey along the normals, averaged over the whole outline (which averages speckle away), from a quarter of the
    lesion's radius inside to as much outside; the share of that change within the middle quarter. A ratio, so
    that gain does not matter. None where the sides differ too little. An outline that misses the margin lowers it.

    Args:
        grey: (H, W) uint8.
        outline: (n, 2) float in its pixels.
        bounds: (left, top, right, bottom) that the outline keeps within.
    """
    points, normals, length = _walk(outline)
    reach = max(2.0, 0.25 * length / (2 * math.pi))
    places = points[:, :, None] + normals[:, :, None] * (MARGIN_OFFSETS * reach) - 0.5
    height, width = grey.shape
    room = reach + 1  # more than half a pixel, whatever is rounded
    if not (room < min(bounds) and bounds[2] + room < width and bounds[3] + room < height):
        ends = places[:, :, :: len(MARGIN_OFFSETS) - 1]  # all that is between lies between them
        inside = (ends >= 0) & (ends <= np.array(((width - 1,), (height - 1,)))[:, :, None])
        places = places[:, inside.all(axis=(0, 2))]
    if places.shape[1] < MARGIN_POINTS // 2:
        return None  # mostly at the edge of the scan: its margin is not seen
    maps = places.astype(np.float32)
    values = cv2.remap(grey, maps[0], maps[1], cv2.INTER_LINEAR)
    profile: list[float] = (np.add.reduce(values, axis=0, dtype=np.float64) / len(values)).tolist()
    whole = (profile[-2] + profile[-1]) / 2 - (profile[0] + profile[1]) / 2
    if abs(whole) < MIN_STEP:
        return None
    middle = len(profile) // 2
    return min(max((profile[middle + 1] - profile[middle - 1]) / whole, 0.0), 1.0)


def _surroundings(box: Box, scan: Box) -> Box | None:
    """The box, its own size more to each side, within the scan; None if nothing of it is."""
    x, y, w, h = box
    left, top = max(scan[0], x - w), max(scan[1], y - h)
    right, bottom = min(scan[0] + scan[2], x + 2 * w), min(scan[1] + scan[3], y + 2 * h)
    return (left, top, right - left, bottom - top) if right > left and bottom > top else None


def _thinned(pixels: NDArray[np.uint8], room: Box, step: int) -> NDArray[np.uint8]:
    """Every ``step``-th row and column of a part of the picture in grey; arguments as for `describe`."""
    x, y, w, h = room
    rows = pixels[y : y + h : step, x : x + w]
    grey = rows if rows.ndim == 2 else cv2.cvtColor(rows, cv2.COLOR_RGB2GRAY)  # quicker than picking out colours
    return np.ascontiguousarray(grey[:, ::step])


def _walk(outline: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """`MARGIN_POINTS` evenly along the outline, their outward normals (both (2, n)), and the outline's length."""
    closed = np.concatenate((outline, outline[:1])).T.copy()
    legs = closed[:, 1:] - closed[:, :-1]
    far = np.zeros(len(outline) + 1)
    np.hypot(legs[0], legs[1]).cumsum(out=far[1:])
    length = max(float(far[-1]), 1e-6)  # an outline can shrink to a point when it is rounded
    at = ALONG * (length / MARGIN_POINTS) % length
    places = np.empty((2, len(at)))
    places[0], places[1] = np.interp(at, far, closed[0]), np.interp(at, far, closed[1])
    tangents = places[:, 2:] - places[:, :-2]
    steep = np.maximum(np.hypot(tangents[0], tangents[1]), 1e-9)
    normals = tangents[::-1] / steep
    turned = 0 if cv2.contourArea(outline.astype(np.float32), oriented=True) < 0 else 1
    np.negative(normals[turned], out=normals[turned])
    return places[:, 1:-1], normals, length


@cache
def _disc(radius: int) -> NDArray[np.uint8]:
    """A round structuring element."""
    disc: NDArray[np.uint8] = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return disc


def _mean(grey: NDArray[np.uint8], mask: NDArray[np.uint8]) -> float | None:
    """Mean grey where ``mask`` is not 0; None if that is hardly anywhere."""
    return float(cv2.mean(grey, mask=mask)[0]) if cv2.countNonZero(mask) >= MIN_PIXELS else None


def _total(grey: NDArray[np.uint8]) -> float:
    """Sum of all grey values."""
    return float(cv2.sumElems(grey)[0]) if grey.size else 0.0
