"""Measures live sources against real servers whose pictures carry their clock: age, losses, faults, cost.

    make live ARGS='--kinds rtsp-mjpeg,rtsp-h264,http --json live.json'
    .venv-test/bin/python benchmarks/live.py --seconds 20 --faults 30

Three measurements a kind, all through the daemon's own capture (`edge.pipeline.capture`):

- steady: frames at 30/s; each must be taken or counted as dropped, none twice, and its published time of capture is
  compared with the clock in the picture.
- faults: the server is killed and started again, stopped and continued, and the source's child process is killed, in
  turn; when the loss was told, when the first picture came after the server was back, and whether any picture was older
  than it said. PSS and private memory of this process and the source's child, last quarter against first.
- cost: processor time of receiving 1080p MJPEG at 30/s, against decoding the same pictures and nothing else.

A kind of stream is a `Rig` in `live_rigs.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.append(str(Path(__file__).parents[1] / "tests"))

import cv2
import numpy as np
from live_memory import private_mb, quarters
from live_rigs import LARGE, RIGS, AbsentRigError, HttpRig, Rig
from live_servers import clock_jpeg

from edge.config.settings import StreamSettings
from edge.config.uri import parse_uri
from edge.contracts.frames import Frame, SourceEvent
from edge.pipeline.capture import FrameCapture
from edge.process.usage import pss_mb

if TYPE_CHECKING:
    from clock_pixels import PictureClock

STALE_MS = 1000.0
"""A picture that is older when it is taken must not be judged."""
STREAM = "live"


@dataclass
class Taken:
    """What was taken from the capture, as far as it is needed."""

    numbers: list[int] = field(default_factory=list)
    errors_ms: list[float] = field(default_factory=list)
    """Published time of capture minus the clock in the picture."""
    ages_ms: list[float] = field(default_factory=list)
    """True age when it was taken."""
    unreadable: int = 0
    stale: int = 0
    events: list[tuple[float, str, str]] = field(default_factory=list)

    def add(self, frame: Frame, clock: PictureClock | None, now: int) -> None:
        """Add what a frame says of itself."""
        if clock is None:
            self.unreadable += 1
            return
        age = (now - clock.at_ns) / 1e6
        self.numbers.append(clock.number)
        self.errors_ms.append((frame.captured_ns - clock.at_ns) / 1e6)
        self.ages_ms.append(age)
        self.stale += age > STALE_MS


class Intake:
    """The daemon's capture of one stream, read by one loop that judges nothing."""

    def __init__(self, rig: Rig, query: str = "") -> None:
        self._rig = rig
        uri = rig.uri + query
        settings = StreamSettings(name=STREAM, source=uri, frozen_after_s=0)
        self.live = rig.source(parse_uri(uri), settings)
        self.capture = FrameCapture({STREAM: self.live}, streams=[settings])
        self.taken = Taken()

    def step(self, timeout_s: float = 0.1) -> Frame | SourceEvent | None:
        """Take the next frame or event."""
        found = self.capture.next(timeout_s)
        if found is None:
            return None
        item = found[1]
        if isinstance(item, Frame):
            now = time.monotonic_ns()
            self.taken.add(item, self._rig.clock_of(item), now)
        else:
            self.taken.events.append((time.monotonic(), item.kind, item.detail))
        return item

    def run(self, seconds: float) -> None:
        """Take what comes for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.step()

    def wait_for_frame(self) -> float:
        """Take until a frame comes; when."""
        return self._wait(lambda item: isinstance(item, Frame))

    def wait_for_loss(self) -> float:
        """Take until the stream is lost; when."""
        return self._wait(lambda item: isinstance(item, SourceEvent) and item.kind == "lost")

    def _wait(self, wanted: Any) -> float:
        end = time.monotonic() + self._rig.patience_s
        while time.monotonic() < end:
            if wanted(self.step()):
                return time.monotonic()
        raise SystemExit(f"nothing came within {self._rig.patience_s:.0f} s: {self.taken.events[-3:]}")


def percentiles(values: list[float]) -> dict[str, float]:
    """50th and 95th percentile and both ends."""
    if not values:
        return {}
    low, p50, p95, high = np.percentile(values, [0, 50, 95, 100])
    return {"min": round(low, 2), "p50": round(p50, 2), "p95": round(p95, 2), "max": round(high, 2)}


def measure_steady(rig: Rig, seconds: float) -> dict[str, Any]:
    """Times and losses of a stream that is well."""
    intake = Intake(rig)
    intake.wait_for_frame()
    before = sum(intake.capture.dropped.values())
    intake.taken = Taken()
    intake.run(seconds)
    dropped = sum(intake.capture.dropped.values()) - before
    intake.capture.close()
    taken = intake.taken
    spread = taken.numbers[-1] - taken.numbers[0] + 1
    return {
        "frames": len(taken.numbers),
        "dropped": dropped,
        "twice": len(taken.numbers) - len(set(taken.numbers)),
        "unreadable": taken.unreadable,
        "neither_taken_nor_counted": max(0, spread - len(taken.numbers) - dropped),
        "events": [detail for _, _, detail in taken.events],
        "capture_time_error_ms": percentiles(taken.errors_ms),
        "age_when_taken_ms": percentiles(taken.ages_ms),
    }


def measure_faults(rig: Rig, count: int) -> dict[str, Any]:
    """Kills and stalls in turn: when they are told, when the stream is back, and whether anything old came."""
    intake = Intake(rig)
    intake.wait_for_frame()
    told: dict[str, list[float]] = {"killed": [], "stopped": [], "child": []}
    back: dict[str, list[float]] = {"killed": [], "stopped": [], "child": []}
    memory: list[float] = []
    private: list[float] = []
    for number in range(count):
        what = ("killed", "stopped", "child")[number % 3]
        intake.run(0.3)
        ours = [os.getpid(), intake.live.pid or 0]
        memory.append(sum(pss_mb(pid) or 0.0 for pid in ours))
        private.append(sum(map(private_mb, ours)))
        began = time.monotonic()
        if what == "killed":
            rig.kill()
        elif what == "stopped":
            rig.signal(signal.SIGSTOP)
        else:
            os.kill(intake.live.pid or 0, signal.SIGKILL)
        told[what].append(intake.wait_for_loss() - began)
        if what != "child":
            intake.run(0.5 + (number % 5) * 0.5)
        if what == "killed":
            rig.start()
        elif what == "stopped":
            rig.signal(signal.SIGCONT)
        began = began if what == "child" else time.monotonic()
        back[what].append(intake.wait_for_frame() - began)
    intake.capture.close()
    return {
        "faults": count,
        "stale_pictures": intake.taken.stale,
        "younger_than_true_by_ms": percentiles(intake.taken.errors_ms),
        "told_after_s": {what: percentiles(values) for what, values in told.items()},
        "live_again_after_s": {what: percentiles(values) for what, values in back.items()},
        "pss_mb": quarters(memory),
        "private_mb": quarters(private),
    }


def measure_cost(seconds: float) -> dict[str, Any]:
    """Processor time a frame of 1080p MJPEG over HTTP: all of intake, and its decoding alone, in turn."""
    rig = HttpRig(LARGE, prepared=True)
    picture = np.frombuffer(clock_jpeg(3, *LARGE), np.uint8)
    try:
        intake = Intake(rig)
        intake.wait_for_frame()
        costs, bare = [], []
        for _ in range(3):
            costs.append(_cost_of_intake(intake, seconds / 3))
            bare.append(_cost_of_decoding(picture))
        intake.capture.close()
    finally:
        rig.kill()
    ours = statistics.median(child + parent for child, parent in costs)
    return {
        "jpeg_bytes": picture.size,
        "intake_ms_a_frame": round(ours, 2),
        "of_it_in_child_ms": round(statistics.median(child for child, _ in costs), 2),
        "bare_decode_ms_a_frame": round(statistics.median(bare), 2),
        "ratio": round(ours / statistics.median(bare), 3),
    }


def _cost_of_intake(intake: Intake, seconds: float) -> tuple[float, float]:
    """Milliseconds of processor time a frame that came: of the child, and of this process."""
    pid = intake.live.pid or 0
    child, ours = _child_cpu_s(pid), time.process_time()
    dropped = sum(intake.capture.dropped.values())
    frames = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = intake.capture.next(0.1)
        frames += found is not None and isinstance(found[1], Frame)
    frames += sum(intake.capture.dropped.values()) - dropped
    return 1e3 * (_child_cpu_s(pid) - child) / frames, 1e3 * (time.process_time() - ours) / frames


def _child_cpu_s(pid: int) -> float:
    """Processor time of a process by the scheduler's own count, which is exact where /proc/stat counts ticks."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def _cost_of_decoding(picture: Any) -> float:
    """Milliseconds of processor time to decode one JPEG to RGB, and nothing else."""
    for _ in range(3):
        cv2.imdecode(picture, cv2.IMREAD_COLOR_RGB)
    began, count = time.process_time(), 60
    for _ in range(count):
        cv2.imdecode(picture, cv2.IMREAD_COLOR_RGB)
        time.sleep(0.01)
    return 1e3 * (time.process_time() - began) / count


