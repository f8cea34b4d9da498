"""Writer of bundle files: the TFLite graph, then a ZIP whose bytes depend on its contents alone."""

from __future__ import annotations

import io
import os
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.contracts.region import Region

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time a ZIP can hold: equal contents give equal bytes."""


def append_zip(graph: bytes, members: Mapping[str, bytes]) -> bytes:
    """Append ``members`` to ``graph`` as an uncompressed ZIP, as readers of the TFLite metadata format want it."""
    file = io.BytesIO(graph)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_STORED) as archive:
        for name, body in members.items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), body)
    return file.getvalue()


def pack_golden(
    frames: Sequence[NDArray[np.uint8]],
    regions: Sequence[Sequence[Region]],
    tensors: NDArray[Any],
    outputs: Mapping[str, NDArray[Any]],
) -> bytes:
    """Pack golden vectors into the bytes of ``golden.npz``; see `edge.models.golden_vectors` for its layout.

    Args:
        frames: n pictures, each (H, W) uint8 grey or (H, W, 3) uint8 RGB.
        regions: of each frame, its scan regions; a unit that is not known becomes NaN.
        tensors: (n, height, width, channels) of the input's type, what preprocessing makes of the frames.
        outputs: raw outputs by head, (n, …) of the head's type.
    """
    arrays: dict[str, NDArray[Any]] = {}
    for i, (frame, places) in enumerate(zip(frames, regions, strict=True)):
        arrays[f"frame_{i:03d}"] = frame
        rows = [(*r.box, np.nan if r.mm_x is None else r.mm_x, np.nan if r.mm_y is None else r.mm_y) for r in places]
        arrays[f"regions_{i:03d}"] = np.array(rows, np.float64).reshape(-1, 6)
    arrays["tensors"] = tensors
    arrays |= {f"output_{name}": values for name, values in outputs.items()}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            body = io.BytesIO()
            np.lib.format.write_array(body, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy", EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, body.getvalue())
    return file.getvalue()


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file atomically, all of it or nothing: a device may be reading the old file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.write_bytes(data)
    os.replace(new, path)
