"""Curve of false `new` a minute against the delay of a lesion, one line a share, as an SVG picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from training.cines.score import CineScore

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 640, 400, 60, 50, 30, 110
COLOURS = ("#1b6ca8", "#c8553d", "#3a7d44", "#7a4ea0", "#555555")
LOWEST = 0.05
"""No false `new` at all is drawn here: the axis is logarithmic."""


@dataclass(frozen=True)
class CurvePoint:
    """What one confirmation costs and saves."""

    seconds: float
    share: float
    false_a_minute: float
    delay_s: float
    """Median, of the lesions that are told of."""
    kept: float
    """Share of the lesions found by single frames."""

    @classmethod
    def of(cls, seconds: float, share: float, scores: Sequence[CineScore]) -> CurvePoint:
        """Point of the scores that a confirmation leads to."""
        free = [score for score in scores if not score.lesion]
        found = [score for score in scores if score.found]
        delays = [score.delay_s for score in found if score.delay_s is not None]
        minutes = sum(score.seconds for score in free) / 60
        return cls(
            seconds,
            share,
            sum(score.false_new for score in free) / minutes if minutes else math.nan,
            float(np.median(delays)) if delays else math.nan,
            sum(score.tracks > 0 for score in found) / len(found) if found else math.nan,
        )


def curve_svg(points: Sequence[CurvePoint], chosen: tuple[float, float]) -> str:
    """Draw the curve; ``chosen``: seconds and share of the point that stands in the configuration."""
    right = max(1.0, *(point.delay_s for point in points if math.isfinite(point.delay_s)))
    highest = max(1.0, *(point.false_a_minute for point in points if math.isfinite(point.false_a_minute)))

    def place(point: CurvePoint) -> tuple[float, float]:
        level = math.log(max(point.false_a_minute, LOWEST) / LOWEST) / math.log(highest / LOWEST)
        x = LEFT + point.delay_s / right * (WIDTH - LEFT - RIGHT)
        return round(x, 1), round(HEIGHT - BOTTOM - level * (HEIGHT - BOTTOM - TOP), 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" '
        'font-size="12"><rect width="100%" height="100%" fill="white"/>',
        _text(LEFT, 18, "false new a minute (log) against the median delay of a lesion in seconds"),
        _line(LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM, "black"),
        _line(LEFT, HEIGHT - BOTTOM, LEFT, TOP, "black"),
    ]
    for level in (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100):
        if level <= highest:
            y = place(CurvePoint(0, 0, level, 0.0, 1))[1]
            parts += [
                _line(LEFT, y, WIDTH - RIGHT, y, "#dddddd"),
                _text(8, y + 4, "0" if level == LOWEST else f"{level:g}"),
            ]
    for tenth in range(0, math.floor(right * 10) + 1, 2):
        x = place(CurvePoint(0, 0, LOWEST, tenth / 10, 1))[0]
        parts.append(_text(x - 8, HEIGHT - BOTTOM + 18, f"{tenth / 10:.1f}"))
    for number, share in enumerate(sorted({point.share for point in points})):
        colour = COLOURS[number % len(COLOURS)]
        line = [p for p in points if p.share == share and math.isfinite(p.delay_s) and math.isfinite(p.false_a_minute)]
        joined = " ".join(f"{x},{y}" for x, y in map(place, line))
        parts.append(f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        parts.append(_text(WIDTH - RIGHT + 10, TOP + 20 + 18 * number, f"share {share:g}", colour))
        for point in line:
            x, y = place(point)
            radius = 6 if (point.seconds, point.share) == chosen else 2.5
            parts.append(f'<circle cx="{x}" cy="{y}" r="{radius}" fill="{colour}"/>')
    parts.append(_text(WIDTH - RIGHT + 10, TOP + 120, "large: chosen"))
    return "".join([*parts, "</svg>\n"])


def _line(x0: float, y0: float, x1: float, y1: float, colour: str) -> str:
    return f'<line x1="{x0}" y1="{y0}" x2="{x1}" y2="{y1}" stroke="{colour}"/>'


def _text(x: float, y: float, text: str, colour: str = "black") -> str:
    return f'<text x="{x}" y="{y}" fill="{colour}">{text}</text>'


def curve_text(points: Sequence[CurvePoint]) -> str:
    """The curve as a table for people."""
    lines = ["seconds  share  false new a minute  delay  kept"]
    lines += [
        f"{point.seconds:7.1f}{point.share:7.2f}{point.false_a_minute:20.2f}{point.delay_s:6.2f} s{point.kept:6.1%}"
        for point in points
    ]
    return "\n".join(lines)
