"""Benchmark of the frame path: bare ``invoke`` beside the whole loop, in one run.

How much of the runtime's speed reaches the user?

    python benchmarks/frame_path.py [--rounds 9] [--seconds 2] [--grey]

bare        LiteRT in this process: fill the input, invoke, read the outputs; nothing else
in-process  the loop of `edge-cli infer`: stages one after another
isolated    the loop of `edge-cli run`: capture thread, preprocessing, runtime child, post-processing, outbox on disk
one core    the same, all of its processes on one core: what the work costs where nothing can go on beside it

640x480 RGB (or grey) phantom frames, 1 thread, the shipped model; each frame shows a lesion, which is the dear case.
Rounds are interleaved; the ratio of each round is taken before the median, so that a machine whose clock wanders (or
that others use too) does not favour anyone. ``child slept`` is how often by frame the runtime had to wait for us: near
0 where the loop is ahead of it. ``ours`` is CPU time of this process by frame: all that is not the runtime.

The second table is CPU time by stage, one after the other as in-process: ``invoke`` with the copies of its tensors,
``decide`` with one lesion. Each is the lower quartile of a round's frames; the ratio to ``invoke`` is taken by round.

The ways are those of `benchmarks/peers.py` (`peer_runners/`), which has the peers, latencies and a broker beside them.
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from peer_runners.daemon import Daemon
from peer_runners.in_process import InProcess, regions_of, settings_of
from peer_runners.litert import Bare
from peer_runners.peer import Peer, PeerSetup

from edge.app.compose import choose_model, make_guard
from edge.contracts.results import Reason
from edge.contracts.tensors import Tensor
from edge.models.bundle import SHIPPED_BUNDLE
from edge.phantom.scene import PhantomScene
from edge.phantom.spec import PhantomSpec
from edge.postprocess.abstention_rules import pixel_gate
from edge.postprocess.decide import decide
from edge.preprocess.preprocessor import Preprocessor
from edge.runtimes.isolated import IsolatedRuntime

if TYPE_CHECKING:
    from edge.contracts.manifest import ModelManifest
    from edge.pipeline.guard import RuntimeGuard

WARM_UP_S = 0.2


@dataclass(slots=True)
class LoopCost:
    """Costs of the daemon's loop by frame, a value a run."""

    slept: list[float] = field(default_factory=list)
    """Times that the runtime child went to sleep."""
    cpu_ms: list[float] = field(default_factory=list)
    """CPU time of this process."""


def peer_setup(*, grey: bool) -> PeerSetup:
    """Set-up of all peers: 30 different pictures of a cine, as an RGB (or grey) camera would give them.

    (30, 480, 640, 3) uint8 RGB, or (30, 480, 640) uint8 grey.
    """
    scene = PhantomScene(PhantomSpec(seed=1, lesions=1))
    pictures = [scene.pixels(number) for number in range(30)]
    if not grey:
        pictures = [cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB) for pixels in pictures]
    region = (*map(float, scene.region.box), scene.region.mm_x, scene.region.mm_y)
    return PeerSetup(str(SHIPPED_BUNDLE), 1, "", np.stack(pictures), region)


def speed_of(peer: Peer, seconds: float) -> float:
    """Frames per second of ``peer``, which is closed."""
    try:
        peer.throughput(WARM_UP_S)
        count, took = peer.throughput(seconds)
    finally:
        peer.close()
    return count / took


def isolated(setup: PeerSetup, seconds: float, cost: LoopCost) -> float:
    """Frames per second of the daemon's loop, findings going to a real outbox."""
    daemon = Daemon(setup)
    try:
        daemon.throughput(WARM_UP_S)
        slept, spent = sleeps_of(daemon), time.process_time()
        count, took = daemon.throughput(seconds)
        cost.slept.append((sleeps_of(daemon) - slept) / count)
        cost.cpu_ms.append((time.process_time() - spent) * 1000 / count)
    finally:
        daemon.close()
    return count / took


