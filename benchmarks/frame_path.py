"""How much of the runtime's speed reaches the user: bare ``invoke`` beside the whole loop, in one run.

    python benchmarks/frame_path.py [--rounds 9] [--frames 300] [--grey]

bare        LiteRT in this process: fill the input, invoke, read the outputs; nothing else
in-process  the loop of `edge-cli infer`: stages one after another
isolated    the loop of `edge-cli run`: capture thread, preprocessing, runtime child, post-processing, outbox on disk
one core    the same, all of its processes on one core: what the work costs where nothing can go on beside it

640x480 RGB (or grey) phantom frames, 1 thread, the shipped model; each frame shows a lesion, which is the dear case.
Rounds are interleaved; the ratio of each round is taken before the median, so that a machine whose clock wanders (or
that others use too) does not favour anyone. ``child slept`` is how often by frame the runtime had to wait for us: near
0 where the loop is ahead of it. ``ours`` is CPU time of this process by frame: all that is not the runtime.
"""

from __future__ import annotations

import argparse
import os
import platform
import socket
import statistics
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from edge.app.compose import choose_model, make_guard
from edge.app.handover import OutboxHandover
from edge.app.stamper import Stamper
from edge.config.settings import RuntimeSettings, Settings, StreamSettings
from edge.contracts.frames import Frame, SourceEvent
from edge.contracts.results import Reason
from edge.contracts.tensors import Tensor
from edge.pipeline import loop
from edge.pipeline.analyser import Analyser
from edge.pipeline.intake import Intake
from edge.pipeline.messages import Messages, Provenance
from edge.pipeline.reporter import Reporter
from edge.plugins import make_runtime
from edge.preprocess.preprocessor import Preprocessor
from edge.runtimes.isolated import IsolatedRuntime
from edge.sources.phantom_scene import PhantomScene
from edge.sources.phantom_spec import PhantomSpec
from edge.sources.replay import ReplaySource

SETTINGS = Settings(
    streams=[StreamSettings(name="bench", source="replay://frames")],
    runtime=RuntimeSettings(uri="litert://?threads=1"),
)


SLEPT: list[float] = []
"""Of `isolated`: times by frame that the runtime child went to sleep."""
OURS_MS: list[float] = []
"""Of `isolated`: CPU time by frame of this process."""


def phantom_frames(count: int, *, grey: bool = False) -> list[Frame]:
    """``count`` frames of a cine of 30 different ones, as an RGB (or grey) camera would give them."""
    scene = PhantomScene(PhantomSpec(seed=1, lesions=1))
    pictures = [scene.pixels(i) for i in range(30)]
    if not grey:
        pictures = [cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB) for pixels in pictures]
    return [
        Frame("bench", i, time.monotonic_ns(), None, pictures[i % len(pictures)], (scene.region,)) for i in range(count)
    ]


def bare(frames: list[Frame]) -> float:
    """Frames per second of invoke alone."""
    model = choose_model(SETTINGS)
    runtime = make_runtime(SETTINGS.runtime.uri, model.path, model.manifest)
    preprocess = Preprocessor(model.manifest.recipe)
    tensors = [Tensor(preprocess(f.pixels, f.regions)[0], model.manifest.input) for f in frames[:30]]
    for tensor in tensors:
        runtime.submit(tensor)
        runtime.wait(1.0)
    began = time.perf_counter()
    for i in range(len(frames)):
        runtime.submit(tensors[i % len(tensors)])
        runtime.wait(1.0)
    return len(frames) / (time.perf_counter() - began)


def in_process(frames: list[Frame]) -> float:
    """Frames per second of `Analyser.analyse`."""
    model = choose_model(SETTINGS)
    analyser = Analyser(model.manifest, make_guard(SETTINGS, model, isolated=False))
    for frame in frames[:30]:
        analyser.analyse(frame)
    began = time.perf_counter()
    for frame in frames:
        analyser.analyse(frame)
    return len(frames) / (time.perf_counter() - began)


def isolated(frames: list[Frame]) -> float:
    """Frames per second of the daemon's loop, findings going to a real outbox."""
    model = choose_model(SETTINGS)
    analyser = Analyser(model.manifest, make_guard(SETTINGS, model, isolated=True))
    for frame in frames[:30]:
        analyser.analyse(frame)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with tempfile.TemporaryDirectory() as directory:
        handover = OutboxHandover(directory, ours)
        messages = Messages(
            Stamper("bench", "run").stamp,
            Provenance(model.manifest, model.ref, image_ref=False),
        )
        reporter = Reporter(SETTINGS, messages, handover)
        end = SourceEvent("ended", Reason.STREAM_ENDED)
        slept, spent = sleeps_of(analyser), time.process_time()
        began = time.perf_counter()
        intake = Intake({"bench": ReplaySource.of([*frames, end])})
        loop.run(intake, analyser, reporter, lambda: False)
        took = time.perf_counter() - began
        SLEPT.append((sleeps_of(analyser) - slept) / len(frames))
        OURS_MS.append((time.process_time() - spent) * 1000 / len(frames))
        answered = reporter.stats.snapshot()["frames"]
        assert answered == len(frames), f"{answered} of {len(frames)} frames were answered"
        intake.close()
        handover.close(5.0)
    analyser.close()
    ours.close()
    theirs.close()
    return len(frames) / took


def sleeps_of(analyser: Analyser) -> int:
    """How often the runtime child has gone to sleep of its own will."""
    runtime = analyser.guard.runtime
    assert isinstance(runtime, IsolatedRuntime)
    lines = Path(f"/proc/{runtime.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))


def one_core(frames: list[Frame]) -> float:
    """As `isolated`, on one of the cores that we may use."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})  # children and threads that are started from here on inherit it
    try:
        return isolated(frames)
    finally:
        os.sched_setaffinity(0, allowed)


def main() -> None:
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="interleaved rounds (default 9)")
    parser.add_argument("--frames", type=int, default=300, help="frames a round and way (default 300)")
    parser.add_argument("--grey", action="store_true", help="frames of one channel, as JPEG in DICOM and phantoms have")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    frames = phantom_frames(args.frames, grey=args.grey)
    ways = {"bare": bare, "in-process": in_process, "isolated": isolated, "one core": one_core}
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(args.rounds):
        order = list(ways) if number % 2 == 0 else list(reversed(ways))  # no one always runs after a warm-up
        for name in order:
            speeds[name].append(ways[name](frames))
    kind = "grey" if args.grey else "RGB"
    print(f"{platform.machine()}, {args.rounds} rounds of {args.frames} frames, 640x480 {kind}, 1 thread")
    print(f"{'way':12} {'frames/s':>9} {'of bare':>8}   range of the ratio")
    for name, values in speeds.items():
        ratios = np.array(values) / np.array(speeds["bare"])
        print(
            f"{name:12} {statistics.median(values):9.1f} {statistics.median(ratios):8.3f}"
            f"   {ratios.min():.3f} - {ratios.max():.3f}"
        )
    print(f"child slept {statistics.median(SLEPT):.2f} times a frame; ours {statistics.median(OURS_MS):.2f} ms a frame")


if __name__ == "__main__":
    main()
