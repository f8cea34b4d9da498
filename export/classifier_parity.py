"""Parity of a classifier: the same pictures in every runtime and number format, beside the float model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from edge.models.bundle_file import split_bundle
from edge.models.graph import read_graph
from edge.postprocess.dequantise import dequantise
from export.classifier_metrics import by_class, mean_known
from export.classifier_run import class_output
from export.engines import run_engines, write_formats
from export.number_formats import relative_times
from export.parity import ParityPlacement, measure_placements, placement_lines
from export.predict import run_graph
from export.quantisation.convert import convert, run_float

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.models.bundle import Bundle
    from export.classifier_run import ClassifierRun, LabelledPictures

HEAD = f"{'accuracy':>9}{'macro F1':>9}{'same':>8}{'|dp| mean':>11}{'p95':>8}{'max':>8}{'n':>6}"


class ClassifierParityRow(msgspec.Struct, frozen=True, kw_only=True):
    """One runtime or number format compared with the float model, by its probabilities before calibration."""

    name: str
    accuracy: float
    macro_f1: float
    same_class: float
    """Share of pictures that both put in the same class."""
    dp_mean: float
    dp_p95: float
    dp_max: float
    n: int


class ClassifierFormat(msgspec.Struct, frozen=True, kw_only=True):
    """One number format of a classifier, with its size, time and accuracy."""

    file: str
    bytes: int
    time: float
    """As a multiple of int8's."""
    row: ClassifierParityRow


class ClassifierParity(msgspec.Struct, frozen=True, kw_only=True):
    """Report of a classifier's parity: one row for each runtime, and what accelerators take."""

    model: str
    sha256: str
    rows: list[ClassifierParityRow]
    placements: list[ParityPlacement]


def classifier_row(
    name: str, found: NDArray[np.floating], floats: NDArray[np.floating], pictures: LabelledPictures
) -> ClassifierParityRow:
    """Compare probabilities (n, k) with the float model's on the same pictures: one row of the table."""
    away, called = np.abs(found - floats), found.argmax(axis=1)
    f1 = by_class(np.ones((1, len(pictures))), pictures.labels, called, found.shape[1])[2]
    return ClassifierParityRow(
        name=name,
        accuracy=round(float((called == pictures.labels).mean()), 5),
        macro_f1=round(float(mean_known(f1)[0]), 5),
        same_class=round(float((called == floats.argmax(axis=1)).mean()), 5),
        dp_mean=round(float(away.mean()), 5),
        dp_p95=round(float(np.percentile(away, 95)), 5),
        dp_max=round(float(away.max()), 5),
        n=len(pictures),
    )


def compare_classifier(
    bundle: Bundle, run: ClassifierRun, progress: Callable[[str], None], tflite_runtime: Path | None = None
) -> ClassifierParity:
    """Run a classifier's bundle and its float model on the held-back pictures, in every runtime there is.

    ``tflite_runtime``: a Python that has tflite-runtime; None: left out.
    """
    graph, pictures = split_bundle(bundle.model_bytes).graph, run.test
    progress(f"float SavedModel on {len(pictures)} pictures")
    floats = _classes(run_float(run.path / "saved_model", pictures.tensors))
    rows = [classifier_row("float, TensorFlow", floats, floats, pictures)]
    whole = convert(run.path / "saved_model", run.representative)
    for engine, of, raw in run_engines(graph, whole, pictures.tensors, progress, tflite_runtime):
        rows.append(classifier_row(engine, _real(of, raw), floats, pictures))
    name = f"{bundle.manifest.name} {bundle.manifest.version}"
    return ClassifierParity(model=name, sha256=bundle.sha256, rows=rows, placements=measure_placements(graph))


def convert_classifier(run: ClassifierRun, out: Path, progress: Callable[[str], None]) -> list[ClassifierFormat]:
    """Convert a classifier's model to int8 and each of `FORMATS`, write ``out``/<format>.tflite, and measure each."""
    model, pictures = run.path / "saved_model", run.test
    graphs = write_formats(model, run.representative, out, progress)
    progress(f"measure on {len(pictures)} pictures")
    floats = _classes(run_float(model, pictures.tensors))
    slower = relative_times(graphs, pictures.tensors[0])
    return [
        ClassifierFormat(
            file=f"{name}.tflite",
            bytes=len(graph),
            time=round(slower[name], 2),
            row=classifier_row(name, _real(graph, run_graph(graph, pictures.tensors)), floats, pictures),
        )
        for name, graph in graphs.items()
    ]


def _classes(raw: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """Output that holds the classes, (n, k)."""
    return raw[class_output(raw)]


def _real(graph: bytes, raw: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
    """Probabilities (n, k) of a graph's classes."""
    name, values = class_output(raw), _classes(raw)
    return dequantise(values, read_graph(graph).outputs[name]).reshape(len(values), -1)


def parity_text(report: ClassifierParity) -> str:
    """Tables of a parity report as text, for a terminal."""
    lines = [f"{report.model}, sha256 {report.sha256[:16]}", "", f"{'engine':28}{HEAD}"]
    lines += [f"{row.name:28}{cells(row)}" for row in report.rows]
    return "\n".join([*lines, "", *placement_lines(report.placements)])


def formats_text(made: Sequence[ClassifierFormat]) -> str:
    """Table of the number formats as text, for a terminal."""
    lines = [f"{'format':10}{'bytes':>12}{'time':>8}{HEAD}"]
    return "\n".join([*lines, *(f"{m.row.name:10}{m.bytes:12,}{m.time:7.2f}x{cells(m.row)}" for m in made)])


def cells(row: ClassifierParityRow) -> str:
    """Cells of a row below `HEAD`."""
    return (
        f"{row.accuracy:9.4f}{row.macro_f1:9.4f}{row.same_class:8.1%}"
        f"{row.dp_mean:11.4f}{row.dp_p95:8.4f}{row.dp_max:8.4f}{row.n:6}"
    )