def main() -> int:
    """Measure the kinds that are asked for, and print what came of it as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kinds", default=",".join(RIGS), help="comma-separated: " + ", ".join(RIGS))
    parser.add_argument("--seconds", type=float, default=20.0, help="of each steady measurement")
    parser.add_argument("--faults", type=int, default=100, help="kills and stalls a kind; 0: none")
    parser.add_argument("--no-cost", dest="cost", action="store_false", help="leave out the processor time")
    parser.add_argument("--json", type=Path, help="file that the result is written to")
    arguments = parser.parse_args()
    result: dict[str, Any] = {"load_average": os.getloadavg()[0], "cores": os.cpu_count(), "kinds": {}}
    for name in arguments.kinds.split(","):
        try:
            rig = RIGS[name]()
        except AbsentRigError as error:
            print(f"{name}: skipped, {error}", flush=True)
            continue
        try:
            measured = {"steady": measure_steady(rig, arguments.seconds)}
            if arguments.faults:
                measured["faults"] = measure_faults(rig, arguments.faults)
        finally:
            rig.kill()
        result["kinds"][name] = measured
        print(json.dumps({name: measured}, indent=2), flush=True)
    if arguments.cost:
        result["cost_1080p_mjpeg"] = measure_cost(arguments.seconds)
        print(json.dumps(result["cost_1080p_mjpeg"], indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
