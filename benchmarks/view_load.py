"""What an open page costs the judging, for `benchmarks/view.py`: with a page and without, alternated in one run."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from view_daemon import MeasuredDaemon


def run_load(source: str, *, view: bool, seconds: float) -> dict[str, float]:
    """Frames a second, lost frames and the p99 of a frame's age, of a live phantom or one as fast as it goes."""
    from viewer_page import connected

    with tempfile.TemporaryDirectory() as folder:
        daemon = MeasuredDaemon(source, Path(folder), view=view)
        stop = threading.Event()

        def watch() -> None:
            with connected(daemon.address) as page:
                page.stream, number = "cart", -1
                while not stop.is_set() and daemon.process.poll() is None:
                    number = page.live(after=number)[0]["stream"]["number"]

        began = time.monotonic()
        if view:
            threading.Thread(target=lambda: _quietly(watch), daemon=True).start()
        if seconds:
            time.sleep(seconds)
            stop.set()
            daemon.end()
        else:
            daemon.process.wait(600)
        took = time.monotonic() - began
        lines = (Path(folder) / "out.jsonl").read_text().splitlines()
    health = [message for message in map(json.loads, lines) if _schema(message) == "health/1"]
    bodies = [message.get("payload", message.get("message", message)) for message in health]
    ages = [body["total_p99_ms"] for body in bodies[1:] if body.get("total_p99_ms")]
    return {
        "took_s": round(took, 2),
        "p99_age_ms": round(statistics.median(ages), 2) if ages else -1.0,
        "dropped_after_start": bodies[-1]["dropped"] - bodies[1]["dropped"] if len(bodies) > 1 else -1,
    }


def _schema(message: dict[str, Any]) -> str:
    return str(message.get("payload", message.get("message", message)).get("schema"))


def _quietly(call: Any) -> None:
    try:
        call()
    except Exception as error:  # the daemon has ended
        print(f"page: {error!r}"[:100], file=sys.stderr)


def measure_load(rounds: int, seconds: float) -> dict[str, Any]:
    """Alternated in one run: without a page, and with one that is open."""
    found: dict[str, Any] = {"live": {"off": [], "on": []}, "max": {"off": [], "on": []}}
    for _ in range(rounds):
        for kind, source, span in (
            ("live", "phantom://?seed=1&fps=30", seconds),
            ("max", "phantom://?seed=1&frames=1500", 0),
        ):
            for name in ("off", "on"):
                found[kind][name].append(run_load(source, view=name == "on", seconds=span))
                print(kind, name, found[kind][name][-1], flush=True)
    off, on = ([each["took_s"] for each in found["max"][name]] for name in ("off", "on"))
    found["max_throughput_ratio"] = round(statistics.median(off) / statistics.median(on), 3)
    return found
