"""What ``python -m export`` does with the run or bundle of a classifier, where a lesion model's way is another."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from edge.models.bundle_file import split_bundle
from export.classifier_bundle import make_classifier_bundle, measure_classifier
from export.classifier_run import open_classifier_run
from export.measure_bundle import metrics_table
from export.run_folder import check_made_from

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from edge.contracts.manifest import ClassificationManifest, Metric
    from edge.models.bundle import Bundle
    from export.classifier_run import ClassifierRun


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
    """Make the bundle of a classifier's run, and print its figures and what to do with it next."""
    opened = open_classifier_run(run)
    made = make_classifier_bundle(
        opened,
        out,
        progress,
        name=name or opened.record.recipe.name,
        version=version,
        licence=licence,
        clear_label=clear,
        tflite_runtime=tflite_runtime,
    )
    print(metrics_table(made.bundle.manifest.metrics))
    print(f"int8 against float: mean |dp| {made.mean_dp:.4f}, worst {made.worst_dp:.4f}, same class {made.agree:.1%}")
    print(f"{out}: {made.bundle.size:,} bytes, sha256 {made.bundle.sha256}")
    allowed = " --allow-no-gate" if made.bundle.manifest.gate == "none" else ""
    print(f"next: edge-cli infer PICTURE --model {out}{allowed} --overlay out/")


def measure(loaded: Bundle, run: Path) -> list[Metric]:
    """Metrics of a classifier's bundle on what its run held back. Raises UsageError for another run."""
    opened = _run_of(loaded, run)
    manifest = cast("ClassificationManifest", loaded.manifest)
    return measure_classifier(split_bundle(loaded.model_bytes).graph, manifest, opened)[0]


def parity(
    loaded: Bundle, run: Path, progress: Callable[[str], None], tflite_runtime: Path | None
) -> tuple[object, str]:
    """Parity of a classifier's bundle in every runtime, and its text. Raises UsageError for another run."""
    from export.classifier_parity import compare_classifier, parity_text

    report = compare_classifier(loaded, _run_of(loaded, run), progress, tflite_runtime)
    return report, parity_text(report)


def variants(run: Path, out: Path, progress: Callable[[str], None]) -> tuple[object, str]:
    """Number formats of a classifier's model, and their text."""
    from export.classifier_parity import convert_classifier, formats_text

    made = convert_classifier(open_classifier_run(run), out, progress)
    return made, formats_text(made)


def quantise(run: Path) -> Iterator[str]:
    """Lines of what each step before quantisation brings on the run's held-back pictures."""
    from export.quantisation_steps import classifier_steps

    return classifier_steps(open_classifier_run(run))


def _run_of(loaded: Bundle, run: Path) -> ClassifierRun:
    """The run that a bundle was made from. Raises UsageError for another one."""
    opened = open_classifier_run(run)
    check_made_from(loaded, run, opened.record.created)
    return opened
