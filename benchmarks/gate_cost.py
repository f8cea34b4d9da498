"""Benchmark of the gate's time for a frame: rules before the model, proof of tissue after it, freeze detection.

    python benchmarks/gate_cost.py

A 640 x 480 phantom, in grey and in colours; medians of 500 calls, in milliseconds.
"""

from __future__ import annotations

import statistics
import time
from functools import partial
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.app.compose import choose_model
from edge.config.load import load_settings
from edge.contracts.frames import Frame
from edge.phantom.scene import PhantomScene
from edge.phantom.spec import PhantomSpec
from edge.pipeline.freeze import FreezeDetector
from edge.postprocess.abstention_rules import pixel_gate
from edge.postprocess.tissue_view import TissueView
from edge.preprocess.preprocessor import Preprocessor

if TYPE_CHECKING:
    from collections.abc import Callable

CALLS = 500


def median_ms(call: Callable[[int], object]) -> float:
    """Median time of a call in milliseconds; it is given its number."""
    times = []
    for number in range(CALLS):
        begun = time.perf_counter()
        call(number)
        times.append(time.perf_counter() - begun)
    return statistics.median(times) * 1000


def main() -> None:
    """Measure and print the times."""
    preprocess = Preprocessor(choose_model(load_settings(None, {}, {})).manifest.recipe)
    grey = PhantomScene(PhantomSpec(seed=1, lesions=1)).pixels(0)
    for name, pixels in (("grey", grey), ("colours", cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB))):
        _, placed = preprocess(pixels)
        small, crop_grey, size = preprocess.small, preprocess.crop_grey, (pixels.shape[1], pixels.shape[0])

        view = partial(TissueView, small, placed.crop, size)

        def proof(_: int, view: Callable[[], TissueView] = view) -> object:
            seen = view()
            return seen.columns_lost, seen.rows_lost, seen.near_field, seen.grey_range, seen.cut_off

        noisy = [cv2.add(pixels, np.full_like(pixels, number)) for number in range(4)]
        detector = FreezeDetector(0.4)
        gate = median_ms(lambda _: pixel_gate(pixels, placed.crop, crop_grey, view()))  # noqa: B023
        freeze = median_ms(lambda n: detector.add(Frame("s", n, n * 40_000_000, None, noisy[n % 4])))  # noqa: B023
        print(
            f"{name}: rules before the model {gate:.3f}, freeze {freeze:.3f}, proof (no lesion) {median_ms(proof):.3f}"
        )


if __name__ == "__main__":
    main()
