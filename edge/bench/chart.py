"""SVG chart of a benchmark run: histogram of the frame times, and the times over the run. Plain shapes only."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.bench.compare import steady_times
from edge.bench.quantile_intervals import nearest_rank
from edge.bench.text_report import format_number
from edge.contracts.errors import DeviceError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.bench.report import BenchmarkReport

WIDTH, HEIGHT = 900, 640
LEFT, RIGHT = 64, 876
TOP = (84, 252)
"""Upper and lower edge of the histogram, in pixels."""
BOTTOM = (372, 580)
"""Upper and lower edge of the timeline, in pixels."""
MOST_DOTS = 4000
"""A longer run shows, of each stretch, the median and the slowest."""
TITLES = {"path": "capture to acknowledgement", "result": "capture to result", "invoke": "invoke"}
STYLE = """
text{font:13px system-ui,'DejaVu Sans',sans-serif;fill:#223}
.title{font-size:17px;font-weight:600}.faint{fill:#667}.axis{stroke:#889;stroke-width:1}
.grid{stroke:#dde;stroke-width:1}.bar{fill:#5b8db8}.dot{fill:#5b8db8;fill-opacity:.55}.slow{fill:#c0504d}
.mark{stroke:#223;stroke-width:1;stroke-dasharray:3 3}.deadline{stroke:#c0504d;stroke-width:1.5;stroke-dasharray:6 4}
"""


def write_svg(path: Path, report: BenchmarkReport) -> None:
    """Write the chart of ``report`` to a file.

    Raises `UsageError` if it holds no times, `DeviceError` if the file cannot be written.
    """
    try:
        path.write_text(report_svg(report), encoding="utf-8")
    except OSError as error:
        raise DeviceError(f"{path} cannot be written: {error.strerror}", hint="give another place") from None


def report_svg(report: BenchmarkReport) -> str:
    """SVG text of the chart of ``report``. Raises `UsageError` if the report holds no times."""
    span = next((name for name in TITLES if steady_times(report, name).size), None)
    if span is None:
        raise UsageError("there is nothing to draw: no frame was computed", hint="see the table for why")
    values, at_s, result_ms = _series(report.samples, span)
    top = _ceiling(float(values.max()))
    setup = report.setup
    rate = "as fast as it goes" if setup.fps is None else f"{setup.fps:g} frames/s"
    about = f"{setup.runtime}, {rate}, {values.size} frames; {report.machine.processor or report.machine.architecture}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">',
        f"<style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        _text(
            LEFT, 30, f"{TITLES[span][0].upper()}{TITLES[span][1:]}, {setup.model.name} {setup.model.version}", "title"
        ),
        _text(LEFT, 50, about, "faint"),
        *_distribution(values, top, setup.deadline_ms),
        *_timeline(values, at_s, top, setup.deadline_ms, result_ms),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _series(
    samples: dict[str, list[Any]], span: str
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Times of the frames that `steady_times` counts, three arrays (n,) float64.

    Milliseconds of ``span``, seconds since the first frame, milliseconds to the result.
    """
    values = samples[f"{span}_ms"]
    clock = samples.get("captured_s") or samples["answered_s"]
    phases = samples.get("phase", ["steady"] * len(values))
    results_ms = samples.get("result_ms", values)
    kept = [
        (value, at, result_ms)
        for value, at, phase, done, result_ms in zip(
            values, clock, phases, samples["computed"], results_ms, strict=True
        )
        if value is not None and phase == "steady" and done
    ]
    times, at_s, results = np.array(kept, np.float64).T
    return times, at_s - at_s[0], results


def _distribution(values: NDArray[np.float64], top: float, deadline_ms: float | None) -> list[str]:
    """A histogram over a logarithmic axis: the body and the tail both have room."""
    low = 10.0 ** math.floor(math.log10(max(1e-3, float(values.min()))))
    low, high = _tight(low, float(values.min())), top
    edges = np.geomspace(low, high, 61)
    counts, _ = np.histogram(np.clip(values, low, high), edges)
    upper, lower = TOP
    parts = [_text(LEFT, upper - 10, "Distribution: frames by milliseconds", "faint")]

    def place(value: float) -> float:
        return LEFT + (RIGHT - LEFT) * math.log(max(value, low) / low) / math.log(high / low)

    for count, start, end in zip(counts, edges[:-1], edges[1:], strict=True):
        if count:
            tall = max(1.5, (lower - upper) * count / counts.max())
            x, wide = place(float(start)), place(float(end)) - place(float(start)) - 1
            parts.append(
                f'<rect class="bar" x="{x:.1f}" y="{lower - tall:.1f}" width="{wide:.1f}" height="{tall:.1f}"/>'
            )
    parts.append(_line(LEFT, lower, RIGHT, lower, "axis"))
    for tick in _log_ticks(low, high):
        parts.append(_line(place(tick), lower, place(tick), lower + 5, "axis"))
        parts.append(_text(place(tick), lower + 20, _tick(tick), "faint", "middle"))
    ordered = np.sort(values)
    taken = -1e9
    row = 0
    for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0)):
        value = nearest_rank(ordered, share)
        x = place(value)
        row = (row + 1) % 3 if x - taken < 84 else 0
        taken = x
        parts.append(_line(x, upper, x, lower + 28 + 16 * row, "mark"))
        anchor = "end" if x > RIGHT - 60 else "middle"
        parts.append(_text(x, lower + 42 + 16 * row, f"{name} {format_number(value)}", "", anchor))
    if deadline_ms is not None and low < deadline_ms < high:
        parts.append(_line(place(deadline_ms), upper, place(deadline_ms), lower, "deadline"))
        parts.append(
            _text(place(deadline_ms) + 5, upper + 12, f"deadline of the result {format_number(deadline_ms)}", "faint")
        )
    return parts


def _timeline(
    values: NDArray[np.float64],
    at_s: NDArray[np.float64],
    top: float,
    deadline_ms: float | None,
    result_ms: NDArray[np.float64],
) -> list[str]:
    """Each frame's time, in the order in which they came; red: its result came after the deadline."""
    upper, lower = BOTTOM
    length = max(float(at_s[-1]), 1e-3)
    red = "" if deadline_ms is None else "; red: its result came after the deadline"
    parts = [_text(LEFT, upper - 10, f"Timeline: milliseconds of each frame{red}", "faint")]
    for tick in _ticks(top):
        y = lower - (lower - upper) * tick / top
        parts.append(_line(LEFT, y, RIGHT, y, "grid"))
        parts.append(_text(LEFT - 8, y + 4, _tick(tick), "faint", "end"))
    if deadline_ms is not None and deadline_ms < top:
        y = lower - (lower - upper) * deadline_ms / top
        parts.append(_line(LEFT, y, RIGHT, y, "deadline"))
    if values.size > MOST_DOTS:
        pieces = np.array_split(np.arange(values.size), MOST_DOTS // 2)
        slowest = [piece[int(np.argmax(values[piece]))] for piece in pieces]
        middle = [piece[int(np.argsort(values[piece])[piece.size // 2])] for piece in pieces]
        shown = np.unique(np.array([*slowest, *middle]))
        values, at_s, result_ms = values[shown], at_s[shown], result_ms[shown]
    limit = math.inf if deadline_ms is None else deadline_ms
    for value, at, result in zip(values, at_s, result_ms, strict=True):
        x = LEFT + (RIGHT - LEFT) * float(at) / length
        y = lower - (lower - upper) * float(value) / top
        kind = "slow" if result > limit else "dot"
        parts.append(f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="2"/>')
    parts.append(_line(LEFT, lower, RIGHT, lower, "axis"))
    for tick in _ticks(length):
        x = LEFT + (RIGHT - LEFT) * tick / length
        parts.append(_line(x, lower, x, lower + 5, "axis"))
        parts.append(_text(x, lower + 20, _tick(tick), "faint", "middle"))
    parts.append(_text((LEFT + RIGHT) / 2, lower + 42, "seconds", "faint", "middle"))
    return parts


def _ceiling(value: float) -> float:
    """A little over ``value``, round."""
    step = 10.0 ** math.floor(math.log10(max(value, 1e-3)))
    return math.ceil(value * 1.02 / (step / 2)) * step / 2


def _tight(low: float, least: float) -> float:
    """The largest of 1, 2 and 5 times ``low`` that is not over ``least``."""
    return max((low * k for k in (1, 2, 5) if low * k <= least), default=low)


def _log_ticks(low: float, high: float) -> list[float]:
    decade = 10.0 ** math.floor(math.log10(low))
    ticks = []
    while decade <= high:
        ticks += [decade * k for k in (1, 2, 5) if low * 0.999 <= decade * k <= high * 1.001]
        decade *= 10
    return ticks


def _ticks(high: float) -> list[float]:
    step = 10.0 ** math.floor(math.log10(high))
    step = next(s for s in (step / 5, step / 2, step, 2 * step) if high / s <= 7)
    return [k * step for k in range(int(high / step + 1e-9) + 1)]


def _tick(value: float) -> str:
    return f"{value:g}"


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
