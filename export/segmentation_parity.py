"""Parity of a segmentation: the same pictures in every runtime and number format, beside the float model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from edge.contracts.manifest import MASK
from edge.models.bundle_file import split_bundle
from edge.models.graph import read_graph
from edge.postprocess.dequantise import dequantise
from export.engines import run_engines, write_formats
from export.number_formats import relative_times
from export.parity import ParityPlacement, measure_placements, placement_lines
from export.predict import run_graph
from export.quantisation.convert import convert, run_float
from export.segmentation_metrics import called_classes, macro_dice, pixel_counts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.models.bundle import Bundle
    from export.segmentation_run import MaskedPictures, SegmentationRun

HEAD = f"{'Dice':>8}{'same':>9}{'|dp| mean':>11}{'max':>8}{'n':>6}"


class SegmentationParityRow(msgspec.Struct, frozen=True, kw_only=True):
    """One runtime or number format compared with the float model, by its maps of probabilities."""

    name: str
    dice: float
    """Mean over the classes of the Dice of the likeliest class."""
    same_class: float
    """Share of pixels that both put in the same class."""
    dp_mean: float
    dp_max: float
    n: int
    """Number of pictures."""


class SegmentationFormat(msgspec.Struct, frozen=True, kw_only=True):
    """One number format of a segmentation, with its size, time and accuracy."""

    file: str
    bytes: int
    time: float
    """As a multiple of int8's."""
    row: SegmentationParityRow


class SegmentationParity(msgspec.Struct, frozen=True, kw_only=True):
    """Report of a segmentation's parity: one row for each runtime, and what accelerators take."""

    model: str
    sha256: str
    rows: list[SegmentationParityRow]
    placements: list[ParityPlacement]


def parity_row(
    name: str, maps: NDArray[np.floating], floats: NDArray[np.floating], pictures: MaskedPictures
) -> SegmentationParityRow:
    """Compare maps (n, h, w, k) with the float model's on the same pictures: one row of the table."""
    shape, size = pictures.masks.shape[1:], maps.shape[3]
    called, plain = (called_classes(each, shape, [0.0] * size) for each in (maps, floats))
    away = np.abs(maps - floats)
    return SegmentationParityRow(
        name=name,
        dice=round(macro_dice(pixel_counts(called, pictures.masks, size)), 5),
        same_class=round(float((called == plain).mean()), 5),
        dp_mean=round(float(away.mean()), 5),
        dp_max=round(float(away.max()), 5),
        n=len(pictures),
    )


def compare_segmentation(
    bundle: Bundle, run: SegmentationRun, progress: Callable[[str], None], tflite_runtime: Path | None = None
) -> SegmentationParity:
    """Run a segmentation's bundle and its float model on the held-back pictures, in every runtime there is."""
    graph, pictures = split_bundle(bundle.model_bytes).graph, run.test
    progress(f"float SavedModel on {len(pictures)} pictures")
    floats = run_float(run.path / "saved_model", pictures.tensors)[MASK]
    rows = [parity_row("float, TensorFlow", floats, floats, pictures)]
    whole = convert(run.path / "saved_model", run.representative)
    for engine, of, raw in run_engines(graph, whole, pictures.tensors, progress, tflite_runtime):
        rows.append(parity_row(engine, _real(of, raw), floats, pictures))
    name = f"{bundle.manifest.name} {bundle.manifest.version}"
    return SegmentationParity(model=name, sha256=bundle.sha256, rows=rows, placements=measure_placements(graph))


def convert_segmentation(run: SegmentationRun, out: Path, progress: Callable[[str], None]) -> list[SegmentationFormat]:
    """Convert a segmentation's model to int8 and each number format, write them below ``out``, and measure each."""
    model, pictures = run.path / "saved_model", run.test
    graphs = write_formats(model, run.representative, out, progress)
    progress(f"measure on {len(pictures)} pictures")
    floats = run_float(model, pictures.tensors)[MASK]
    slower = relative_times(graphs, pictures.tensors[0])
    return [
        SegmentationFormat(
            file=f"{name}.tflite",
            bytes=len(graph),
            time=round(slower[name], 2),
            row=parity_row(name, _real(graph, run_graph(graph, pictures.tensors)), floats, pictures),
        )
        for name, graph in graphs.items()
    ]


def parity_text(report: SegmentationParity) -> str:
    """Tables of a parity report as text, for a terminal."""
    lines = [f"{report.model}, sha256 {report.sha256[:16]}", "", f"{'engine':28}{HEAD}"]
    lines += [f"{row.name:28}{cells(row)}" for row in report.rows]
    return "\n".join([*lines, "", *placement_lines(report.placements)])


def formats_text(made: Sequence[SegmentationFormat]) -> str:
    """Table of the number formats as text, for a terminal."""
    lines = [f"{'format':10}{'bytes':>12}{'time':>8}{HEAD}"]
    return "\n".join([*lines, *(f"{m.row.name:10}{m.bytes:12,}{m.time:7.2f}x{cells(m.row)}" for m in made)])


def _real(graph: bytes, raw: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
    """Maps (n, h, w, k) of probabilities that a graph gave."""
    return dequantise(raw[MASK], read_graph(graph).outputs[MASK])


def cells(row: SegmentationParityRow) -> str:
    """Cells of a row below `HEAD`."""
    return f"{row.dice:8.4f}{row.same_class:9.2%}{row.dp_mean:11.4f}{row.dp_max:8.4f}{row.n:6}"
