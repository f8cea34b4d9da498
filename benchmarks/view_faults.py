"""Faults while a page is open, for `benchmarks/view.py`: viewer and frame process killed, and how soon it is live."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

from view_daemon import WAIT_S, MeasuredDaemon, summary


def measure_faults(kills: int) -> dict[str, Any]:
    """Seconds until a page is live again after the viewer was killed, and until it tells that the frame process was.

    Raises AssertionError if a killed viewer cost the frame process anything.
    """
    with tempfile.TemporaryDirectory() as folder:
        daemon = MeasuredDaemon("phantom://?seed=1&fps=30", Path(folder), view=True)
        frame_process = daemon.child("edge.daemon.frame.process").pid
        _live_again(daemon)
        back = []
        for _ in range(kills):
            daemon.child("edge.viewer.process").kill()
            back.append(_live_again(daemon))
        assert daemon.child("edge.daemon.frame.process").pid == frame_process
        told, live = _frame_process_killed(daemon)
        daemon.end()
        lines = [json.loads(line) for line in (Path(folder) / "out.jsonl").read_text().splitlines()]
    bodies = [line.get("payload", line.get("message", line)) for line in lines]
    # Of the coverage, before the frame process was killed: nothing but the start had no result.
    coverage = [body for body in bodies if body.get("schema") == "coverage/1"]
    no_result = [body["reason"] for body in coverage[1:] if body["status"] == "no_result"]
    gaps = [reason for reason in no_result if reason not in ("starting", "stopped")]
    return {
        "kills": kills,
        "live_again_s": summary(back),
        "gaps_in_coverage": len(gaps),
        "frame_process_told_s": round(told, 2),
        "frame_process_live_again_s": round(live, 2),
    }


def _live_again(daemon: MeasuredDaemon) -> float:
    """Seconds until a page is connected and has a picture of less than a second ago."""
    from viewer_page import connected

    began = time.monotonic()
    while time.monotonic() - began < WAIT_S:
        try:
            with connected(daemon.address) as page:
                page.stream = "cart"
                page.until(lambda got: bool(got["frame"]) and got["frame"]["age_ms"] < 1000)
                return time.monotonic() - began
        except Exception:  # noqa: PERF203  (it is not there yet)
            time.sleep(0.02)
    raise AssertionError("the page did not come back")


def _frame_process_killed(daemon: MeasuredDaemon) -> tuple[float, float]:
    """Seconds until an open page tells that nothing is judged, and until it is live again after that."""
    from viewer_page import connected

    with connected(daemon.address) as page:
        page.stream = "cart"
        page.until(lambda got: got["frame"] is not None)
        daemon.child("edge.daemon.frame.process").kill()
        began = time.monotonic()
        page.until(lambda got: got["device"]["down"])
        told = time.monotonic() - began
        page.until(lambda got: bool(got["frame"]) and not got["device"]["down"] and got["frame"]["age_ms"] < 1000)
        return told, time.monotonic() - began
