"""Writer of bundle files of all kinds but lesion models: puts one together, and proves it as a device would."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from edge.contracts.errors import DeviceError, ModelError
from edge.models.bundle import Bundle, load_bundle
from edge.models.bundle_file import MAX_BUNDLE
from edge.models.bundle_writer import append_zip, pack_golden, write_atomically
from edge.pipeline.selftest import require_selftest
from edge.process.sealed_file import seal_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge.adopt.golden_pictures import MadePicture
    from edge.contracts.manifest import PictureManifest
    from edge.contracts.ports import Runtime


def write_label_bundle(
    graph: bytes,
    manifest: PictureManifest,
    golden: Sequence[MadePicture],
    card: str,
    out: Path,
    runtime: Runtime,
    source: str,
) -> Bundle:
    """Write the bundle to ``out``, once ``runtime`` has computed its golden vectors from the bytes to be written.

    ``runtime``: has loaded ``graph``. ``source``: name of what it was made of, for messages. Raises `ModelError` if it
    is too large, or does not prove itself, and `DeviceError` where ``out`` cannot be written.
    """
    data = bundle_bytes(graph, manifest, golden, card)
    if len(data) > MAX_BUNDLE:
        raise ModelError(
            f"{source}: the bundle would have {len(data) >> 20} MB, and the most is {MAX_BUNDLE >> 20}",
            hint="quantise the model to 8 bits, or take a smaller one",
        )
    require_selftest(load_bundle(seal_bytes(data, out)), runtime)  # read as a device reads it
    try:
        write_atomically(out, data)
    except OSError as error:
        raise DeviceError(f"{out} cannot be written: {error.strerror}", hint="give --out another place") from error
    return load_bundle(out)


def bundle_bytes(graph: bytes, manifest: PictureManifest, golden: Sequence[MadePicture], card: str) -> bytes:
    """Bytes of the whole file: the flatbuffer, and the members of the ZIP behind it."""
    members = {
        "labels.txt": "\n".join(manifest.label_names).encode(),
        "manifest.json": msgspec.json.format(msgspec.json.encode(manifest), indent=1),
        "golden.npz": pack_golden(
            [case.pixels for case in golden],
            [case.regions for case in golden],
            np.concatenate([case.tensor for case in golden]),
            {head: np.concatenate([case.outputs[head] for case in golden]) for head in manifest.heads},
        ),
        "MODEL_CARD.md": card.encode(),
    }
    return append_zip(graph, members)
