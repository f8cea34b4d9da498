"""Score bars: the scores of a model's labels below its picture, a bar a label, the highest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.picture.wording import in_ascii

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from edge.contracts.labels import LabelScore

FONT = cv2.FONT_HERSHEY_SIMPLEX
MOST_BARS = 5
"""More would take the picture's place; the rest stands in the answer."""
BACKGROUND, TRACK, BAR, GIVEN, WORDS = (24, 27, 33), (52, 57, 66), (110, 118, 130), (90, 160, 220), (235, 235, 235)
"""RGB. The bar of a label that was given is blue: green would say "healthy", and red "ill"."""


def draw_score_bars(
    scores: Sequence[LabelScore],
    given: Sequence[str],
    width: int,
    colours: Mapping[str, tuple[int, int, int]] | None = None,
) -> NDArray[np.uint8]:
    """Draw a strip with a bar for each of the highest scores, at most `MOST_BARS`.

    Args:
        scores: of one frame, the highest first.
        given: labels that the frame has.
        width: of the strip, in pixels.
        colours: of the bars of given labels, in place of `GIVEN`: what stands for them on the picture.

    Returns:
        (h, width, 3) RGB uint8.
    """
    height = _bar_height(width)
    scale = height / 34
    shown = scores[:MOST_BARS]
    strip = np.full((bars_height(len(shown), width), width, 3), BACKGROUND, np.uint8)
    left, right = round(width * 0.45), width - round(width * 0.14)
    for row, label in enumerate(shown):
        top, bottom = row * height + 5, (row + 1) * height - 1
        cv2.rectangle(strip, (left, top), (right, bottom), TRACK, -1)
        end = left + round((right - left) * label.score)
        colour = (colours or {}).get(label.name, GIVEN) if label.name in given else BAR
        if end > left:
            cv2.rectangle(strip, (left, top), (end, bottom), colour, -1)
        name = fitted(in_ascii(label.name), left - 12, scale)
        cv2.putText(strip, name, (6, bottom - height // 6), FONT, scale, WORDS, 1, cv2.LINE_AA)
        cv2.putText(strip, f"{label.score:.2f}", (right + 6, bottom - height // 6), FONT, scale, WORDS, 1, cv2.LINE_AA)
    return strip


def bars_height(bars: int, width: int) -> int:
    """Height of a strip with so many bars, in pixels; 0 without any."""
    return _bar_height(width) * bars + 4 if bars else 0


def _bar_height(width: int) -> int:
    return max(14, min(40, width // 28))


def fitted(text: str, room: int, scale: float) -> str:
    """Text no wider than ``room`` pixels; three dots stand for what was cut."""
    if cv2.getTextSize(text, FONT, scale, 1)[0][0] <= room:
        return text
    while text and cv2.getTextSize(f"{text}...", FONT, scale, 1)[0][0] > room:
        text = text[:-1]
    return f"{text}..."
