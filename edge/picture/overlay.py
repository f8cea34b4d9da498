"""Overlay: draws lesions on a picture, and the result in words below it; colours of the overlay stand here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.contracts.results import Status
from edge.picture.area_outlines import area_colours, draw_areas
from edge.picture.score_bars import bars_height, draw_score_bars
from edge.picture.wording import NO_GATE, RESEARCH_ONLY, areas_of, gate_of, scores_of, sentence, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge.contracts.region import Box
    from edge.contracts.results import Lesion
    from edge.picture.wording import JudgedFrame

FONT = cv2.FONT_HERSHEY_SIMPLEX
CAP_HEIGHT = 21.0
"""Pixels that the font's capitals have at scale 1."""
MIN_WIDTH = 200
"""Narrower pictures get black beside them, so that the words below can be read."""
SHIFT = 4
"""Binary digits behind the point in OpenCV's drawing coordinates."""
BLACK, WHITE, AMBER, GREY = (0, 0, 0), (255, 255, 255), (255, 190, 40), (150, 156, 166)
"""RGB, as all colours here. An amber box stands for a suspicious finding, a white one for any other; four corners for
a certain call, a broken line all around for an uncertain one."""
BACKGROUND = (24, 27, 33)
"""Of the strip below the picture."""
STATUS_COLOUR = {
    Status.FINDING: AMBER,
    Status.CLEAR: (90, 160, 220),  # blue: green would say "healthy"
    Status.ABSTAINED: GREY,
    Status.NO_RESULT: (225, 70, 70),
}
"""Colour of the bar at the left of the strip, by the frame's status."""


def draw_overlay(pixels: NDArray[np.uint8], judged: JudgedFrame) -> NDArray[np.uint8]:
    """Draw the overlay: a copy of the picture with outlines and boxes, and a strip of words below it.

    Nothing is written on the picture itself but a thin double line (white on black, seen on any grey) along each
    outline, the corners of its box (all of the box, as a broken line, where the call is uncertain), and, where there
    are several lesions, their numbers outside the boxes. Areas of a segmentation network are tinted and outlined in the
    colours of their score bars.

    Args:
        pixels: (H, W) grey or (H, W, 3) RGB, uint8. Not changed.
        judged: a result, or a finding that came over a broker; in pixels of this picture.

    Returns:
        (H + strip, max(W, MIN_WIDTH), 3) RGB uint8, with the picture's first pixel in the first place.
    """
    height, width = pixels.shape[:2]
    picture = np.zeros((height, max(width, MIN_WIDTH), 3), np.uint8)
    picture[:, :width] = pixels[:, :, None] if pixels.ndim == 2 else pixels
    line = max(1, round(min(height, width) / 300))
    if areas_of(judged):
        draw_areas(picture[:, :width], areas_of(judged), line)
    for lesion in judged.lesions:
        _outline(picture, lesion, line)
        frame = _broken_frame if judged.call_uncertain else _corners
        frame(picture, lesion.box, line, AMBER if judged.suspicious else WHITE)
    if len(judged.lesions) > 1:
        _numbers(picture[:, :width], judged.lesions)
    parts = [picture, _strip(judged, picture.shape[1])]
    if scores_of(judged):
        colours = area_colours(areas_of(judged))
        parts.insert(1, draw_score_bars(scores_of(judged), getattr(judged, "given", ()), picture.shape[1], colours))
    return np.concatenate(parts)


def draw_slate(size: tuple[int, int], words: str) -> NDArray[np.uint8]:
    """Draw a slate that stands for a frame without a picture: dark, crossed out, with the reason in the strip below.

    Args:
        size: (height, width) of the pictures beside it.
        words: why there is no picture.

    Returns:
        (H + strip, max(W, MIN_WIDTH), 3) RGB uint8, as `draw_overlay`.
    """
    height, width = size
    picture = np.zeros((height, max(width, MIN_WIDTH), 3), np.uint8)
    colour = STATUS_COLOUR[Status.NO_RESULT]
    thickness = max(2, round(min(height, width) / 100))
    for start, end in (((0, 0), (width - 1, height - 1)), ((0, height - 1), (width - 1, 0))):
        cv2.line(picture, start, end, colour, thickness, cv2.LINE_AA)
    parts = [f"no result: {words.encode('ascii', 'replace').decode()}"]
    return np.concatenate((picture, _strip_of(parts, [], Status.NO_RESULT, picture.shape[1])))


