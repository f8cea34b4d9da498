"""Hostile files for a source that runs: what they cost in memory and time is the decoder process' business."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
from dicom_source_files import write_dicom
from pydicom.encaps import encapsulate
from pydicom.uid import RLELossless

if TYPE_CHECKING:
    from pathlib import Path

RUNS = 5 << 20
"""Runs of an RLE frame of 10 MB: they stand for 640 MB, and decoding them takes more than a frame may."""


def first_file(folder: Path) -> None:
    """Make ``folder`` with one good file, so that there is something to read at the start."""
    folder.mkdir()
    write_dicom(folder / "0.dcm", np.full((1, 120, 160), 80, np.uint8))


def add_hostile_file(folder: Path) -> Path:
    """Add an RLE frame that decodes to far more than its pixels to ``folder``, behind all others; its path."""
    path = folder / f"{len(list(folder.iterdir()))}.dcm"
    segment = struct.pack("<16L", 1, 64, *[0] * 14) + b"\x81\x00" * RUNS
    draft = folder / ".draft"
    write_dicom(draft, np.zeros((1, 1024, 1024), np.uint8), syntax=RLELossless, PixelData=encapsulate([segment]))
    return draft.replace(path)
