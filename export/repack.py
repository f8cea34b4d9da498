"""Repack a bundle: the same graph, byte for byte, with golden vectors that are searched anew and another version.

No training run is needed. What the model answers does not change, and nothing that was measured of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from edge.contracts.errors import ModelError
from edge.models.bundle import Bundle, load_bundle
from edge.models.bundle_file import split_bundle
from export.bundle import check_size, zip_members
from export.bundle_file import append_zip, write_atomically
from export.golden_coverage import golden_coverage, silent_channels
from export.golden_vectors import choose_cases, golden_case
from export.noticing_cases import add_noticing_cases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from export.golden_coverage import HeadCoverage


def repack(
    bundle: Bundle,
    out: Path,
    version: str,
    representative: Iterable[NDArray[np.uint8]] | None,
    progress: Callable[[str], None],
    reason: str = "",
    folder: Path | None = None,
) -> tuple[Bundle, list[HeadCoverage]]:
    """Write ``bundle`` anew with other golden vectors; returns it, read back, and what these notice by head.

    Args:
        bundle: read and checked. Its own golden frames are kept where they show what golden cases must.
        out: the file to write.
        version: of the new bundle.
        representative: input tensors, (1, height, width, channels) uint8 each; channels that are zero on all of them
            do not count. None: all count.
        progress: takes lines for people.
        reason: for people, why there is another version; stands in the model card.
        folder: where pictures are kept as they are found; a search that was interrupted goes on from them.

    Raises ModelError where the old version is given again, or cases would come out otherwise on other kernels.
    """
    if version == bundle.manifest.version:
        raise ModelError(f"the bundle is {version} already", hint="two files of one version cannot be told apart")
    parts = split_bundle(bundle.model_bytes)
    graph = parts.graph
    manifest = msgspec.structs.replace(bundle.manifest, version=version)
    silent = None if representative is None else silent_channels(graph, representative)
    order = sorted(range(len(bundle.golden)), key=lambda i: -bundle.golden.frames[i].ndim)  # colour shows more
    old = (
        golden_case(
            graph, manifest, pixels, regions, f"linear, sector, eye, {'colour' if pixels.ndim == 3 else 'grey'}"
        )
        for pixels, regions in ((bundle.golden.frames[i], bundle.golden.regions[i]) for i in order)
    )
    cases = choose_cases(old, manifest, progress)
    cases += add_noticing_cases(graph, manifest, cases, silent, progress, folder)
    found = golden_coverage(graph, np.concatenate([case.tensor for case in cases]), silent)
    data = append_zip(graph, zip_members(manifest, cases, found, len(graph), reason) | parts.optional)
    check_size(data)
    write_atomically(out, data)
    return load_bundle(out), found
