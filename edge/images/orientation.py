"""EXIF orientation of a picture: read from its EXIF block, and applied to its pixels."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

_ORIENTATION = 0x0112


def exif_orientation(exif: bytes) -> int:
    """Orientation, 1 to 8, from an EXIF block (a TIFF header and directory); 1, upright, if it says nothing usable."""
    exif = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return 1
    try:
        (at,) = struct.unpack(f"{order}L", exif[4:8])
        (count,) = struct.unpack(f"{order}H", exif[at : at + 2])
        for entry in range(at + 2, at + 2 + 12 * count, 12):
            tag, kind, _, value = struct.unpack(f"{order}HHLH", exif[entry : entry + 10])
            if tag == _ORIENTATION and kind == 3 and 1 <= value <= 8:
                return int(value)
    except struct.error:  # cut short
        pass
    return 1


def apply_orientation(image: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turn and mirror (H, W) or (H, W, C) pixels of any dtype upright, as EXIF 2.32 table 6 has it; a view."""
    if orientation >= 5:
        image = np.swapaxes(image, 0, 1)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return image
