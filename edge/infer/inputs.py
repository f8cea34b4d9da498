"""Input files of ``edge-cli infer``: which source reads which file, by its first bytes, then by its name."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from edge.dicom.header import is_dicom
from edge.images import headers
from edge.sources import dicom, video

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Scheme = Literal["images", "video", "dicom"]

ENDINGS: tuple[tuple[tuple[str, ...], Scheme], ...] = (
    (dicom.SUFFIXES, "dicom"),
    (headers.SUFFIXES, "images"),
    (video.SUFFIXES, "video"),
)
BEGINNINGS: tuple[tuple[int, bytes, Scheme], ...] = (
    (0, b"\x89PNG", "images"),
    (0, b"\xff\xd8\xff", "images"),  # JPEG
    (0, b"BM", "images"),
    (0, b"II*\0", "images"),  # TIFF
    (0, b"MM\0*", "images"),
    (4, b"ftyp", "video"),  # MP4, QuickTime
    (8, b"AVI ", "video"),
    (0, b"\x1a\x45\xdf\xa3", "video"),  # Matroska, WebM
    (0, b"\x00\x00\x01\xba", "video"),  # MPEG program stream
    (0, b"\x00\x00\x01\xb3", "video"),  # MPEG video
)
"""(offset, bytes, scheme), of what is no DICOM."""


@dataclass(frozen=True, slots=True)
class InputFile:
    """Input file that is to be analysed, or the reason why it cannot be."""

    path: Path
    """As the user would write it."""
    scheme: Scheme | None
    """None: there is no such file, or it is nothing that we know."""
    problem: str = ""
    """Why there is no scheme."""

    @property
    def uri(self) -> str:
        """URI of the source that reads this file, for `edge.plugins.make_source`."""
        return f"{self.scheme}://{quote(os.path.abspath(self.path))}"


def find_inputs(paths: Iterable[Path]) -> tuple[list[InputFile], int]:
    """Find all input files that ``paths`` stand for, in order of name; folders are searched to the bottom.

    A file that was named is an input whatever it is. In a folder, hidden files and what is neither picture, video
    nor DICOM (notes, tables) are passed over.

    Returns:
        The inputs, each file once, and the number of files that were passed over.
    """
    found: dict[str, InputFile] = {}
    passed_over = 0
    for path in paths:
        if path.is_dir():
            for file in _walk(path):
                scheme = scheme_of(file)
                if scheme is None:
                    passed_over += 1
                else:
                    found.setdefault(os.path.realpath(file), InputFile(file, scheme))
        else:
            found.setdefault(os.path.realpath(path), _named(path))
    return list(found.values()), passed_over


def scheme_of(path: Path) -> Scheme | None:
    """Scheme of the source that reads this file; None if nothing says that one does."""
    try:
        if is_dicom(path):
            return "dicom"
        with path.open("rb") as file:
            head = file.read(16)
    except OSError:
        head = b""
    for offset, mark, scheme in BEGINNINGS:
        if head[offset : offset + len(mark)] == mark:
            return scheme
    ending = path.suffix.lower()
    return next((scheme for endings, scheme in ENDINGS if ending in endings), None)


def _named(path: Path) -> InputFile:
    if not path.exists():
        return InputFile(path, None, "there is no such file")
    if not path.is_file():
        return InputFile(path, None, "it is neither a file nor a folder")
    scheme = scheme_of(path)
    return InputFile(path, scheme, "" if scheme else "it is no PNG, JPEG, BMP, TIFF, video or DICOM file")


def _walk(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(place, name)
            if not name.startswith(".") and name.upper() != dicom.DIRECTORY and path.is_file():
                yield path