def sleeps_of(daemon: Daemon) -> int:
    """How often the runtime child has gone to sleep of its own will."""
    runtime = daemon.analyser.guard.runtime
    assert isinstance(runtime, IsolatedRuntime)
    lines = Path(f"/proc/{runtime.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))


def one_core(setup: PeerSetup, seconds: float, cost: LoopCost) -> float:
    """Frames per second as `isolated`, on one of the cores that we may use."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})  # children and threads that are started from here on inherit it
    try:
        return isolated(setup, seconds, cost)
    finally:
        os.sched_setaffinity(0, allowed)


class StageCosts:
    """CPU time of each stage of a frame in this thread: a value a round, in ms."""

    def __init__(self, setup: PeerSetup) -> None:
        self._setup = setup
        self.ms: dict[str, list[float]] = {name: [] for name in ("invoke", "preprocess", "gate", "decide")}

    def run(self, seconds: float) -> None:
        """Measure one round of about ``seconds``."""
        settings = settings_of(self._setup)
        model = choose_model(settings)
        guard = make_guard(settings, model, isolated=False)
        taken: dict[str, list[int]] = {name: [] for name in self.ms}
        try:
            self._frames(guard, model.manifest, WARM_UP_S, {name: [] for name in self.ms})
            self._frames(guard, model.manifest, seconds, taken)
        finally:
            guard.close()
        for name, values in taken.items():
            self.ms[name].append(float(np.quantile(values, 0.25)) / 1e6)

    def _frames(
        self, guard: RuntimeGuard, manifest: ModelManifest, seconds: float, taken: dict[str, list[int]]
    ) -> None:
        preprocess, regions = Preprocessor(manifest.recipe), regions_of(self._setup)
        end, pictures = time.monotonic() + seconds, itertools.cycle(self._setup.pictures)
        while time.monotonic() < end:
            pixels = next(pictures)
            marks = [time.thread_time_ns()]
            values, placed = preprocess(pixels, regions)
            marks.append(time.thread_time_ns())
            refused = pixel_gate(pixels, placed.crop, preprocess.crop_grey)
            marks.append(time.thread_time_ns())
            guard.submit(Tensor(values, manifest.input))
            outputs = guard.wait()
            marks.append(time.thread_time_ns())
            assert refused is None
            assert not isinstance(outputs, Reason)
            verdict = decide(outputs, manifest, placed, regions, pixels, crop_grey=preprocess.crop_grey)
            marks.append(time.thread_time_ns())
            assert len(verdict.lesions) == 1
            for name, spent in zip(("preprocess", "gate", "invoke", "decide"), np.diff(marks).tolist(), strict=True):
                taken[name].append(spent)

    def table(self) -> str:
        """Medians over all rounds, and their ratios to ``invoke``."""
        lines = [f"{'stage':12} {'CPU ms':>9} {'of invoke':>9}   range of the ratio"]
        for name, values in self.ms.items():
            ratios = np.array(values) / np.array(self.ms["invoke"])
            median, ratio = statistics.median(values), statistics.median(ratios)
            lines.append(f"{name:12} {median:9.3f} {ratio:9.3f}   {ratios.min():.3f} - {ratios.max():.3f}")
        return "\n".join(lines)


def main() -> None:
    """Run the rounds and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="interleaved rounds (default 9)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of a round and way (default 2)")
    parser.add_argument("--grey", action="store_true", help="frames of one channel, as JPEG in DICOM and phantoms have")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    setup, cost = peer_setup(grey=args.grey), LoopCost()
    stages = StageCosts(setup)
    ways = {
        "bare": lambda: speed_of(Bare(setup), args.seconds),
        "in-process": lambda: speed_of(InProcess(setup), args.seconds),
        "isolated": lambda: isolated(setup, args.seconds, cost),
        "one core": lambda: one_core(setup, args.seconds, cost),
    }
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(args.rounds):
        for name in ways if number % 2 == 0 else reversed(ways):  # no one always runs after a warm-up
            speeds[name].append(ways[name]())
        stages.run(args.seconds)
    kind = "grey" if args.grey else "RGB"
    print(f"{platform.machine()}, {args.rounds} rounds of {args.seconds:g} s, 640x480 {kind}, 1 thread")
    print(f"{'way':12} {'frames/s':>9} {'of bare':>8}   range of the ratio")
    for name, values in speeds.items():
        ratios = np.array(values) / np.array(speeds["bare"])
        print(
            f"{name:12} {statistics.median(values):9.1f} {statistics.median(ratios):8.3f}"
            f"   {ratios.min():.3f} - {ratios.max():.3f}"
        )
    slept, cpu_ms = statistics.median(cost.slept), statistics.median(cost.cpu_ms)
    print(f"child slept {slept:.2f} times a frame; ours {cpu_ms:.2f} ms a frame")
    print(stages.table())


if __name__ == "__main__":
    main()
