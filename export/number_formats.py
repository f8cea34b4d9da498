"""Compare number formats (int8, float16 …) of one model: size, time, and distance from the float model."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from edge.models.graph import read_graph
from export.bundle_file import write_atomically
from export.parity import ParityRow, parity_row
from export.predict import as_predictions, run_graph
from export.quantisation.convert import FORMATS, convert, run_float
from export.quantisation.full_integer import quantise

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from export.training_run import TrainingRun

ROUNDS, WARM = 15, 3
"""Rounds that are timed, and rounds before them that are not."""


class NumberFormatResult(msgspec.Struct, frozen=True, kw_only=True):
    """One number format of the model, with its size, time and accuracy."""

    format: str
    file: str
    bytes: int
    time: float
    """Time of a picture on one thread, as a multiple of int8's in the same run: the median over interleaved rounds."""
    row: ParityRow


def convert_all_formats(run: TrainingRun, out: Path, progress: Callable[[str], None]) -> list[NumberFormatResult]:
    """Convert a run's model to int8 and each of `FORMATS`, write ``out``/<format>.tflite, and measure each of them."""
    model, pictures = run.path / "saved_model", run.test
    graphs: dict[str, bytes] = {}
    for name in ("int8", *FORMATS):
        progress(f"convert to {name}")
        graphs[name] = (
            quantise(model, run.representative) if name == "int8" else convert(model, run.representative, name)
        )
        write_atomically(out / f"{name}.tflite", graphs[name])
    progress(f"measure on {len(pictures)} pictures")
    first = read_graph(graphs["int8"]).outputs
    floats = as_predictions(run_float(model, pictures.tensors), first)
    slower = relative_times(graphs, pictures.tensors[0])
    made = []
    for name, graph in graphs.items():
        predictions = as_predictions(run_graph(graph, pictures.tensors), read_graph(graph).outputs)
        row = parity_row(name, predictions, floats, pictures)
        path = f"{name}.tflite"
        made.append(NumberFormatResult(format=name, file=path, bytes=len(graph), time=round(slower[name], 2), row=row))
    return made


def relative_times(graphs: dict[str, bytes], tensor: NDArray[np.uint8]) -> dict[str, float]:
    """Time of one invocation of each graph, as a multiple of the first one's.

    Rounds are interleaved: a busy machine slows all. ``tensor``: (height, width, channels) uint8.
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreters = {name: Interpreter(model_content=graph, num_threads=1) for name, graph in graphs.items()}
    for each in interpreters.values():
        each.allocate_tensors()
        source = each.get_input_details()[0]
        each.set_tensor(source["index"], tensor[None].astype(source["dtype"]))
    times: dict[str, list[float]] = {name: [] for name in graphs}
    for lap in range(WARM + ROUNDS):
        for name, each in interpreters.items():
            begin = time.perf_counter()
            each.invoke()
            if lap >= WARM:
                times[name].append(time.perf_counter() - begin)
    base = times[next(iter(graphs))]
    return {name: float(np.median(np.array(each) / np.array(base))) for name, each in times.items()}


def formats_table(variants: list[NumberFormatResult]) -> str:
    """Table of the number formats as text, for a terminal."""
    lines = [f"{'format':10}{'bytes':>12}{'time':>8}{'AUC':>8}{'Dice':>8}{'|dp| mean':>11}{'p95':>8}{'max':>8}"]
    lines += [
        f"{v.format:10}{v.bytes:12,}{v.time:7.2f}x{v.row.auc:8.4f}{v.row.dice:8.4f}{v.row.dp_mean:11.4f}"
        f"{v.row.dp_p95:8.4f}{v.row.dp_max:8.4f}"
        for v in variants
    ]
    return "\n".join(lines)
