"""Pictures that a search has found so far, kept in a folder: an interrupted search goes on from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.contracts.errors import UsageError
from export.bundle_file import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]


class FoundPictures:
    """PNG files in a folder, numbered in the order in which they were found; without a folder, nothing is kept."""

    def __init__(self, folder: Path | None, shape: tuple[int, int]) -> None:
        """``shape``: height and width that pictures must have."""
        self._folder, self._shape = folder, shape

    def read(self) -> list[Picture]:
        """All pictures of the folder. Raises UsageError for a file that is no picture of the shape."""
        if self._folder is None or not self._folder.is_dir():
            return []
        found = []
        for path in sorted(self._folder.glob("*.png")):
            data = np.frombuffer(path.read_bytes(), np.uint8)
            picture = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
            if picture is None or picture.dtype != np.uint8 or picture.shape != self._shape:
                height, width = self._shape
                raise UsageError(
                    f"{path} is no grey picture of {width} x {height} pixels",
                    hint="a search goes on from its own pictures alone: give another folder",
                )
            found.append(np.asarray(picture, np.uint8))
        return found

    def keep(self, picture: Picture) -> None:
        """Write one more picture."""
        if self._folder is not None:
            encoded, data = cv2.imencode(".png", picture)
            if not encoded:
                raise UsageError(f"no picture can be written to {self._folder}", hint="give another folder")
            write_atomically(self._folder / f"{len(list(self._folder.glob('*.png'))):03d}.png", data.tobytes())
