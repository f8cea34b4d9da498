"""Text table of a benchmark report for people: plain text that fits 80 columns, also over ssh."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.bench.quantile_intervals import SHARES
from edge.bench.samples import SPANS, STAGES
from edge.picture.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.bench.quantile_intervals import Quantile, QuantileSummary
    from edge.bench.report import BenchmarkReport, FrameCounts
    from edge.bench.startup import Parity, Startup
    from edge.bench.sustained import MinuteSummary
    from edge.bench.sweep import SweepRow
    from edge.contracts.placement import Placement

WIDTH = 80
NOT_MEASURED = "not measured"
UNBOUND = "?"
"""Stands for a bound that so few frames cannot give."""
LABELS = {"handover": "hand-over", "result": "to result", "path": "to ack"}


def report_lines(report: BenchmarkReport) -> Iterator[str]:
    """Lines of the text table of ``report``, each at most 80 columns wide."""
    yield from _head(report)
    if report.startup is not None:
        yield from _startup(report.startup)
    if report.loadgen is not None:
        yield from _loadgen(report)
    if report.stages:
        yield from _stages(report)
    if report.frames is not None:
        yield from _frames(report.frames, report.setup.deadline_ms)
    if report.throughput is not None:
        one = report.throughput
        low_high = f" ({format_number(one.low)} to {format_number(one.high)})" if one.low is not None else ""
        yield f"as fast as it goes: {format_number(one.fps)} frames/s{low_high}, {one.frames} frames"
        if one.failed:
            yield from _fact("!", f"{one.failed} frames of this run were NOT COMPUTED; they count in no number above")
    if report.memory is not None:
        yield from _memory(report)
    if report.minutes:
        yield from _minutes(report.minutes)
    if report.sweep:
        yield from _sweep(report.sweep)
    if report.interrupted:
        yield ""
        yield "Interrupted: this is what was measured until then."


def format_number(value: float | None) -> str:
    """Text of a number with about three significant digits and no exponent; ``?`` for None."""
    if value is None:
        return UNBOUND
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else f"{value:.0f}"


def _head(report: BenchmarkReport) -> Iterator[str]:
    machine, setup = report.machine, report.setup
    model = setup.model
    yield from _fact("model", f"{model.name} {model.version}, sha256 {model.sha256[:16]}")
    memory = "" if machine.memory_mb is None else f", {machine.memory_mb / 1e3:.1f} GB"
    yield from _fact("machine", f"{machine.board or 'board not told'}; {machine.processor or machine.architecture}")
    yield from _fact("", f"{machine.cores} cores{memory}, {machine.system or 'Linux'}, kernel {machine.kernel}")
    libraries = ", ".join(f"{name} {version}" for name, version in machine.libraries.items())
    yield from _fact("software", f"Python {machine.python}, {libraries}")
    if report.kind != "sweep":
        yield from _fact("runtime", setup.runtime + (", in a process of its own" if setup.isolated else ""))
    yield from _fact("source", setup.source + ("" if setup.streams == 1 else f", {setup.streams} streams"))
    if report.kind in ("path", "sustained"):
        yield from _fact("broker", setup.broker or "none")
        yield from _fact("outbox", f"on {setup.outbox or 'a file system that is not known'}")
    if machine.load is not None and machine.load > machine.cores + 0.5:
        yield from _fact("beware", f"{machine.load:.1f} processes wanted {machine.cores} cores in the last minute")


def _fact(name: str, words: str) -> Iterator[str]:
    line = f"{name:<9}"
    for word in words.split():
        if len(line) + len(word) + 1 > WIDTH and line.strip():
            yield line
            line = " " * 9
        line += word if line.endswith(" ") and len(line) == 9 else f" {word}"
    yield line


def _startup(one: Startup) -> Iterator[str]:
    yield ""
    yield (
        f"start    load {format_number(one.load_ms)} ms, first invoke {format_number(one.first_ms)} ms, "
        f"settled {format_number(one.settled_ms)} ms"
    )
    if one.placement is not None:
        yield from _fact("placed", _placed(one.placement, one.delegate))
    else:
        yield from _fact("placed", "not told by this runtime")
    yield from _fact("parity", _parity(one.parity))


def _placed(placement: Placement, delegate: str | None) -> str:
    share = f", {100 * placement.delegated_macs / placement.macs:.1f} % of MACs" if placement.macs else ""
    parts = "" if placement.partitions is None else f" in {counted(placement.partitions, 'partition')}"
    left = ", ".join(f"{count} {name}" for name, count in placement.left.items())
    return (
        f"{placement.delegated_ops} of {placement.ops} operators{parts}{share} on "
        f"{delegate or 'no delegate'} (by {placement.source}){f'; left on the CPU: {left}' if left else ''}"
    )


def _parity(parity: Parity | None) -> str:
    if parity is None:
        return "not measured: nothing is computed that could be compared"
    if parity.problems:
        return f"FAILED: {parity.problems[0]}"
    worst = max(parity.worst.values(), default=0)
    if parity.float_worst:
        return f"{parity.cases} golden vectors passed, values off by {max(parity.float_worst.values()):.2g} at most"
    return f"{parity.cases} golden vectors passed, off by {worst} of at most {parity.allowed} steps"


def _stages(report: BenchmarkReport) -> Iterator[str]:
    setup = report.setup
    if report.kind in ("path", "sustained"):
        rate = "as the source gave them" if setup.fps is None else f"{setup.fps:g} frames/s"
        title = f"times in ms, {rate}, after {setup.warm_up} frames of warm-up; 95 % intervals below"
    else:
        title = "times in ms by our own clock; 95 % intervals below"
    yield ""
    yield title
    yield f"{'stage':<10}{'n':>6}" + "".join(f"{name:>11}" for name in SHARES) + f"{'max':>9}"
    order = [name for name in (*STAGES, *SPANS) if name in report.stages]
    unbound = False
    for name in order:
        if name == SPANS[0]:
            yield f"{'':<10}" + "-" * (WIDTH - 10)
        summary = report.stages[name]
        if summary is None:
            yield f"{LABELS.get(name, name):<10}{'':>6}  {report.notes.get(name, NOT_MEASURED)}"
            continue
        yield from _row(LABELS.get(name, name), summary)
        unbound = unbound or any(None in (q.low, q.high) for q in summary.quantiles.values())
    notes = [(name, report.notes[name]) for name in order if name in report.notes and report.stages[name] is not None]
    if unbound:
        notes.append((UNBOUND, "so few independent frames do not bound it; see --frames"))
    for name, note in notes:
        yield from _fact(f"{LABELS.get(name, name)}:", note)


def _row(label: str, summary: QuantileSummary) -> Iterator[str]:
    quantiles = [summary.quantiles[name] for name in SHARES]
    yield (
        f"{label:<10}{summary.n:>6}"
        + "".join(f"{format_number(q.value):>11}" for q in quantiles)
        + f"{format_number(summary.max):>9}"
    )
    yield f"{'':<16}" + "".join(f"{_interval(q):>11}" for q in quantiles)


def _interval(one: Quantile) -> str:
    return f"{format_number(one.low)}-{format_number(one.high)}"


def _frames(frames: FrameCounts, deadline_ms: float | None) -> Iterator[str]:
    yield ""
    counts = ", ".join(f"{count} {word}" for word, count in sorted(frames.results.items()))
    yield from _fact("frames", f"{frames.answered} answered: {counts or 'none'}; {frames.dropped} dropped")
    if deadline_ms is not None and frames.missed is not None:
        captured = frames.answered + frames.dropped
        share = 100 * frames.missed / captured if captured else 0.0
        yield from _fact(
            "deadline",
            f"{format_number(deadline_ms)} ms: missed by {frames.missed} of {captured} ({share:.1f} %): "
            f"{frames.late} late, {frames.dropped} dropped, {frames.no_result} without a result",
        )
    problems = []
    if refused := frames.uncomputed - frames.no_result:
        problems.append(f"{refused} frames were refused before the runtime; their times are in no number above")
    if frames.no_result:
        problems.append(f"{frames.no_result} frames had NO RESULT; their times are in no number above")
    if frames.unacknowledged:
        problems.append(f"{frames.unacknowledged} frames were NOT ACKNOWLEDGED by the broker")
    if frames.unrecorded:
        problems.append(f"{frames.unrecorded} messages did NOT FIT into the outbox")
    if frames.restarts:
        problems.append(f"the runtime was REPLACED {frames.restarts} times")
    if frames.fallback:
        problems.append("a FALL-BACK computed at the end, not the runtime that was asked for")
    for problem in problems:
        yield from _fact("!", problem)


def _memory(report: BenchmarkReport) -> Iterator[str]:
    memory = report.memory
    assert memory is not None  # noqa: S101  (the caller has looked)
    if memory.pss_total is None:
        yield from _fact("memory", NOT_MEASURED)
        return
    parts = ", ".join(f"{name} {megabytes:.1f}" for name, megabytes in memory.pss_mb.items())
    peak = NOT_MEASURED if memory.peak_total is None else f"{memory.peak_total:.0f} MB"
    yield from _fact("memory", f"{memory.pss_total:.1f} MB PSS ({parts}); peak at most {peak}")


def _minutes(minutes: list[MinuteSummary]) -> Iterator[str]:
    yield ""
    yield "minute  frames/s     p50     p99     max   failed    deg C     MHz   power W"
    for one in minutes:
        p50 = "-" if one.p50 is None else format_number(one.p50.value)
        p99 = "-" if one.p99 is None else format_number(one.p99.value)
        cells = [f"{one.minute:>6}", f"{one.fps:>10.1f}", f"{p50:>8}", f"{p99:>8}"]
        cells.append(f"{'-' if one.max is None else format_number(one.max):>8}")
        cells.append(f"{one.failed:>10}")
        cells += [f"{_sensor(value):>{width}}" for value, width in (
            (one.temperature_c, 8), (one.clock_mhz, 8), (one.power_w, 10))]  # fmt: skip
        yield "".join(cells)
    if minutes[-1].seconds < 59:
        yield f"the last minute has {minutes[-1].seconds:.0f} s"
    for name, words in (
        ("governor", sorted({one.governor or NOT_MEASURED for one in minutes})),
        ("throttled", _flags([one.throttled for one in minutes])),
        ("under-voltage", _flags([one.under_voltage for one in minutes])),
    ):
        yield f"{name}: {', '.join(words)}"
    if all(one.temperature_c is None for one in minutes):
        yield f"temperature: {NOT_MEASURED} (no sensor)"
    if all(one.clock_mhz is None for one in minutes):
        yield f"clock: {NOT_MEASURED} (no cpufreq)"
    if all(one.power_w is None for one in minutes):
        yield f"power: {NOT_MEASURED} (no sensor)"


def _sensor(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _flags(values: list[bool | None]) -> list[str]:
    if all(value is None for value in values):
        return [NOT_MEASURED]
    minutes = [str(number) for number, value in enumerate(values, 1) if value]
    return [f"in minute {', '.join(minutes)}" if minutes else "never"]


def _loadgen(report: BenchmarkReport) -> Iterator[str]:
    one = report.loadgen
    assert one is not None  # noqa: S101  (the caller has looked)
    yield ""
    yield from _fact("scenario", f"{one.scenario}, by MLCommons LoadGen {one.version}; not an MLPerf result")
    yield from _fact("rules", one.rules)
    value = NOT_MEASURED if one.value is None else format_number(one.value)
    yield from _fact("measured", f"{one.metric}: {value} ({one.queries} x {counted(one.samples_per_query, 'frame')})")
    verdict = "VALID" if one.valid else f"INVALID: {'; '.join(one.reasons)}"
    yield from _fact("verdict", verdict)
    if one.percentiles_ms:
        yield from _fact("queries", ", ".join(f"{k} {format_number(v)} ms" for k, v in one.percentiles_ms.items()))
    if one.early_stopping:
        yield from _fact("stopping", f"{one.early_stopping} (ns)")


def _sweep(rows: list[SweepRow]) -> Iterator[str]:
    yield ""
    yield f"{'runtime':<28}{'load':>7}{'first':>7}{'invoke p50':>12}{'p99':>7}{'frames/s':>10}{'MB':>6}"
    model = None
    for row in rows:
        if row.sha256 != model:
            model = row.sha256
            yield f"-- {row.model}, sha256 {row.sha256[:16]}"
        if row.invoke is None:
            yield from _hang(row.runtime, f"no numbers: {row.problem}")
            continue
        p50, p99 = row.invoke.quantiles["p50"], row.invoke.quantiles["p99"]
        name = row.runtime if len(row.runtime) < 28 else row.runtime[:26] + ".."
        yield (
            f"{name:<28}{format_number(row.load_ms):>7}{format_number(row.first_ms):>7}{format_number(p50.value):>12}"
            f"{format_number(p99.value):>7}{format_number(row.fps):>10}{_sensor(row.pss_mb):>6}"
        )
        facts = [f"parity {_parity(row.parity)}"]
        if row.placement is not None:
            facts.insert(0, _placed(row.placement, row.delegate))
        for fact in facts:
            yield from _hang("", fact)
        if row.problem:
            yield from _hang("!", row.problem)


def _hang(name: str, words: str) -> Iterator[str]:
    if name:
        yield name
    line = "   "
    for word in words.split():
        if len(line) + len(word) + 1 > WIDTH:
            yield line
            line = "   "
        line += f" {word}"
    yield line
