"""Ways of ``python -m export`` for runs and bundles that are no lesion models: of a classifier, of a segmentation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

from edge.contracts.errors import UsageError
from export.classifier_run import recipe_heads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from edge.contracts.manifest import Metric
    from edge.models.bundle import Bundle


class Way(Protocol):
    """What each of these kinds can do: a module has these functions."""

    def bundle(
        self,
        run: Path,
        out: Path,
        name: str | None,
        version: str,
        tflite_runtime: Path | None,
        clear: str | None,
        licence: str,
        progress: Callable[[str], None],
    ) -> None:
        """Make the bundle of a run, and print its figures and what to do with it next."""

    def measure(self, loaded: Bundle, run: Path) -> list[Metric]:
        """Metrics of a bundle on what its run held back."""

    def parity(
        self, loaded: Bundle, run: Path, progress: Callable[[str], None], tflite_runtime: Path | None
    ) -> tuple[object, str]:
        """Parity of a bundle in every runtime, and its text."""

    def variants(self, run: Path, out: Path, progress: Callable[[str], None]) -> tuple[object, str]:
        """Number formats of a run's model, and their text."""

    def quantise(self, run: Path) -> Iterator[str]:
        """Lines of what each step before quantisation brings on a run's held-back pictures."""


def way_of_run(run: Path) -> Way | None:
    """Way of a run's kind; None: that of lesion models, or what is no run."""
    return _way({"classes": "classification", "mask": "segmentation"}.get(recipe_heads(run), ""))


def way_of_bundle(loaded: Bundle) -> Way | None:
    """Way of a bundle's kind; None: that of lesion models."""
    return _way(loaded.manifest.judges)


def _way(judges: str) -> Way | None:
    if judges == "classification":
        from export import cli_classifier

        return cast("Way", cli_classifier)
    if judges == "segmentation":
        from export import cli_segmentation

        return cast("Way", cli_segmentation)
    return None


def refuse_lesion_options(run: Path, given: Mapping[str, object]) -> None:
    """Raise UsageError for an option that only a lesion model has."""
    for option, value in given.items():
        if value is not None:
            raise UsageError(f"{option} is for lesion models, {run} is the run of none", hint="leave it out")


def refuse_label_options(run: Path, given: Mapping[str, object]) -> None:
    """Raise UsageError for an option that only classifiers and segmentations have."""
    for option, value in given.items():
        if value:
            raise UsageError(f"{option} is for classifiers, {run} is the run of a lesion model", hint="leave it out")
