"""Benchmark of outbox and publisher: throughput of a drain, latency, and recovery times, measured in one run.

    python benchmarks/outbox.py [--json outbox.json] [--only drain,returns,stops,hangs]

Findings of 2.7 kB, 30 live ones a second, a real mosquitto on this machine. A backlog is drained by the publisher and
by paho alone (QoS 1, the same window of unacknowledged messages, size and broker, in a process of its own), in
interleaved rounds: the ratio of each round is taken before the median, so that a machine that others use too favours
no one. Live latency under a drain is compared with that of the seconds after it; then findings are committed to a bare
SQLite file, 30 a second too, which is what this disk allows. Needs mosquitto, and psutil (extra ``dev``). Under six
minutes on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from outbox_drain import INFLIGHT, Drain, Live, paho_drain, publisher_drain
from outbox_faults import hangs, returns, stops

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from brokers import Mosquitto

from edge.quantiles import percentile

Row = dict[str, Any]


def spread(what: str, unit: str, values: list[float], goal: float | None = None) -> Row:
    """One row: count, median, 99th percentile and maximum. ``goal``: what the 99th percentile is to stay below."""
    p50, p99 = percentile(values, 0.5), percentile(values, 0.99)
    row = {"what": what, "unit": unit, "count": len(values), "p50": p50, "p99": p99, "max": max(values)}
    return {**row, "goal": None if goal is None else f"p99 <= {goal:g}", "met": None if goal is None else p99 <= goal}


def ratio(what: str, values: list[float], goal: str, met: bool) -> Row:
    """One row: median and range of a ratio."""
    row = {"what": what, "unit": "", "count": len(values), "p50": statistics.median(values), "p99": None}
    return {**row, "min": min(values), "max": max(values), "goal": goal, "met": met}


def drain(folder: Path, rounds: int, count: int, whole: int, idle_s: float) -> list[Row]:
    """Drain backlogs: interleaved rounds of ``count`` findings, then one of ``whole``; the rows."""
    broker = Mosquitto(folder / "broker", lines=f"max_inflight_messages {INFLIGHT}").start()
    ours: list[Drain] = []
    bare: list[float] = []
    commits: list[float] = []
    busy, idle = Live(), Live()
    sizes = [*[count] * rounds, *[whole] * (whole > 0)]
    try:
        for number, size in enumerate(sizes):
            if number % 2:  # no one always runs after the other
                bare.append(paho_drain(broker.port, size))
            ours.append(publisher_drain(folder / f"device-{number}", broker.port, size, idle_s))
            if not number % 2:
                bare.append(paho_drain(broker.port, size))
            busy.add(ours[-1].busy)
            idle.add(ours[-1].idle)
            commits += ours[-1].bare
            print(f"{size:7} findings: {ours[-1].per_s:6.0f}/s, paho alone {bare[-1]:6.0f}/s", flush=True)
    finally:
        broker.stop()
    ratios = [one.per_s / alone for one, alone in zip(ours, bare, strict=True)]
    middle = statistics.median(ratios)
    rows = [
        spread("hand-over call", "ms", idle.frame_link + busy.frame_link, 0.3),
        spread("bare SQLite commit, idle", "ms", commits),
        spread("commit window, idle", "ms", idle.commit, 50),
        spread("commit window, during a drain", "ms", busy.commit, 50),
        spread("live latency, idle", "ms", idle.latency),
        spread("live latency, during a drain", "ms", busy.latency),
        ratio(f"drain of {count}, of paho alone", ratios[:rounds], "median >= 0.60", middle >= 0.6),
    ]
    if whole:
        rows.append(ratio(f"drain of {whole}, of paho alone", ratios[rounds:], ">= 0.60", ratios[-1] >= 0.6))
    slower = percentile(busy.latency, 0.99) / percentile(idle.latency, 0.99)
    rows.append(ratio("live latency p99, drain to idle", [slower], "<= 2", slower <= 2))
    return rows


def show(rows: list[Row]) -> None:
    """Print the rows as a table."""
    print(f"{'':40} {'':3} {'count':>6} {'p50':>9} {'p99':>9} {'max':>9}")
    for row in rows:
        figures = " ".join(f"{row[key]:9.3f}" if row[key] is not None else " " * 9 for key in ("p50", "p99", "max"))
        low = f"  min {row['min']:.3f}" if "min" in row else ""
        verdict = "" if row["met"] is None else f"  {row['goal']}: {'met' if row['met'] else 'NOT MET'}"
        print(f"{row['what']:40} {row['unit']:3} {row['count']:6} {figures}{low}{verdict}")


def main() -> int:
    """Command line: measure and print; exit code 1 if a goal is not met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="interleaved drains (default 5)")
    parser.add_argument("--findings", type=int, default=10_000, help="in each (default 10000)")
    parser.add_argument("--backlog", type=int, default=100_000, help="of the last drain; 0: none (default 100000)")
    parser.add_argument("--idle", type=float, default=5.0, help="seconds of live findings after each (default 5)")
    parser.add_argument("--repeats", type=int, default=4, help="of each stop and hang (default 4)")
    parser.add_argument("--only", default="drain,returns,stops,hangs", help="which parts, with commas between")
    parser.add_argument("--json", type=Path, help="write the rows here")
    options = parser.parse_args()
    parts = options.only.split(",")
    rows: list[Row] = []
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="outbox-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if "drain" in parts:
            rows += drain(folder / "drain", options.rounds, options.findings, options.backlog, options.idle)
        if "returns" in parts:
            rows.append(spread("broker's start to first message", "s", returns(folder / "returns"), 2))
        if "stops" in parts:
            for kind, took in stops(folder / "stops", options.repeats).items():
                rows.append(spread(f"SIGTERM to the end, {kind}", "s", took, 2))
        if "hangs" in parts:
            rows.append(
                spread("runtime hangs until fall-back judges", "s", hangs(folder / "hangs", options.repeats), 1)
            )
    show(rows)
    print(f"{time.monotonic() - began:.0f} s")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")
    return 0 if all(row["met"] in (None, True) for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
