"""SVG chart of docs/peers.md: frames a second on the left, latency at the pace on the right. Plain shapes.

It follows the reader's light or dark theme, and has a ground of its own, so that it is legible where the theme is not
told.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from peers_figures import BARE, OURS, rows

if TYPE_CHECKING:
    from peers_figures import Row

WIDTH, LINE, TOP, BOTTOM = 860, 34, 74, 46
LEFT, BARS, GAP, DOTS, RIGHT = 200, 290, 70, 260, 40
"""Columns, in pixels: labels, bars, what is between, latencies, margin."""
LABELS = {
    "bare": "bare invoke",
    "daemon": "sonoedge, daemon",
    "in-process": "sonoedge, one process",
    "mediapipe": "MediaPipe Tasks",
    "openvino": "OpenVINO",
    "onnx": "ONNX Runtime",
    "tflite-runtime": "tflite-runtime",
    "frigate-style": "Frigate-style loop",
}
STYLE = """
  .ground { fill: #ffffff; stroke: #d5dae0 } text { fill: #24292f; font: 13px system-ui, sans-serif }
  text.small { font-size: 11px }
  .soft { fill: #57606a } .grid { stroke: #d5dae0 } .whisker { stroke: #24292f; stroke-width: 1.5 }
  .ours { fill: #0a66c2 } .limit { fill: #9aa4af } .peer { fill: #c9813a }
  .span { stroke-width: 3 }
  .span.ours { stroke: #0a66c2 } .span.limit { stroke: #9aa4af } .span.peer { stroke: #c9813a }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #161b22; stroke: #373e47 } text { fill: #e6edf3 } .soft { fill: #9da7b3 }
    .grid { stroke: #373e47 } .whisker { stroke: #e6edf3 }
    .ours { fill: #4c9df0 } .limit { fill: #7d8894 } .peer { fill: #d9954f }
    .span.ours { stroke: #4c9df0 } .span.limit { stroke: #7d8894 } .span.peer { stroke: #d9954f }
  }"""


def chart(peers: dict[str, Any]) -> str:
    """SVG text of the chart: the mode ``two-cores``, fastest first, the limit on top."""
    found = sorted(rows(peers["modes"]["two-cores"]), key=lambda row: (row.name != BARE, -row.frames_per_s.value))
    height = TOP + LINE * len(found) + BOTTOM
    fps, dots_at = peers["settings"]["fps"], LEFT + BARS + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        'aria-label="Frames a second and latency of sonoedge and its peers">',
        f"<style>{STYLE}\n</style>",
        f'<rect class="ground" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="8"/>',
        text(LEFT, 30, "frames/s, one thread, two cores", "font-weight='600'"),
        text(dots_at, 30, f"ms at {fps:.0f} frames/s: p50 to p99", "font-weight='600'"),
        text(LEFT, 50, "line: 95 % interval", "class='soft'"),
        text(dots_at, 50, "lower line: to the broker's acknowledgement", "class='soft small'"),
    ]
    most = nice(max(row.frames_per_s.high for row in found))
    parts += grid(LEFT, BARS, most, height)
    slowest = [taken[1].value for row in found for taken in row.ms.values()]
    longest = nice(max(slowest)) if slowest else 1.0
    parts += grid(dots_at, DOTS, longest, height)
    for number, row in enumerate(found):
        y = TOP + LINE * number
        parts += [text(LEFT - 12, y + 18, LABELS[row.name], "text-anchor='end'"), *bar(row, y, BARS / most)]
        parts += spans(row, y, dots_at, DOTS / longest)
    return "\n".join([*parts, "</svg>", ""])


def kind(row: Row) -> str:
    """CSS class of a peer, for its colour."""
    return {BARE: "limit", OURS: "ours", "in-process": "ours"}.get(row.name, "peer")


def bar(row: Row, y: float, scale: float) -> list[str]:
    """Bar of a peer's frames/s with their interval."""
    speed = row.frames_per_s
    end = LEFT + speed.value * scale
    return [
        f'<rect class="{kind(row)}" x="{LEFT}" y="{y + 5}" width="{speed.value * scale:.1f}" height="18" rx="2"/>',
        line("whisker", LEFT + speed.low * scale, y + 14, LEFT + speed.high * scale),
        text(max(end, LEFT + speed.high * scale) + 6, y + 18, f"{speed.value:.0f}"),
    ]


def spans(row: Row, y: float, left: float, scale: float) -> list[str]:
    """Latency lines of a peer from p50 (dot) to p99, for each point that was measured; where there is none, why."""
    if not row.ms:
        return [text(left, y + 18, "does not keep the pace", "class='soft'")]
    parts = []
    for number, (p50, p99) in enumerate(row.ms.values()):
        level = y + (14 if len(row.ms) == 1 else 7 + 14 * number)
        x, end = left + p50.value * scale, left + p99.value * scale
        parts += [
            line(f"span {kind(row)}", x, level, end),
            f'<circle class="{kind(row)}" cx="{x:.1f}" cy="{level}" r="4.5"/>',
            text(end + 6, level + 4, f"{p99.value:.1f}", "class='small'"),
        ]
    return parts


def grid(left: float, width: float, most: float, height: float) -> list[str]:
    """Grid of a column: lines at four quarters, with their figures."""
    parts = []
    for step in range(5):
        x = left + width * step / 4
        parts.append(f'<line class="grid" x1="{x:.1f}" y1="{TOP - 6}" x2="{x:.1f}" y2="{height - BOTTOM}"/>')
        parts.append(text(x, height - BOTTOM + 18, f"{most * step / 4:g}", "text-anchor='middle' class='soft'"))
    return parts


def line(style: str, x: float, y: float, to: float) -> str:
    """Horizontal SVG line from ``x`` to ``to``."""
    return f'<line class="{style}" x1="{x:.1f}" y1="{y}" x2="{to:.1f}" y2="{y}"/>'


def text(x: float, y: float, words: str, more: str = "") -> str:
    """SVG element of one line of text; ``more``: attributes."""
    return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{escape(words)}</text>'


def nice(most: float) -> float:
    """The end of an axis: at least ``most``, and a quarter of it is a round figure."""
    step = 1.0
    while step * 4 * 10 < most:
        step *= 10
    return 4 * next(step * factor for factor in (0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 7.5, 10) if step * factor * 4 >= most)
