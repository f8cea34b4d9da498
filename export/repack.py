"""Repack a bundle: the same graph, byte for byte, with golden vectors that are searched anew and another version.

No training run is needed. What the model answers does not change, and nothing that was measured of it.
"""

from __future__ import annotations

import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from edge.contracts.errors import ModelError
from edge.models.bundle import Bundle, load_bundle
from edge.models.bundle_file import split_bundle
from edge.models.clip_model import CLIP
from edge.process.git_revision import git_revision
from export.bundle import check_size, zip_members
from export.bundle_file import append_zip, write_atomically
from export.golden.cases import add_noticing_cases
from export.golden.coverage import golden_coverage, silent_channels
from export.golden.vectors import choose_cases, golden_case

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from edge.contracts.manifest import ModelManifest
    from export.golden.coverage import HeadCoverage
    from export.golden.vectors import GoldenCase


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
    check_version(bundle.lesion_manifest, version)
    graph = split_bundle(bundle.model_bytes).graph
    manifest = successor(bundle.lesion_manifest, version)
    silent = None if representative is None else silent_channels(graph, representative)
    cases = choose_cases(frame_cases(bundle, graph, manifest, "linear, sector or eye"), manifest, progress)
    cases += add_noticing_cases(graph, manifest, cases, silent, progress, folder)
    return write_bundle(bundle, out, graph, manifest, cases, silent, reason)


def check_version(manifest: ModelManifest, version: str) -> None:
    """Raise ModelError where a bundle has the version that its successor is to have."""
    if version == manifest.version:
        raise ModelError(f"the bundle is {version} already", hint="two files of one version cannot be told apart")


def successor(manifest: ModelManifest, version: str) -> ModelManifest:
    """Manifest of a bundle that is made now out of another one: it keeps when its network was trained."""
    return msgspec.structs.replace(
        manifest,
        version=version,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z"),
        git_revision=git_revision(Path(__file__).parent),
        trained=manifest.trained or manifest.created,
    )


def frame_cases(bundle: Bundle, graph: bytes, manifest: ModelManifest, kind: str) -> Iterator[GoldenCase]:
    """Golden cases of a bundle's own frames with what ``graph`` says of them, those in colour first: they show more."""
    frames, regions = bundle.golden.frames, bundle.golden.regions
    for i in sorted(range(len(bundle.golden)), key=lambda i: -frames[i].ndim):
        colour = "colour" if frames[i].ndim == 3 else "grey"
        yield golden_case(graph, manifest, frames[i], regions[i], f"{kind}, {colour}")


def write_bundle(
    bundle: Bundle,
    out: Path,
    graph: bytes,
    manifest: ModelManifest,
    cases: list[GoldenCase],
    silent: Mapping[int, NDArray[np.bool_]] | None,
    reason: str,
) -> tuple[Bundle, list[HeadCoverage]]:
    """Write the successor of ``bundle``, which keeps its optional members; returns it as `repack` does."""
    found = golden_coverage(graph, np.concatenate([case.tensor for case in cases]), silent)
    data = append_zip(graph, zip_members(manifest, cases, found, len(graph), reason) | optional_members(bundle, graph))
    check_size(data)
    write_atomically(out, data)
    return load_bundle(out), found


def optional_members(bundle: Bundle, graph: bytes) -> dict[str, bytes]:
    """Optional members of ``bundle`` that its successor with ``graph`` keeps.

    A recurrent step is left out where the graph is another one: it learnt from the answers of the one before.
    """
    parts = split_bundle(bundle.model_bytes)
    optional = dict(parts.optional)
    if bundle.clip is not None and graph != parts.graph:
        del optional[CLIP]
        print(f"{CLIP} is left out: it was fitted on the answers of the graph before", file=sys.stderr)
    return optional
