"""Benchmark of the page: what the tap costs, glass to glass in Chromium, and what an open page costs the judging.

    python benchmarks/view.py [--only tap,maps,glass,rtsp,load,faults] [--json FILE]

Needs the extra viewer, Debian's chromium and Playwright. The camera is an MJPEG server whose pictures carry the time at
which they were drawn (`tests/clock_pixels.py`), in a process of its own, 30 a second.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from result_file import describe_machine, write_section
from view_daemon import summary
from view_faults import measure_faults
from view_glass import measure_glass, measure_rtsp
from view_load import measure_load
from view_maps import measure_maps


def measure_tap() -> dict[str, Any]:
    """Time of one `FrameTap.offer`, in milliseconds: mask, copy and note, with an outline that stays."""
    import os

    from edge.contracts.frame_result import Result
    from edge.contracts.frames import Frame
    from edge.contracts.region import Region
    from edge.contracts.results import Status
    from edge.tap.channel import ChannelFds, ViewerChannel
    from edge.tap.writer import FrameTap

    found = {}
    for name, (width, height, channels) in {
        "640x480 grey": (640, 480, 1), "640x480 RGB": (640, 480, 3), "1920x1080 RGB": (1920, 1080, 3),
    }.items():  # fmt: skip
        channel = ViewerChannel(1)
        tap = FrameTap(ChannelFds.from_list([os.dup(fd) for fd in channel.frame_fds()]), ["cart"])
        shape = (height, width) if channels == 1 else (height, width, channels)
        pixels = np.random.default_rng(1).integers(0, 255, shape, np.uint8)
        outline = ((width // 3, 10), (2 * width // 3, 10), (width - 20, height - 20), (20, height - 20))
        region = Region(box=(20, 10, width - 40, height - 30), outline=outline, shape="sector")
        times = []
        for seq in range(300):
            frame = Frame("cart", seq, seq * 33_000_000, None, pixels, (region,))
            result = Result(
                stream="cart", frame_seq=seq, captured_ns=seq * 33_000_000, status=Status.CLEAR, malignancy=0.1,
                latency_ms={"total": 20.0},
            )  # fmt: skip
            began = time.perf_counter()
            tap.offer(frame, result, "exam", ())
            times.append((time.perf_counter() - began) * 1e3)
        found[name] = summary(times[20:])
        channel.close()
    return found


def main() -> int:
    """Measure what was asked for, print it, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="tap,maps,glass,rtsp,load,faults")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results: dict[str, Any] = {"machine": describe_machine()}
    if "tap" in options.only:
        results["tap_ms"] = measure_tap()
    if "maps" in options.only:
        results["maps"] = measure_maps()
    if "glass" in options.only:
        results["page"] = measure_glass(options.seconds)
    if "rtsp" in options.only:
        results["rtsp"] = measure_rtsp(options.seconds)
    if "load" in options.only:
        results["load"] = measure_load(options.rounds, options.seconds)
    if "faults" in options.only:
        results["faults"] = measure_faults(options.kills)
    print(json.dumps(results, indent=1))
    if options.json:
        write_section(options.json, "view", results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
