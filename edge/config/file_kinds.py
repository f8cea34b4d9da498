"""Which source reads a file: by its first bytes, then by the suffix of its name. Nothing heavy is imported for it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

FileScheme = Literal["images", "video", "dicom"]

DICOM_SUFFIXES = (".dcm", ".dicom", ".dic")
"""File name suffixes that say DICOM, in lower case."""
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
"""File name suffixes of picture formats that are read, in lower case."""
VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".ts")
"""File name suffixes of video clips, in lower case."""
ENDINGS: tuple[tuple[tuple[str, ...], FileScheme], ...] = (
    (DICOM_SUFFIXES, "dicom"),
    (IMAGE_SUFFIXES, "images"),
    (VIDEO_SUFFIXES, "video"),
)
BEGINNINGS: tuple[tuple[int, bytes, FileScheme], ...] = (
    (128, b"DICM", "dicom"),
    (0, b"\x89PNG", "images"),
    (0, b"\xff\xd8\xff", "images"),  # JPEG
    (0, b"BM", "images"),
    (0, b"II*\0", "images"),  # TIFF
    (0, b"MM\0*", "images"),
    (0, b"II+\0", "images"),  # BigTIFF
    (0, b"MM\0+", "images"),
    (4, b"ftyp", "video"),  # MP4, QuickTime
    (8, b"AVI ", "video"),
    (0, b"\x1a\x45\xdf\xa3", "video"),  # Matroska, WebM
    (0, b"\x00\x00\x01\xba", "video"),  # MPEG program stream
    (0, b"\x00\x00\x01\xb3", "video"),  # MPEG video
)
"""(offset, bytes, scheme)."""
HEAD_BYTES = 132
MOST_LOOKED_AT = 200
"""Files of a folder that are looked at, to tell what it holds."""


def scheme_by_head(head: bytes) -> FileScheme | None:
    """Scheme of the source that reads a file that begins with ``head``; None if that tells nothing."""
    for offset, mark, scheme in BEGINNINGS:
        if head[offset : offset + len(mark)] == mark:
            return scheme
    return None


def scheme_by_name(path: Path) -> FileScheme | None:
    """Scheme of the source that reads a file of this name; None if its suffix is of none."""
    ending = path.suffix.lower()
    return next((scheme for endings, scheme in ENDINGS if ending in endings), None)


def guess_scheme(path: Path) -> FileScheme | None:
    """Scheme of the source that would read a file, or the first that it knows of a folder; None: nothing tells."""
    if not path.is_dir():
        return scheme_by_head(read_head(path)) or scheme_by_name(path)
    looked_at = 0
    for place, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(name for name in names if not name.startswith(".")):
            found = guess_scheme(path.joinpath(place, name))
            looked_at += 1
            if found is not None or looked_at >= MOST_LOOKED_AT:
                return found
    return None


def read_head(path: Path) -> bytes:
    """First bytes of a regular file; empty where it cannot be read."""
    try:
        if not path.is_file():  # never opened: a pipe would wait for its writer
            return b""
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError:
        return b""
