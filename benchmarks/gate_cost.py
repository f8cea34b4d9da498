"""Benchmark of the gate's time for a frame: rules before the model, proof of tissue after it, freeze detection.

    python benchmarks/gate_cost.py

A 640 x 480 phantom without a lesion, in grey and in colours; medians of 500 calls, in milliseconds. ``again``: one
call after the other; ``after the model``: each call follows one of the shipped model, which has filled the caches.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.app.compose import make_analyser
from edge.config.load import load_settings
from edge.config.settings import StreamSettings
from edge.contracts.frames import Frame
from edge.phantom.scene import PhantomScene
from edge.phantom.spec import PhantomSpec
from edge.pipeline.freeze import FreezeDetector
from edge.pipeline.stream_metadata import add_stream_metadata
from edge.postprocess.abstention_rules import pixel_gate
from edge.postprocess.tissue_proof import hides_tissue
from edge.postprocess.tissue_view import TissueView

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from edge.pipeline.analyser import Analyser

CALLS = 500


def median_ms(call: Callable[[int], object], before: Callable[[], object] = lambda: None) -> float:
    """Median time of a call in milliseconds; it is given its number, and ``before`` is not counted."""
    times = []
    for number in range(CALLS):
        before()
        begun = time.perf_counter()
        call(number)
        times.append(time.perf_counter() - begun)
    return statistics.median(times) * 1000


def measure(name: str, pixels: NDArray[np.uint8], analyser: Analyser) -> None:
    """Print the times for one picture."""
    stream = StreamSettings(name="s", source="images:///")
    frame = add_stream_metadata([stream])(Frame("s", 0, time.monotonic_ns(), None, pixels))
    job = analyser.prepare(frame)
    if job.view is None or job.letterbox is None:
        raise SystemExit(f"the phantom was refused: {job.refused}")
    view, crop, crop_grey = job.view, job.letterbox.crop, job.crop_grey

    def fresh() -> TissueView:
        return TissueView(view.grey, view.crop, view.size, view.regions)

    noisy = [cv2.add(pixels, np.full_like(pixels, number)) for number in range(4)]
    detector = FreezeDetector(0.4)
    parts: dict[str, Callable[[int], object]] = {
        "rules before the model": lambda _: pixel_gate(pixels, crop, crop_grey, fresh()),
        "proof (no lesion)": lambda _: hides_tissue(fresh()),
        "freeze": lambda n: detector.add(Frame("s", n, n * 40_000_000, None, noisy[n % 4], frame.regions)),
    }
    for part, call in parts.items():
        again, after = median_ms(call), median_ms(call, lambda: analyser.analyse(frame))
        print(f"{name}, {part}: again {again:.3f}, after the model {after:.3f}")


def main() -> None:
    """Measure and print the times."""
    analyser = make_analyser(load_settings(None, {}, {}))
    grey = PhantomScene(PhantomSpec(seed=1, lesions=0)).pixels(0)
    measure("grey", grey, analyser)
    measure("colours", cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), analyser)
    analyser.close()


if __name__ == "__main__":
    main()
