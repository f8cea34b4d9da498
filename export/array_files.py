"""Read a file of arrays (``.npz``) whole, so that a damaged one is one error and leaves nothing open."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.contracts.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def read_arrays(path: Path, what: str, hint: str) -> dict[str, NDArray[Any]]:
    """Arrays of an ``.npz`` by name. Raises UsageError, which says that the file is not ``what`` it should be."""
    try:
        with np.load(io.BytesIO(path.read_bytes())) as file:
            return {name: np.asarray(file[name]) for name in file.files}
    except Exception as error:  # zipfile, zlib and numpy's reader of headers raise a dozen kinds for damaged input
        raise UsageError(f"{path} is no {what}: {error}", hint=hint) from error
