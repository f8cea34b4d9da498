"""Parity of runtimes: the same pictures through each of them, and how far its outputs are from the float model's."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from edge.models.bundle_file import split_bundle
from edge.models.graph import read_graph
from export import other_runtimes
from export.delegate_placement import edge_tpu_placement, xnnpack_placement
from export.lesion_overlap import dice
from export.metrics import weighted_auc
from export.predict import as_predictions, run_graph
from export.quantisation.convert import convert, run_float

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from edge.models.bundle import Bundle
    from export.predict import Predictions
    from export.training_run import HeldOutPictures, TrainingRun

MASK_LEVEL = 0.5
"""Level at which masks are cut for Dice: the same for every runtime."""


class ParityRow(msgspec.Struct, frozen=True, kw_only=True):
    """One runtime compared with the float model.

    Differences are to the float SavedModel, in probability of malignancy, not calibrated.
    """

    engine: str
    auc: float
    dice: float
    dp_mean: float
    dp_p95: float
    dp_max: float
    n: int


class ParityPlacement(msgspec.Struct, frozen=True, kw_only=True):
    """Share of the int8 graph that an accelerator takes."""

    accelerator: str
    operators: float
    macs: float
    left: dict[str, int]


class ParityReport(msgspec.Struct, frozen=True, kw_only=True):
    """Report of a parity comparison: one row for each runtime, and what accelerators take."""

    model: str
    sha256: str
    rows: list[ParityRow]
    placements: list[ParityPlacement]


def parity_row(engine: str, predictions: Predictions, floats: Predictions, pictures: HeldOutPictures) -> ParityRow:
    """Compare one runtime's predictions with the float model's on the same pictures: one row of the table."""
    away = np.abs(predictions.malignancy - floats.malignancy)
    overlap = [dice(mask, truth, MASK_LEVEL) for mask, truth in zip(predictions.mask, pictures.masks, strict=True)]
    return ParityRow(
        engine=engine,
        auc=round(weighted_auc(predictions.malignancy, pictures.labels)(np.ones(len(away))), 5),
        dice=round(float(np.mean(overlap)), 5),
        dp_mean=round(float(away.mean()), 5),
        dp_p95=round(float(np.percentile(away, 95)), 5),
        dp_max=round(float(away.max()), 5),
        n=len(away),
    )


def compare_runtimes(
    bundle: Bundle, run: TrainingRun, progress: Callable[[str], None], tflite_runtime: Path | None = None
) -> ParityReport:
    """Run the bundle and the float model that it was made from on the held-back pictures, in every runtime there is.

    ``tflite_runtime``: a Python that has tflite-runtime; None: left out. ``progress``: called with each
    line of progress.
    """
    graph = split_bundle(bundle.model_bytes).graph
    specs, pictures = read_graph(graph).outputs, run.test
    progress(f"float SavedModel on {len(pictures)} pictures")
    floats = as_predictions(run_float(run.path / "saved_model", pictures.tensors), specs)
    rows = [parity_row("float, TensorFlow", floats, floats, pictures)]

    def add(engine: str, raw: Callable[[], dict[str, NDArray[Any]]]) -> None:
        progress(engine)
        rows.append(parity_row(engine, as_predictions(raw(), specs), floats, pictures))

    whole = convert(run.path / "saved_model", run.representative)
    add("float, LiteRT", lambda: run_graph(whole, pictures.tensors))
    add("int8, LiteRT with XNNPACK", lambda: run_graph(graph, pictures.tensors))
    add("int8, LiteRT without", lambda: run_graph(graph, pictures.tensors, "builtin"))
    if tflite_runtime is not None:
        add("int8, tflite-runtime", lambda: other_runtimes.run_tflite_runtime(tflite_runtime, graph, pictures.tensors))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        other_runtimes.to_onnx(graph, path)
        add("int8, ONNX Runtime", lambda: other_runtimes.run_onnx(path, graph, pictures.tensors))
    manifest = bundle.manifest
    return ParityReport(
        model=f"{manifest.name} {manifest.version}",
        sha256=bundle.sha256,
        rows=rows,
        placements=measure_placements(graph),
    )


def measure_placements(graph: bytes) -> list[ParityPlacement]:
    """Share of an int8 graph that XNNPACK took here, and that an Edge TPU could take."""
    return [
        ParityPlacement(
            accelerator=name,
            operators=round(p.delegated_ops / p.ops, 4),
            macs=round(p.delegated_macs / p.macs, 4),
            left=p.left,
        )
        for name, p in (
            ("XNNPACK, as LiteRT did here", xnnpack_placement(graph)),
            ("Edge TPU, at most", edge_tpu_placement(graph)),
        )
    ]


def placement_lines(placements: Sequence[ParityPlacement]) -> list[str]:
    """Lines of the table of what accelerators take."""
    lines = [f"{'taken by':28}{'operators':>11}{'MACs':>8}  left"]
    for p in placements:
        left = ", ".join(f"{n} {kind}" for kind, n in p.left.items()) or "-"
        lines.append(f"{p.accelerator:28}{p.operators:11.1%}{p.macs:8.1%}  {left}")
    return lines


def parity_tables(report: ParityReport) -> str:
    """Tables of a parity report as text, for a terminal."""
    head = f"{'engine':28}{'AUC':>8}{'Dice':>8}{'|dp| mean':>11}{'p95':>8}{'max':>8}{'n':>6}"
    lines = [f"{report.model}, sha256 {report.sha256[:16]}", "", head]
    lines += [
        f"{r.engine:28}{r.auc:8.4f}{r.dice:8.4f}{r.dp_mean:11.4f}{r.dp_p95:8.4f}{r.dp_max:8.4f}{r.n:6}"
        for r in report.rows
    ]
    return "\n".join([*lines, "", *placement_lines(report.placements)])
