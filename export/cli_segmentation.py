"""What ``python -m export`` does with the run or bundle of a segmentation."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from edge.models.bundle_file import split_bundle
from export.measure_bundle import metrics_table
from export.run_folder import check_made_from
from export.segmentation_bundle import make_segmentation_bundle, measure_segmentation
from export.segmentation_run import SegmentationRun, open_segmentation_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from edge.contracts.manifest import Metric, SegmentationManifest
    from edge.models.bundle import Bundle


def bundle(
    run: Path,
    out: Path,
    name: str | None,
    version: str,
    tflite_runtime: Path | None,
    clear: str | None,
    licence: str,
    progress: Callable[[str], None],
) -> None:
    """Make the bundle of a segmentation's run, and print its figures and what to do with it next."""
    opened = open_segmentation_run(run)
    made = make_segmentation_bundle(
        opened,
        out,
        progress,
        name=name or opened.record.recipe.name,
        version=version,
        licence=licence,
        clear_label=clear,
        tflite_runtime=tflite_runtime,
    )
    print(metrics_table(made.manifest.metrics))
    print(f"{out}: {made.size:,} bytes, sha256 {made.sha256}")
    print(f"next: edge-cli infer PICTURE --model {out} --allow-no-gate --overlay out/")


def measure(loaded: Bundle, run: Path) -> list[Metric]:
    """Metrics of a segmentation's bundle on what its run held back. Raises UsageError for another run."""
    manifest = cast("SegmentationManifest", loaded.manifest)
    return measure_segmentation(split_bundle(loaded.model_bytes).graph, manifest, _run_of(loaded, run))


def parity(
    loaded: Bundle, run: Path, progress: Callable[[str], None], tflite_runtime: Path | None
) -> tuple[object, str]:
    """Parity of a segmentation's bundle in every runtime, and its text. Raises UsageError for another run."""
    from export.segmentation_parity import compare_segmentation, parity_text

    report = compare_segmentation(loaded, _run_of(loaded, run), progress, tflite_runtime)
    return report, parity_text(report)


def variants(run: Path, out: Path, progress: Callable[[str], None]) -> tuple[object, str]:
    """Number formats of a segmentation's model, and their text."""
    from export.segmentation_parity import convert_segmentation, formats_text

    made = convert_segmentation(open_segmentation_run(run), out, progress)
    return made, formats_text(made)


def quantise(run: Path) -> Iterator[str]:
    """Lines of what each step before quantisation brings on the run's held-back pictures."""
    from export.quantisation_steps import segmentation_steps

    return segmentation_steps(open_segmentation_run(run))


def _run_of(loaded: Bundle, run: Path) -> SegmentationRun:
    """The run that a bundle was made from. Raises UsageError for another one."""
    opened = open_segmentation_run(run)
    check_made_from(loaded, run, opened.record.created)
    return opened
