"""Open image file: gives its bytes to functions that read headers and decode, here or in the decoder process.

Here where file and picture are small and OpenCV's PNG, JPEG or BMP decoder has them in a moment; else in the decoder
process, to which the file is handed as it is: a large one is never in the memory of this process.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeVar

from edge.contracts.errors import SourceError
from edge.contracts.results import Reason
from edge.images.decoder_process import decoder_process
from edge.images.limits import check_image, decodes_in_process
from edge.process.regular_file import open_regular

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from edge.images.limits import Sized


R = TypeVar("R")

MAX_BYTES = 1 << 29
"""Largest file in bytes."""
SMALL_BYTES = 4 << 20
"""Largest file in bytes that is read into this process."""
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


class OpenImageFile:
    """Image file that is open for reading. Close it, or use it in ``with``."""

    def __init__(self, path: Path, timeout_s: float | None = None) -> None:
        """Open the file; of one that grows, what is there now is read.

        Args:
            path: the file.
            timeout_s: time limit in seconds of what is done in the decoder process.

        Raises:
            OSError: it cannot be read.
            SourceError: it is no regular file, or too large.
        """
        self._timeout_s = timeout_s
        self._fd = open_regular(path)
        try:
            size = os.fstat(self._fd).st_size
            if size > MAX_BYTES:
                hint = "export it smaller"
                raise SourceError(f"expected at most {MAX_BYTES >> 20} MB", hint=hint, reason=Reason.TOO_LARGE.value)
            self._head = os.pread(self._fd, 64, 0)
            small = size <= SMALL_BYTES and self._head[:4] not in _TIFF
            self._data = _read(self._fd, size) if small else None
        except BaseException:
            self.close()
            raise

    def headers(self, read: Callable[[bytes], R]) -> R:
        """Return what ``read``, a function of a module, makes of the file's bytes. Raises what it raises."""
        if self._data is not None:
            return read(self._data)
        return decoder_process.call(read, self._fd, timeout_s=self._timeout_s)

    def picture(self, decode: Callable[..., R], info: Sized, *more: Any) -> R:
        """Return what ``decode(data, info, *more)`` makes of one picture of the file.

        Raises:
            SourceError: what ``decode`` raises, or that the picture is too large or takes too long.
        """
        check_image(self._head, info)
        if self._data is not None and decodes_in_process(self._data, info):
            return decode(self._data, info, *more)
        return decoder_process.call(decode, self._fd, info, *more, timeout_s=self._timeout_s)

    def close(self) -> None:
        """Close the file. May be called again."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> OpenImageFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _read(fd: int, size: int) -> bytes:
    parts = []
    at = 0
    while at < size and (part := os.pread(fd, size - at, at)):
        parts.append(part)
        at += len(part)
    return b"".join(parts)
