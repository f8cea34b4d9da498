"""Standard input as a file: what comes on it is kept in a nameless temporary file, which sources read by a path."""

from __future__ import annotations

import re
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from edge.contracts.errors import DeviceError, SourceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

STDIN = Path("-")
"""How the user names standard input."""
MOST_BYTES = 4 << 30
CHUNK = 1 << 20
_DESCRIPTOR = re.compile(r"/dev/stdin|(?:/dev/fd|/proc/self/fd)/(\d+)")


@dataclass(frozen=True, slots=True)
class StdinFile:
    """Copy of a stream, in a temporary file without a name: it is gone when this is closed, or with the process."""

    file: BinaryIO
    size: int

    @property
    def path(self) -> Path:
        """Path by which this process reads it."""
        return Path(f"/proc/self/fd/{self.file.fileno()}")


def is_stream(path: Path) -> bool:
    """Whether a path names standard input or another open descriptor that is a pipe, such as a shell's ``<(…)``."""
    return path == STDIN or (_DESCRIPTOR.fullmatch(str(path)) is not None and path.is_fifo())


def copy_stream(path: Path) -> StdinFile:
    """Read the stream that ``path`` names to its end.

    Raises:
        UsageError: standard input is a terminal, or closed.
        SourceError: nothing comes on it, or more than is taken.
        DeviceError: there is no room for it.
    """
    try:
        with ExitStack() as kept:
            copy = kept.enter_context(tempfile.TemporaryFile(prefix="sonoedge-"))
            size = 0
            for piece in _pieces(path):
                size += len(piece)
                if size > MOST_BYTES:
                    raise SourceError(f"over {MOST_BYTES >> 30} GB come on {_named(path)}", hint="give it as a file")
                copy.write(piece)
            if not size:
                hint = "for example: edge-cli infer - < scan.png"
                raise SourceError(f"nothing came on {_named(path)}", hint=hint)
            copy.flush()
            kept.pop_all()  # its owner closes it
    except OSError as error:
        raise DeviceError(
            f"what comes on {_named(path)} cannot be kept: {error.strerror}",
            hint="make room, or set TMPDIR to a folder",
        ) from None
    return StdinFile(copy, size)


def _pieces(path: Path) -> Iterator[bytes]:
    if path == STDIN:
        if sys.stdin is None or sys.stdin.isatty():
            raise UsageError("standard input is a terminal", hint="for example: edge-cli infer - < scan.png")
        stream = sys.stdin.buffer
        while piece := stream.read(CHUNK):
            yield piece
        return
    with path.open("rb") as opened:
        while piece := opened.read(CHUNK):
            yield piece


def _named(path: Path) -> str:
    return "standard input" if path == STDIN else str(path)
