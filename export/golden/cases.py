"""Golden cases that notice changed weights, searched, and tried on other kernels than XNNPACK."""

from __future__ import annotations

from typing import TYPE_CHECKING

from export.golden.coverage import WANTED
from export.golden.kernel_limits import KEPT_UNDER, KernelLimits
from export.golden.picture_store import FoundPictures
from export.golden.search import GoldenSearch, SearchEffort
from export.golden.vectors import golden_case

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from edge.contracts.manifest import ModelManifest
    from export.golden.search import Candidate
    from export.golden.vectors import GoldenCase

MOST = 14
"""Cases that are searched at most: each costs a start an inference (3.5 ms here), and 50 ms more are allowed in all."""
TARGET = WANTED + 0.007
"""Share at which a search ends: over what is wanted, for other weights are drawn to measure it."""


def add_noticing_cases(
    graph: bytes,
    manifest: ModelManifest,
    cases: list[GoldenCase],
    silent: Mapping[int, NDArray[np.bool_]] | None,
    progress: Callable[[str], None],
    folder: Path | None = None,
    known: Sequence[NDArray[np.uint8]] = (),
    most: int | None = None,
) -> list[GoldenCase]:
    """Search cases that notice what ``cases`` do not; returns the new ones alone.

    A case on which kernels other than XNNPACK differ by more than the manifest allows them, or by so much that no
    tolerance could be set, is left out: see `export.golden.kernel_limits`.

    Args:
        graph: the flatbuffer alone.
        manifest: its tolerances hold for the heads that they name.
        cases: those that there are already.
        silent: as `silent_channels` found it.
        progress: takes lines for people.
        folder: found pictures are kept there, and taken from there first.
        known: altered pictures of another bundle, (height, width); those that notice too little here are left out.
        most: cases that are returned at most; None: `MOST`.
    """
    most = MOST if most is None else most
    found = FoundPictures(folder, (manifest.recipe.height, manifest.recipe.width))
    before = found.read()
    search = GoldenSearch(graph, manifest, progress, silent, SearchEffort(), seed=1 + len(before))
    for case in cases:
        search.add(case.tensor)
    with KernelLimits(graph, manifest, progress) as limits:

        def fits(candidate: Candidate, share: float = KEPT_UNDER) -> bool:
            return limits.hold(search.tensor(candidate.picture), candidate.outputs, share)

        pictures = [
            each
            for each in known
            if fits(search.candidate(each), share=1.0) and search.add_if_worthy(search.tensor(each))
        ]
        if known:
            shares = ", ".join(f"{state.head.name} {state.share:.2%}" for state in search.heads)
            progress(f"  golden: {len(pictures)} of {len(known)} known pictures are kept; noticed: {shares}")
        before = [each for each in before if fits(search.candidate(each))][: max(0, most - len(pictures))]
        for picture in before:
            search.add(search.tensor(picture))
        pictures = [*pictures, *before]
        pictures += [each.picture for each in search.run(TARGET, most - len(pictures), fits, found.keep)]
    return [golden_case(graph, manifest, picture, search.regions, "altered") for picture in pictures]
