"""Benchmark of fall-back: time from a runtime's last breath to the first frame that the fall-back has computed.

    python benchmarks/fallback_time.py [--rounds 10] [--timeout-s 0.8] [--json FILE]

The configured runtime answers four frames and then hangs, dies, or is stuck in a driver so that it cannot be killed
(state D, by a FUSE file; as root only). The fall-back is LiteRT with the shipped model. From the submission of the
fifth frame on, each frame is asked for at once after the one before, as a busy stream does; what is told is when the
first answer came, and how many frames were `no_result` before it. The time limit for one frame (`runtime.timeout_s`) is
part of it, where the runtime does not die by itself.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from faults.stuck_driver import StuckDriver, why_not
from result_file import describe_machine

from edge.app.compose import choose_model, make_guard
from edge.config.settings import RuntimeSettings, Settings
from edge.contracts.results import Reason
from edge.contracts.tensors import Tensor
from edge.process.reaper import reaper

if TYPE_CHECKING:
    from edge.pipeline.guard import RuntimeGuard

GOOD_FRAMES = 4
READY_S = 2.0
"""For the fall-back to be loaded and tested beside the first frames."""


def ask(guard: RuntimeGuard, tensor: Tensor) -> bool:
    """Ask for one frame; whether it was computed."""
    return guard.submit(tensor) is None and not isinstance(guard.wait(), Reason)


def measure(uri: str, timeout_s: float) -> tuple[float, int]:
    """Seconds from the frame that fails to the fall-back's first answer, and the frames that were lost."""
    runtime = RuntimeSettings(uri=uri, fallback=["litert://?threads=1"], timeout_s=timeout_s, probe_s=3600.0)
    settings = Settings(runtime=runtime)
    guard = make_guard(settings, choose_model(settings), isolated=True)
    try:
        tensor = Tensor(np.zeros(guard.spec.input.shape, np.uint8), guard.spec.input)
        for _ in range(GOOD_FRAMES):
            assert ask(guard, tensor)
        time.sleep(READY_S)
        began, lost = time.monotonic(), 0
        while not ask(guard, tensor):
            lost += 1
        assert guard.ref.fallback
        return time.monotonic() - began, lost
    finally:
        guard.close()


def measure_stuck(timeout_s: float) -> tuple[float, int]:
    """Measure a runtime that cannot be killed, as `measure` does; its driver is released afterwards."""
    with tempfile.TemporaryDirectory() as folder, StuckDriver(Path(folder)) as driver:
        took = measure(f"scripted://?read_at={GOOD_FRAMES + 1}&read={driver.path}", timeout_s)
        assert reaper.left_behind(), "it could be killed"
    while reaper.left_behind():
        time.sleep(0.01)
    return took


def main() -> int:
    """Command line: measure and print; exit code 1 if a fall-back took 2 s or longer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--timeout-s", type=float, default=RuntimeSettings().timeout_s, help="of one frame")
    parser.add_argument("--json", type=Path, help="write the results here")
    options = parser.parse_args()
    faults = {
        "hangs": lambda: measure(f"scripted://?hang_at={GOOD_FRAMES + 1}", options.timeout_s),
        "dies": lambda: measure(f"scripted://?die_at={GOOD_FRAMES + 1}", options.timeout_s),
        "cannot be killed": lambda: measure_stuck(options.timeout_s),
    }
    with tempfile.TemporaryDirectory() as folder:
        if why := why_not(Path(folder)):
            print(f"no unkillable process: {why}")
            del faults["cannot be killed"]
    results = {}
    for name, fault in faults.items():
        rounds = [fault() for _ in range(options.rounds)]
        times = [took for took, _ in rounds]
        results[name] = {
            "median_s": round(statistics.median(times), 3),
            "longest_s": round(max(times), 3),
            "frames_lost": max(lost for _, lost in rounds),
        }
        print(f"{name:18} {json.dumps(results[name])}", flush=True)
    if options.json:
        whole = {"machine": describe_machine(), "timeout_s": options.timeout_s, "fallback_time": results}
        options.json.write_text(json.dumps(whole, indent=2) + "\n")
    return int(any(one["longest_s"] >= 2.0 for one in results.values()))


if __name__ == "__main__":
    sys.exit(main())
