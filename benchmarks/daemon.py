"""What a daemon costs: memory by process, time to the first finding, and frames/s of 1 to 8 streams over one runtime.

    python benchmarks/daemon.py [--streams 1 2 4 8] [--rounds 7] [--seconds 10] [--fps 30]

`edge-cli run` as a user starts it, with grey 640x480 phantoms, the shipped model on 1 thread in a process of its own,
and findings to a file. Each round starts a daemon for every number of streams, in turn forwards and backwards; a
ratio is taken within its round, before the median.

first finding   from the start of `edge-cli run` until a finding stands in the receiver's file
memory          PSS (pages that are shared count by share) at the end, with streams at --fps
frames/s        of all streams together, streams giving as many frames as are asked for
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.daemon.vitals import process_tree

WARM_UP_S = 2.0
START_LIMIT_S = 60.0
PARTS = {"edge.daemon.frame": "frame", "edge.runtimes.child": "runtime", "edge.daemon.publisher": "publisher"}


@dataclass(slots=True)
class Run:
    """What one daemon showed."""

    first_s: float
    memory_mb: dict[str, float] = field(default_factory=dict)
    """PSS by process, in MB of 10^6 bytes."""
    fps: float = 0.0

    @property
    def total_mb(self) -> float:
        """Of all processes."""
        return sum(self.memory_mb.values())


def part_of(pid: int) -> str:
    """What a process of the daemon is there for."""
    words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    module = words[words.index(b"-m") + 1].decode() if b"-m" in words else ""
    return PARTS.get(module, "supervisor")


def memory(root: int) -> dict[str, float]:
    """PSS in MB of each process below ``root``, and of itself."""
    found: dict[str, float] = {}
    for pid in process_tree(root):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                part = part_of(pid)
                found[part] = found.get(part, 0.0) + int(line.split()[1]) * 1024 / 1e6
    return found


def messages(path: Path, kind: str) -> list[dict[str, Any]]:
    """Payloads of one schema that stand in the receiver's file."""
    if not path.exists():
        return []
    lines = [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return [m["payload"] for m in map(json.loads, lines) if m["payload"].get("schema") == kind]


def run(streams: int, pace: str, seconds: float) -> Run:
    """One daemon from its start to its end."""
    with tempfile.TemporaryDirectory() as directory:
        heard = Path(directory, "heard.jsonl")
        config = Path(directory, "edge.toml")
        config.write_text("[publish]\nhealth_every_s = 1.0\n")
        sources = [f"--source=phantom://?seed={i + 1}&{pace}" for i in range(streams)]
        command = [sys.executable, "-m", "edge.cli.main", "run", "--config", str(config), *sources]
        command += ["--runtime=litert://?threads=1", f"--sink=jsonl://{heard}", f"--state-dir={directory}/state"]
        began = time.monotonic()
        process = subprocess.Popen([*command, "--site=lab", "--device=cart"], stderr=subprocess.DEVNULL)
        try:
            while not (heard.exists() and b'"finding/1"' in heard.read_bytes()):
                assert process.poll() is None, "the daemon ended by itself"
                assert time.monotonic() - began < START_LIMIT_S, "no finding came"
                time.sleep(0.005)
            result = Run(time.monotonic() - began)
            time.sleep(WARM_UP_S + seconds)
            result.memory_mb = memory(process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(10)
        health = messages(heard, "health/1")
        last = [one for one in health if one["mono_ns"] > health[-1]["mono_ns"] - seconds * 1e9]
        if len(last) > 1:
            passed_s = (last[-1]["mono_ns"] - last[0]["mono_ns"]) / 1e9
            result.fps = (last[-1]["frames"] - last[0]["frames"]) / passed_s
    return result


def main() -> None:
    """Run the rounds and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 2, 4, 8], help="numbers of streams")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=10.0, help="measured of each daemon")
    parser.add_argument("--fps", type=float, default=30.0, help="of each stream, for memory")
    args = parser.parse_args()
    paced: dict[int, list[Run]] = {n: [] for n in args.streams}
    fast: dict[int, list[Run]] = {n: [] for n in args.streams}
    for number in range(args.rounds):
        for n in args.streams if number % 2 == 0 else args.streams[::-1]:
            paced[n].append(run(n, f"fps={args.fps:g}", args.seconds))
            fast[n].append(run(n, "pace=max", args.seconds))
    fewest = args.streams[0]
    print(f"{args.rounds} rounds, medians; memory is PSS in MB with streams at {args.fps:g} frames/s")
    print(
        f"{'streams':>7} {'first finding':>13} {'memory':>7} {'each more':>9} {'frames/s':>9} {'of first':>8}   where"
    )
    for n in args.streams:
        total = statistics.median(one.total_mb for one in paced[n])
        more = (total - statistics.median(one.total_mb for one in paced[fewest])) / max(1, n - fewest)
        fps = statistics.median(one.fps for one in fast[n])
        share = statistics.median(a.fps / b.fps for a, b in zip(fast[n], fast[fewest], strict=True))
        first = statistics.median(one.first_s for one in paced[n])
        parts = {
            name: statistics.median(r.memory_mb.get(name, 0.0) for r in paced[n]) for name in paced[n][0].memory_mb
        }
        said = ", ".join(f"{name} {mb:.1f}" for name, mb in parts.items())
        print(f"{n:7} {first:11.2f} s {total:7.1f} {more:9.1f} {fps:9.1f} {share:8.3f}   {said}")


if __name__ == "__main__":
    main()
