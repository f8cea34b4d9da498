"""Values of a live source's URI that several kinds read: the size of a picture, and frames per second."""

from __future__ import annotations

import re


def picture_size(text: str) -> tuple[int, int]:
    """Width and height in pixels of text such as ``1920x1080``. Raises ValueError for anything else."""
    found = re.fullmatch(r"(\d{1,5})[xX*](\d{1,5})", text)
    if found is None or not int(found[1]) or not int(found[2]):
        raise ValueError
    return int(found[1]), int(found[2])


def frame_rate(text: str) -> float:
    """Frames per second of text such as ``29.97``. Raises ValueError for anything that is not over 0 and up to 1000."""
    number = float(text)
    if not 0 < number <= 1000:
        raise ValueError
    return number
