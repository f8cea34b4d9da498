"""Golden cases that notice changed weights, searched, and tried on other kernels than XNNPACK."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.models.bundle_checks import MAX_TOLERANCE, MAX_TOLERANCE_BY_HEAD
from export.found_pictures import FoundPictures
from export.golden_coverage import WANTED
from export.golden_search import GoldenSearch, SearchEffort
from export.golden_tolerances import MARGIN_SHARE
from export.golden_vectors import golden_case
from export.other_runtimes import largest_differences
from export.predict import run_graph

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from edge.contracts.manifest import ModelManifest
    from export.golden_search import Candidate
    from export.golden_vectors import GoldenCase

MOST = 14
"""Cases that are searched at most: each costs a start an inference (3.5 ms here), and 50 ms more are allowed in all."""
TARGET = WANTED + 0.007
"""Share at which a search ends: over what is wanted, for other weights are drawn to measure it."""

KEPT_UNDER = 0.8
"""Share of a tolerance that a new case may use up on this machine's kernels: others differ a little more."""


def add_noticing_cases(
    graph: bytes,
    manifest: ModelManifest,
    cases: list[GoldenCase],
    silent: Mapping[int, NDArray[np.bool_]] | None,
    progress: Callable[[str], None],
    folder: Path | None = None,
) -> list[GoldenCase]:
    """Search cases that notice what ``cases`` do not; returns the new ones alone.

    ``silent``: as `silent_channels` found it. ``folder``: found pictures are kept there, and taken from there first. A
    case on which TFLite's own kernels differ by more than the manifest allows them, or by so much that no tolerance
    could be set, is left out.
    """
    found = FoundPictures(folder, (manifest.recipe.height, manifest.recipe.width))
    pictures = found.read()
    search = GoldenSearch(graph, manifest, progress, silent, SearchEffort(), seed=1 + len(pictures))
    for case in cases:
        search.add(case.tensor)
    limits = _limits(manifest)

    def fits(candidate: Candidate) -> bool:
        other = run_graph(graph, search.tensor(candidate.picture), "builtin")
        off = largest_differences(other, candidate.outputs)
        return all(steps <= limits[head] for head, steps in off.items())

    pictures = [picture for picture in pictures if fits(search.candidate(picture))]
    for picture in pictures:
        search.add(search.tensor(picture))
    more = search.run(TARGET, MOST - len(pictures), fits, found.keep)
    pictures += [each.picture for each in more]
    return [golden_case(graph, manifest, picture, search.regions, "altered") for picture in pictures]


def _limits(manifest: ModelManifest) -> dict[str, int]:
    """Steps that TFLite's own kernels may differ by in a case, by head: under what the manifest allows, else any."""
    golden = manifest.golden
    if "reference" in golden.by_head or "reference" in golden.max_abs_diff:
        return {head: int(KEPT_UNDER * golden.allowed("reference", head)) for head in manifest.heads}
    return {
        head: int(MAX_TOLERANCE_BY_HEAD.get(head, MAX_TOLERANCE) / (1 + 2 * MARGIN_SHARE)) for head in manifest.heads
    }
