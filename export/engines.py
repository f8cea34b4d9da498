"""Engines and number formats that a model of labels is compared in: outputs of each engine, files of each format."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export import other_runtimes
from export.bundle_file import write_atomically
from export.predict import run_graph
from export.quantisation.convert import FORMATS, convert
from export.quantisation.full_integer import quantise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray


def run_engines(
    graph: bytes,
    whole: bytes,
    tensors: NDArray[np.uint8],
    progress: Callable[[str], None],
    tflite_runtime: Path | None = None,
) -> Iterator[tuple[str, bytes, Mapping[str, NDArray[Any]]]]:
    """Run tensors in every engine there is: its name, the graph that ran, and raw outputs by head.

    ``graph``: in 8 bits; ``whole``: in floats. ``tflite_runtime``: a Python that has tflite-runtime; None: left out.
    """
    for name, of, kernels in (
        ("float, LiteRT", whole, "xnnpack"),
        ("int8, LiteRT with XNNPACK", graph, "xnnpack"),
        ("int8, LiteRT without", graph, "builtin"),
    ):
        progress(name)
        yield name, of, run_graph(of, tensors, kernels)
    if tflite_runtime is not None:
        progress("int8, tflite-runtime")
        yield "int8, tflite-runtime", graph, other_runtimes.run_tflite_runtime(tflite_runtime, graph, tensors)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        progress("int8, ONNX Runtime")
        other_runtimes.to_onnx(graph, path)
        yield "int8, ONNX Runtime", graph, other_runtimes.run_onnx(path, graph, tensors)


def write_formats(
    model: Path, representative: NDArray[np.uint8], out: Path, progress: Callable[[str], None]
) -> dict[str, bytes]:
    """Convert a SavedModel to int8 and each of `FORMATS`, and write ``out``/<format>.tflite: graphs by format."""
    graphs: dict[str, bytes] = {}
    for name in ("int8", *FORMATS):
        progress(f"convert to {name}")
        graphs[name] = quantise(model, representative) if name == "int8" else convert(model, representative, name)
        write_atomically(out / f"{name}.tflite", graphs[name])
    return graphs
