"""Soak test of the daemon's memory: an hour of frames, with a broker that is cut off every 20 s.

    python benchmarks/soak.py --minutes 65 --csv soak.csv --json soak.json

`edge-cli run` as a user starts it: phantom at 30 frames/s, the shipped model in a process of its own, findings to a
real mosquitto through a proxy that resets the connection every 20 s. Messages are kept for three minutes only, so that
what the outbox holds, and the pages of it that are in memory, have long stopped growing when the first window begins. A
lesion is told anew ten times a second, fifty times what a device says, so that a leak by message would be seen.

Memory is PSS (/proc/PID/smaps_rollup): pages shared with others count by share. Other programs of the same Python and
libraries that come and go move it, so private anonymous memory, where leaks are, stands beside it. The median of
minutes 5 to 10 is compared with that of the last five; exit code 1 if the total differs by more than 5 %, if a message
is missing or coverage has a gap. Linux; needs mosquitto, and psutil (extra ``dev``).
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import psutil

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from brokers import Mosquitto
from faults.proxy import Proxy
from soak_consumer import SoakConsumer

FPS = 30
KEEP_S = 180
CUT_EVERY_S, SAMPLE_EVERY_S = 20.0, 10.0
TOLERANCE = 0.05
CONFIG = f"""
[[sinks]]
uri = "mqtt://127.0.0.1:PORT"

[tracking]
update_every_s = 0.1