def overlay_height(pixels: NDArray[np.uint8], lines: int, bars: int = 0) -> tuple[int, int]:
    """Height and width of an overlay of ``pixels``, (H, W[, 3]), with so many lines of words and score bars."""
    height, width = pixels.shape[0], max(pixels.shape[1], MIN_WIDTH)
    height += bars_height(bars, width)
    return height + round(_text_scale(width) * CAP_HEIGHT * 1.9) * lines + max(4, width // 100) * 2, width


def _text_scale(width: int) -> float:
    """Font scale for a picture of this width: capitals of 8.5 to 40 pixels."""
    return min(40.0, max(8.5, width / 55)) / CAP_HEIGHT


def _weight(scale: float) -> int:
    """Thickness of the font's strokes in pixels."""
    return 1 if scale < 0.8 else 2


def _fixed(points: NDArray[np.float64]) -> NDArray[np.int32]:
    """Continuous coordinates as OpenCV draws them: pixel centres are whole numbers, with SHIFT binary digits."""
    return np.round((points - 0.5) * (1 << SHIFT)).astype(np.int32)


def _outline(picture: NDArray[np.uint8], lesion: Lesion, line: int) -> None:
    points = [_fixed(np.array(lesion.outline, np.float64))[:, None, :]]
    cv2.polylines(picture, points, True, BLACK, line + 2, cv2.LINE_AA, SHIFT)
    cv2.polylines(picture, points, True, WHITE, line, cv2.LINE_AA, SHIFT)


def _corners(picture: NDArray[np.uint8], box: Box, line: int, colour: tuple[int, int, int]) -> None:
    """Four angles a little outside the box, so that they touch no lesion."""
    left, top, right, bottom = _around(box, line)
    arm = max(4, min(right - left, bottom - top) // 5)
    for thickness, shade in ((line + 2, BLACK), (line, colour)):
        for x, to_x in ((left, arm), (right, -arm)):
            for y, to_y in ((top, arm), (bottom, -arm)):
                cv2.line(picture, (x, y), (x + to_x, y), shade, thickness)
                cv2.line(picture, (x, y), (x, y + to_y), shade, thickness)


def _broken_frame(picture: NDArray[np.uint8], box: Box, line: int, colour: tuple[int, int, int]) -> None:
    """Dashes all around the box, a little outside; three on the shortest side, or it would look like four corners."""
    left, top, right, bottom = _around(box, line)
    for thickness, shade in ((line + 2, BLACK), (line, colour)):
        for start, end in _dashes(left, right, line):
            for y in (top, bottom):
                cv2.line(picture, (start, y), (end, y), shade, thickness)
        for start, end in _dashes(top, bottom, line):
            for x in (left, right):
                cv2.line(picture, (x, start), (x, end), shade, thickness)


def _dashes(start: int, end: int, line: int) -> list[tuple[int, int]]:
    """Ends of dashes from ``start`` to ``end``, one at either end, with gaps as long as they are."""
    pieces = max(5, (end - start) // (6 * line + 6)) | 1  # an odd number: dash, gap, dash, ...
    at = [start + round((end - start) * piece / pieces) for piece in range(pieces + 1)]
    return [(at[piece], at[piece + 1]) for piece in range(0, pieces, 2)]


def _around(box: Box, line: int) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a frame around a box, so far outside that it touches no lesion."""
    gap = 2 * line + 2
    return box[0] - gap, box[1] - gap, box[0] + box[2] + gap, box[1] + box[3] + gap


def _numbers(picture: NDArray[np.uint8], lesions: Sequence[Lesion]) -> None:
    """1, 2, … beside the boxes; left out where there is no place that no lesion takes."""
    height, width = picture.shape[:2]
    scale = _text_scale(width)
    weight = _weight(scale)
    taken = [lesion.box for lesion in lesions]
    for number, (x, y, w, h) in enumerate(taken, start=1):
        (tw, th), _ = cv2.getTextSize(str(number), FONT, scale, weight)
        pad = 6 + th // 2
        for tx, ty in ((x - tw - pad, y), (x + w + pad, y), (x, y - th - pad), (x, y + h + pad)):
            free = not any(_meet((tx - 2, ty - 2, tw + 4, th + 4), box) for box in taken)
            if free and tx >= 2 and ty >= 2 and tx + tw + 2 <= width and ty + th + 2 <= height:
                cv2.putText(picture, str(number), (tx, ty + th), FONT, scale, BLACK, weight + 2, cv2.LINE_AA)
                cv2.putText(picture, str(number), (tx, ty + th), FONT, scale, WHITE, weight, cv2.LINE_AA)
                break


def _meet(a: Box, b: Box) -> bool:
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


def _strip(judged: JudgedFrame, width: int) -> NDArray[np.uint8]:
    """Strip of words below a picture, see `_strip_of`."""
    lesions = judged.lesions if len(judged.lesions) > 1 else []
    each = [[f"{number}: lesion {lesion.score:.2f}", size(lesion)] for number, lesion in enumerate(lesions, start=1)]
    if gate_of(judged) == "none":
        each.append([NO_GATE])
    return _strip_of(sentence(judged), each, judged.status, width)


def _strip_of(parts: Sequence[str], more: Sequence[Sequence[str]], status: Status, width: int) -> NDArray[np.uint8]:
    """(h, width, 3) RGB: a coloured bar for the status, the words, and what this is not.

    ``parts`` are joined while there is room; each of ``more`` begins a line.
    """
    scale = _text_scale(width)
    thickness = _weight(scale)
    line_height = round(scale * CAP_HEIGHT * 1.9)
    bar = max(4, width // 100)
    left, room = 2 * bar + 4, width - 3 * bar - 8
    lines = [(line, WHITE, scale) for each in (parts, *more) for line in _wrap(each, room, scale, thickness)]
    small = max(0.36, scale * 0.7)
    lines.append((RESEARCH_ONLY, GREY, small))
    strip = np.full((line_height * len(lines) + bar * 2, width, 3), BACKGROUND, np.uint8)
    strip[:, :bar] = STATUS_COLOUR[status]
    for row, (text, colour, its_scale) in enumerate(lines, start=1):
        at = left
        if text is RESEARCH_ONLY:  # in the corner
            at = width - 2 * bar - cv2.getTextSize(text, FONT, its_scale, 1)[0][0]
        baseline = bar + row * line_height - line_height // 3
        weight = 1 if text is RESEARCH_ONLY else thickness
        cv2.putText(strip, text, (at, baseline), FONT, its_scale, colour, weight, cv2.LINE_AA)
    return strip


def _wrap(parts: Sequence[str], room: int, scale: float, thickness: int) -> list[str]:
    """Lines no wider than ``room`` pixels: parts joined by bars while they fit, broken at blanks where one does not."""
    lines: list[str] = []
    for number, part in enumerate(parts):
        for place, word in enumerate(part.split(" ")):
            joint = " | " if place == 0 and number > 0 else " "
            # A part that would fit on a line of its own is not torn: it begins one.
            ahead = part if place == 0 and _width(part, scale, thickness) <= room else word
            if lines and _width(lines[-1] + joint + ahead, scale, thickness) <= room:
                lines[-1] += joint + word
            else:
                lines.append(word)
    return lines


def _width(text: str, scale: float, thickness: int) -> int:
    return int(cv2.getTextSize(text, FONT, scale, thickness)[0][0])
