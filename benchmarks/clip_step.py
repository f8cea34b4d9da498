"""What a bundle's recurrent step costs, and how far it is from the floats: three goals, each with its figure.

    python -m benchmarks.clip_step runs/video model.tflite

The difference is that of malignancy and presence over 120 steps, each feeding its own state back, on sequences of the
run. The time is that of a step with two tracks against a whole frame's, medians in turns. The memory is the
proportional set size (PSS) of a process like the daemon's frame process and of its runtime, which is a child, before
and after the step is loaded: what both share counts once.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from edge.app.compose import choose_model, make_analyser, make_guard
from edge.config.settings import Settings
from edge.contracts.errors import UsageError
from edge.contracts.frame_result import Result
from edge.contracts.frames import Frame
from edge.contracts.results import Lesion, Status
from edge.models.bundle import load_bundle
from edge.phantom.scene import PhantomScene
from edge.phantom.spec import PhantomSpec
from edge.pipeline.clip_states import ClipState, ClipStates
from edge.process.malloc import limit_malloc_arenas, trim_malloc
from edge.runtimes.clip_step import make_clip_step
from export.clip_bundle import MEAN
from export.clip_run import open_clip_run
from export.clip_step import FAR, difference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.models.clip_model import ClipModel

ROUNDS = 300
TRACKS = 2
SHARE, MEMORY_KB = 0.05, 3 * 1024


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print a line a goal."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of a clip run, or of training video")
    parser.add_argument("model", type=Path, help="bundle that export bundle made of it")
    parser.add_argument("--memory", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.memory:
        print(json.dumps(memory_of(chosen.model)))
        return 0
    clip = clip_of(chosen.model)
    opened = open_clip_run(chosen.run)
    off = difference(clip.graph, opened.weights, opened.x, opened.lengths)
    print(
        f"int8 against float, {off.steps} steps: mean {off.mean:.4f} ({_verdict(off.mean, MEAN)}), "
        f"worst {off.worst:.4f} ({_verdict(off.worst, FAR)}); over {FAR:g} are {off.far:.2%}"
    )
    frame_ms, step_ms = times(chosen.model, clip)
    print(f"a step with {TRACKS} tracks {step_ms:.3f} ms, a frame {frame_ms:.2f} ms: {step_ms / frame_ms:.1%} "
          f"({_verdict(step_ms / frame_ms, SHARE)})")  # fmt: skip
    command = [sys.executable, "-m", "benchmarks.clip_step", str(chosen.run), str(chosen.model), "--memory"]
    grown = [json.loads(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(3)]
    kb = median(after - before for before, after in grown)
    print(f"PSS of frame process and runtime + {kb / 1024:.1f} MB ({_verdict(kb, MEMORY_KB)})")
    return 0


def _verdict(value: float, most: float) -> str:
    return "reached" if value <= most else "missed"


def clip_of(model: Path) -> ClipModel:
    """The step of a bundle. Raises UsageError where it has none."""
    clip = load_bundle(model).clip
    if clip is None:
        raise UsageError(f"{model} has no recurrent step", hint="make one: python -m export bundle RUN --out FILE")
    return clip


def times(model: Path, clip: ClipModel) -> tuple[float, float]:
    """Median times in milliseconds of a whole frame, and of the step for it, taken in turns."""
    analyser = make_analyser(Settings(model=str(model)))
    scene = PhantomScene(PhantomSpec(seed=1))
    frames = [Frame("s", n, 0, None, scene.pixels(n)) for n in range(8)]
    lesion = Lesion(box=(10, 10, 30, 20), outline=[], centre=(25, 20), score=0.9)
    result = Result(
        stream="s", frame_seq=0, captured_ns=0, image_size=(640, 480), status=Status.FINDING, malignancy=0.4,
        suspicious=False, lesions=(lesion,),
    )  # fmt: skip
    states, tracks = ClipStates(make_clip_step(clip)), [(ClipState(), lesion) for _ in range(TRACKS)]
    whole, steps = [], []
    for number in range(ROUNDS):
        began = time.perf_counter()
        analyser.analyse(frames[number % len(frames)])
        between = time.perf_counter()
        states.advance(tracks, result, number * 1_000_000_000)
        whole.append(between - began)
        steps.append(time.perf_counter() - between)
    analyser.close()
    return median(whole) * 1e3, median(steps) * 1e3


def memory_of(model: Path) -> tuple[int, int]:
    """PSS in kB of a process like the frame process, before and after it has loaded the step and taken some."""
    limit_malloc_arenas()
    settings = Settings(model=str(model))
    chosen = choose_model(settings)
    guard = make_guard(settings, chosen, isolated=True)
    try:
        clip = clip_of(model)
        trim_malloc()
        before = _pss_kb()
        step = make_clip_step(clip)
        trim_malloc()
        after = _pss_kb()
        del step
    finally:
        guard.close()
    return before, after


def _pss_kb() -> int:
    """PSS of this process and its children in kB: what they share is counted once."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split()
    total = 0
    for process in ("self", *children):
        lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines()
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total


if __name__ == "__main__":
    sys.exit(main())