[outbox]
keep_s = {KEEP_S}
"""
NAMES = {
    "edge.daemon.frame.process": "frame process",
    "edge.daemon.publisher.process": "publisher",
    "edge.runtimes.isolated_child": "runtime",
    "edge.cli.main": "supervisor",
}
FIELDS = {"Pss": "pss", "Pss_Anon": "anon"}


def memory(root: psutil.Process) -> tuple[dict[str, dict[str, float]], set[int]]:
    """Memory of the whole process tree, {process: {"pss": MB, "anon": MB}}, and its process ids."""
    found: dict[str, dict[str, float]] = defaultdict(lambda: dict.fromkeys(FIELDS.values(), 0.0))
    pids = set()
    for process in [root, *root.children(recursive=True)]:
        try:
            command = process.cmdline()
            lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
        except (psutil.Error, OSError):
            continue
        pids.add(process.pid)
        name = next((name for module, name in NAMES.items() if module in command), "other")
        for line in lines:
            key, _, rest = line.partition(":")
            if key in FIELDS:
                found[name][FIELDS[key]] += int(rest.split()[0]) / 1024
    found["total"] = {field: sum(one[field] for one in found.values()) for field in FIELDS.values()}
    return dict(found), pids


def cut_for_ever(proxy: Proxy, over: threading.Event) -> None:
    """Reset the connection every `CUT_EVERY_S`."""
    while not over.wait(CUT_EVERY_S):
        proxy.cut()


def windows(minutes: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """First and last stretch that are compared, in seconds; shorter ones for a short run."""
    length = min(300.0, minutes * 60 / 4)
    return (length, 2 * length), (minutes * 60 - length, minutes * 60)


def slope(points: list[tuple[float, float]]) -> float:
    """Growth in MB an hour, by least squares."""
    times, values = zip(*points, strict=True)
    return statistics.linear_regression(times, values).slope * 3600


def compare(samples: list[dict[str, Any]], minutes: float) -> list[dict[str, Any]]:
    """Compare first and last window: one row a process and kind of memory."""
    first, last = windows(minutes)
    rows = []
    names = dict.fromkeys(name for sample in samples for name in sample["memory"])
    for name in sorted(names, key=lambda one: (one == "total", one)):
        for field in FIELDS.values():
            points = [(s["t"], s["memory"][name][field]) for s in samples if name in s["memory"]]
            early = [value for t, value in points if first[0] <= t <= first[1]]
            late = [value for t, value in points if last[0] <= t <= last[1]]
            if not early or not late:
                continue
            begin, end = statistics.median(early), statistics.median(late)
            settled = [(t, value) for t, value in points if t >= first[0]]
            row = {"process": name, "memory": field, "first_mb": round(begin, 2), "last_mb": round(end, 2)}
            rows.append({**row, "ratio": round(end / begin, 4), "mb_per_hour": round(slope(settled), 3)})
    return rows


def soak(folder: Path, minutes: float, table: Path | None) -> dict[str, Any]:
    """Run the daemon for ``minutes``; returns all that was measured."""
    broker = Mosquitto(folder / "broker", lines="max_queued_messages 0").start()
    consumer, proxy, over = SoakConsumer(broker.port), Proxy(broker.port), threading.Event()
    (folder / "edge.toml").write_text(CONFIG.replace("PORT", str(proxy.port)))
    command = [sys.executable, "-m", "edge.cli.main", "run", "--site", "soak", "--device", "cart"]
    command += ["--source", f"phantom://?seed=1&fps={FPS}", "--config", str(folder / "edge.toml")]
    command += ["--state-dir", str(folder / "state"), "--drain-timeout", "3"]
    samples: list[dict[str, Any]] = []
    pids: set[int] = set()
    try:
        with (folder / "log").open("wb") as log:
            daemon = subprocess.Popen(command, stdout=log, stderr=log)
        threading.Thread(target=cut_for_ever, args=(proxy, over), daemon=True).start()
        began, root = time.monotonic(), psutil.Process(daemon.pid)
        for number in range(1, round(minutes * 60 / SAMPLE_EVERY_S) + 1):
            time.sleep(max(0.0, began + number * SAMPLE_EVERY_S - time.monotonic()))
            if daemon.poll() is not None:
                raise SystemExit(f"the daemon has ended:\n{(folder / 'log').read_text()[-3000:]}")
            consumer.take()
            sizes, seen = memory(root)
            pids |= seen
            samples.append(make_sample(began, consumer, folder / "log", sizes))
            if table is not None:
                write(table, samples[-1], header=number == 1)
            if number % 6 == 0:
                show_sample(samples[-1])
        over.set()
        time.sleep(3)
        daemon.send_signal(signal.SIGTERM)
        stopping = time.monotonic()
        code, took = daemon.wait(20), time.monotonic() - stopping
        time.sleep(1)
        consumer.take()
    finally:
        over.set()
        if daemon.poll() is None:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(20)
        consumer.close()
        proxy.close()
        broker.stop()
    log_text = (folder / "log").read_text()
    ended = {"processes_started": len(pids), "log_errors": len(re.findall(r"(?im)^.*\berror\b", log_text))}
    return {**summary(samples, consumer, minutes), **ended, "exit_code": code, "stop_s": round(took, 2)}


def make_sample(began: float, consumer: SoakConsumer, log: Path, sizes: dict[str, dict[str, float]]) -> dict[str, Any]:
    """One sample: time, counts of messages and reconnects, and memory by process."""
    frames = consumer.health[-1]["frames"] if consumer.health else 0
    reconnects = log.read_text().count(": connected (MQTT") - 1
    counts = {"t": time.monotonic() - began, "frames": frames, "findings": consumer.kinds["findings"]}
    return {**counts, "coverage": consumer.kinds["coverage"], "reconnects": reconnects, "memory": sizes}


def show_sample(sample: dict[str, Any]) -> None:
    """Print one sample as a line of progress."""
    sums = "  ".join(f"{name} {one['pss']:.1f}" for name, one in sorted(sample["memory"].items()))
    print(
        f"{sample['t'] / 60:5.1f} min  frames {sample['frames']:7}  reconnects {sample['reconnects']:4}  MB: {sums}",
        flush=True,
    )


def summary(samples: list[dict[str, Any]], consumer: SoakConsumer, minutes: float) -> dict[str, Any]:
    """Memory rows, and what the consumer has counted."""
    first, last = consumer.health[1], consumer.health[-1]
    seconds = (last["mono_ns"] - first["mono_ns"]) / 1e9
    return {
        "minutes": minutes,
        "rows": compare(samples, minutes),
        "frames": last["frames"],
        "frames_per_s": round((last["frames"] - first["frames"]) / seconds, 2),
        "frames_dropped": last["dropped"],
        "reconnects": samples[-1]["reconnects"],
        "findings": consumer.kinds["findings"],
        "coverage": consumer.kinds["coverage"],
        "coverage_gaps": consumer.gaps(),
        "no_result": dict(consumer.no_result),
        "no_result_s": round(consumer.no_result_s, 3),
        "missing": consumer.missing(),
        "duplicates": consumer.duplicates(),
        "outbox_mb": round(last["outbox_bytes"] / 1e6, 2),
    }


def write(table: Path, sample: dict[str, Any], header: bool) -> None:
    """Write one sample as a CSV line; the columns are those of the first."""
    flat = {f"{name}_{field}_mb": round(v, 2) for name, one in sample["memory"].items() for field, v in one.items()}
    row = {**{k: v for k, v in sample.items() if k != "memory"}, **dict(sorted(flat.items()))}
    row["t"] = round(row["t"], 1)
    with table.open("w" if header else "a", newline="") as file:
        writer = csv.writer(file)
        if header:
            writer.writerow(row)
        writer.writerow(row.values())


def main() -> int:
    """Command line: exit code 1 if memory is not flat, or something was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=65.0, help="length of the run (default 65)")
    parser.add_argument("--csv", type=Path, help="write the samples here, one line each 10 s")
    parser.add_argument("--json", type=Path, help="write the results here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-", ignore_cleanup_errors=True) as folder:
        result = soak(Path(folder), options.minutes, options.csv)
    print(f"{'process':14} {'memory':6} {'first MB':>9} {'last MB':>9} {'ratio':>7} {'MB an hour':>11}")
    for row in result["rows"]:
        print(
            f"{row['process']:14} {row['memory']:6} {row['first_mb']:9.2f} {row['last_mb']:9.2f} "
            f"{row['ratio']:7.4f} {row['mb_per_hour']:+11.3f}"
        )
    for key, value in result.items():
        if key != "rows":
            print(f"{key:18} {value}")
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    total = next(row["ratio"] for row in result["rows"] if row["process"] == "total" and row["memory"] == "pss")
    flat = abs(total - 1) <= TOLERANCE
    whole = not (result["missing"] or result["coverage_gaps"] or result["exit_code"])
    print("flat" if flat else f"NOT FLAT: the total has changed by {total - 1:+.1%}")
    print("whole" if whole else "NOT WHOLE: see missing, coverage_gaps, exit_code")
    return 0 if flat and whole else 1


if __name__ == "__main__":
    sys.exit(main())
