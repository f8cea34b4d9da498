"""Compare two benchmark reports: is B slower than A, by the ratios of their numbers and their confidence?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from edge.bench.bootstrap import (
    MIN_SAMPLES,
    Ratio,
    mean_statistic,
    quantile_statistic,
    ratio_of,
    slower_share,
    statistic_of,
)
from edge.contracts.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.bench.report import BenchmarkReport

CONFIDENCE = 0.95
"""That no verdict at all is a false alarm: each of the n comparisons is made at 1 - 0.05 / n (Bonferroni)."""
MISSED_MORE = 0.01
"""A share of all frames by which B may miss more deadlines: one stall of a busy machine is no regression."""
COMPARED_QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
SPANS = ("path", "result", "invoke")
"""Times that are judged: the first that both have samples of, and the runtime's."""


class ComparedNumber(msgspec.Struct, frozen=True, kw_only=True):
    """One number of both reports, side by side; a ratio over 1 means that B is slower."""

    name: str
    a: float
    b: float
    ratio: Ratio
    verdict: str
    """``slower``, ``faster``, ``same`` (within the tolerance, surely), ``unsure``."""


class BenchmarkComparison(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of comparing report B with report A: all ratios, and whether B is a regression."""

    lines: list[ComparedNumber]
    slower_share: dict[str, float]
    """By span: how often a frame of B took longer than one of A."""
    worse: list[str]
    """What counts against B beside its times: frames without a result, dropped, or not acknowledged."""
    differences: list[str]
    """Between the machines and set-ups, for who reads the verdict."""
    regression: bool


def compare(a: BenchmarkReport, b: BenchmarkReport, tolerance: float, *, anyway: bool = False) -> BenchmarkComparison:
    """Compare report B with report A.

    Args:
        a: the report before.
        b: the report after.
        tolerance: a share of A's time by which B may be slower.
        anyway: compare what is not alike.

    Raises:
        UsageError: they are not alike, or hold too few samples.
    """
    unlike = [f"{name}: {x} and {y}" for name, x, y in _conditions(a, b) if x != y]
    if unlike and not anyway:
        raise UsageError(
            f"the reports are not of the same: {'; '.join(unlike)}", hint="compare like with like, or give --anyway"
        )
    pairs = _pairs(a, b)
    if not pairs:
        raise UsageError(
            f"there are not {MIN_SAMPLES} samples of anything in both reports",
            hint="sweeps hold none; give --frames more, and --json FILE",
        )
    rates = _rates(a, b)
    confidence = 1 - (1 - CONFIDENCE) / (len(pairs) * len(COMPARED_QUANTILES) + len(rates))
    lines = [
        _line(f"{span} {name}", x, y, quantile_statistic(share), confidence, tolerance)
        for span, (x, y) in pairs.items()
        for name, share in COMPARED_QUANTILES.items()
    ]
    lines += [_line(name, x, y, mean_statistic, confidence, tolerance) for name, (x, y) in rates.items()]
    worse = _worse(a, b)
    return BenchmarkComparison(
        lines=lines,
        slower_share={span: slower_share(x, y) for span, (x, y) in pairs.items()},
        worse=worse,
        differences=unlike + [f"{name}: {x} and {y}" for name, x, y in _circumstances(a, b) if x != y],
        regression=bool(worse) or any(line.verdict == "slower" for line in lines),
    )


def _line(
    name: str, a: NDArray[np.float64], b: NDArray[np.float64], statistic: Any, confidence: float, tolerance: float
) -> ComparedNumber:
    ratio = ratio_of(a, b, statistic, confidence)
    if ratio.low > 1 + tolerance:
        verdict = "slower"
    elif ratio.high < 1 / (1 + tolerance):
        verdict = "faster"
    elif ratio.high <= 1 + tolerance and ratio.low >= 1 / (1 + tolerance):
        verdict = "same"
    else:
        verdict = "unsure"
    return ComparedNumber(
        name=name, a=statistic_of(statistic, a), b=statistic_of(statistic, b), ratio=ratio, verdict=verdict
    )


def _pairs(a: BenchmarkReport, b: BenchmarkReport) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    found: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
    for span in SPANS:
        x, y = steady_times(a, span), steady_times(b, span)
        if min(x.size, y.size) >= MIN_SAMPLES and not ("path" in found and span == "result"):
            found[span] = (x, y)
    return found


def _rates(a: BenchmarkReport, b: BenchmarkReport) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    if a.throughput is None or b.throughput is None:
        return {}
    x, y = np.array(a.throughput.between_ms), np.array(b.throughput.between_ms)
    return {"time a frame, flat out": (x, y)} if min(x.size, y.size) >= MIN_SAMPLES else {}


def steady_times(report: BenchmarkReport, span: str) -> NDArray[np.float64]:
    """Times of one span after the warm-up: (n,) float64 milliseconds, in order of time.

    Of the frames that were computed to their end only. ``span`` is a stage or span of `edge.bench.samples`.
    """
    columns = report.samples
    values = columns.get(f"{span}_ms", [])
    phases = columns.get("phase", ["steady"] * len(values))
    computed = columns.get("computed", [])
    kept = [
        float(time)
        for time, phase, done in zip(values, phases, computed, strict=False)
        if time is not None and phase == "steady" and done
    ]
    return np.array(kept, np.float64)


def _conditions(a: BenchmarkReport, b: BenchmarkReport) -> list[tuple[str, Any, Any]]:
    """What must be alike."""
    return [
        ("kind", a.kind, b.kind),
        ("model", a.setup.model.sha256[:16], b.setup.model.sha256[:16]),
        ("source", a.setup.source, b.setup.source),
        ("streams", a.setup.streams, b.setup.streams),
        ("frames/s", a.setup.fps, b.setup.fps),
        ("broker", a.setup.broker is not None, b.setup.broker is not None),
        ("rules", a.loadgen and a.loadgen.rules, b.loadgen and b.loadgen.rules),
    ]


def _circumstances(a: BenchmarkReport, b: BenchmarkReport) -> list[tuple[str, Any, Any]]:
    """What may be the very thing that is compared, and is to be seen."""
    x, y = a.machine, b.machine
    libraries = sorted(x.libraries.keys() | y.libraries.keys())
    return [
        ("runtime", a.setup.runtime, b.setup.runtime),
        ("board", x.board, y.board),
        ("processor", x.processor, y.processor),
        ("cores", x.cores, y.cores),
        ("kernel", x.kernel, y.kernel),
        ("outbox on", a.setup.outbox, b.setup.outbox),
        *((name, x.libraries.get(name), y.libraries.get(name)) for name in libraries),
    ]


def _worse(a: BenchmarkReport, b: BenchmarkReport) -> list[str]:
    """What B failed at more than A."""
    found = []
    if b.loadgen is not None and not b.loadgen.valid and (a.loadgen is None or a.loadgen.valid):
        found.append(f"not valid by LoadGen: {'; '.join(b.loadgen.reasons)}")
    lost_a, lost_b = _failed(a), _failed(b)
    if lost_b > lost_a:
        found.append(f"not computed: {lost_a:.2%} and {lost_b:.2%} of frames")
    if b.throughput is not None and a.throughput is not None and b.throughput.failed > a.throughput.failed:
        found.append(f"not computed as fast as it goes: {a.throughput.failed} and {b.throughput.failed} frames")
    if a.frames is None or b.frames is None:
        return found
    for name in ("unacknowledged", "unrecorded", "restarts"):
        x, y = getattr(a.frames, name), getattr(b.frames, name)
        if y > x:
            found.append(f"{name}: {x} and {y}")
    if a.frames.missed is not None and b.frames.missed is not None:
        before = a.frames.missed / max(1, a.frames.answered + a.frames.dropped)
        after = b.frames.missed / max(1, b.frames.answered + b.frames.dropped)
        if after > before + MISSED_MORE:
            found.append(f"deadline missed: {before:.2%} and {after:.2%} of frames")
    return found


def _failed(report: BenchmarkReport) -> float:
    computed = report.samples.get("computed", [])
    return sum(not done for done in computed) / max(1, len(computed))
