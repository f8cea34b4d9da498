"""Input files of ``edge-cli infer``: which source reads which file, by its first bytes, then by its name."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from edge.config.file_kinds import read_head, scheme_by_head, scheme_by_name
from edge.contracts.errors import SourceError
from edge.dicom.header import is_dicom
from edge.infer.stdin_file import copy_stream, is_stream
from edge.sources.dicom import DIRECTORY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from edge.config.file_kinds import FileScheme
    from edge.infer.stdin_file import StdinFile


UNKNOWN = "it is no PNG, JPEG, BMP, TIFF, video or DICOM file"


@dataclass(frozen=True, slots=True)
class InputFile:
    """Input file that is to be analysed, or the reason why it cannot be."""

    path: Path
    """As the user would write it."""
    scheme: FileScheme | None
    """None: there is no such file, or it is nothing that we know."""
    problem: str = ""
    """Why there is no scheme."""
    stream: StdinFile | None = None
    """What came on a stream that ``path`` names; None: ``path`` is read itself."""

    @property
    def place(self) -> Path:
        """Path that is read."""
        return self.path if self.stream is None else self.stream.path

    def close(self) -> None:
        """Close the copy of a stream, which is gone then."""
        if self.stream is not None:
            self.stream.file.close()

    @property
    def uri(self) -> str:
        """URI of the source that reads this file, for `edge.plugins.make_source`."""
        return f"{self.scheme}://{quote(os.fsencode(os.path.abspath(self.place)))}"


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
        if is_stream(path):
            found.setdefault(str(path), _from_stream(path))
        elif path.is_dir():
            for file in _walk(path):
                scheme = scheme_of(file)
                if scheme is None:
                    passed_over += 1
                else:
                    found.setdefault(os.path.realpath(file), InputFile(file, scheme))
        else:
            found.setdefault(os.path.realpath(path), _named(path))
    return list(found.values()), passed_over


def scheme_of(path: Path) -> FileScheme | None:
    """Scheme of the source that reads this file; None if nothing says that one does."""
    try:
        if is_dicom(path):
            return "dicom"
    except OSError:
        pass
    return scheme_by_head(read_head(path)) or scheme_by_name(path)


def _from_stream(path: Path) -> InputFile:
    try:
        stream = copy_stream(path)
    except SourceError as error:
        return InputFile(path, None, error.message)
    scheme = scheme_of(stream.path)
    return InputFile(path, scheme, "" if scheme else UNKNOWN, stream)


def _named(path: Path) -> InputFile:
    if "://" in str(path) or re.match(r"[a-z]+:/", str(path)):
        return InputFile(path, None, "it is a URI, and infer takes plain paths")
    if not path.exists():
        return InputFile(path, None, "there is no such file")
    if not path.is_file():
        return InputFile(path, None, "it is neither a file nor a folder")
    scheme = scheme_of(path)
    return InputFile(path, scheme, "" if scheme else UNKNOWN)


def _walk(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(place, name)
            if not name.startswith(".") and name.upper() != DIRECTORY and path.is_file():
                yield path
