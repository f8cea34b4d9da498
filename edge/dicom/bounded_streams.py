"""Streams that give a DICOM file's bytes within limits: a deflated data set piece by piece, a header of sane size."""

from __future__ import annotations

import io
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from edge.contracts.errors import SourceError
from edge.contracts.results import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

MAX_INFLATED = 1 << 29
"""Bytes that a deflated file may grow to: a few kilobytes can be made to grow without end."""
PIECE = 1 << 18
"""Bytes that are inflated at once."""
MAX_READ = 128 << 20
"""Most bytes that are read from a deflated file at once; a frame is the largest there is."""
MAX_ELEMENT = 1 << 19
"""Most bytes of one data element of the header: a palette has 128 kB, tables of times or offsets 8 bytes a frame."""
MAX_HEADER_READS = 60_000
"""Most pieces that a header is read in, about two for a data element and one for an item of a sequence without a
length: a file of nothing but empty ones would be gone through for minutes."""
MAX_INFLATED_HEADER = 64 << 20
"""Bytes of a deflated file before its Pixel Data, inflated; in other files nothing is read of what is skipped."""


class InflatedStream(io.RawIOBase):
    """File whose data set is deflated (PS3.5 A.5), read as if it were not: inflates what is asked for, keeps nothing.

    Going back by more than a piece means to begin again; frames are read in order.
    """

    def __init__(self, stream: BinaryIO, start: int, head: bytes) -> None:
        """``head`` stands before what lies deflated in ``stream`` from ``start`` on."""
        self._stream, self._start, self._head = stream, start, head
        self._wanted = 0
        self._at = 0
        self._size: int | None = None
        self.header_only = False
        """Whether no more than `MAX_INFLATED_HEADER` may be inflated, because only a header is to be read."""
        self._rewind()

    def readable(self) -> bool:
        """Implement `io.IOBase.readable`: it is."""
        return True

    def seekable(self) -> bool:
        """Implement `io.IOBase.seekable`: it is, backwards at a price."""
        return True

    def tell(self) -> int:
        """Implement `io.IOBase.tell`: the position that is read next."""
        return self._wanted

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Implement `io.IOBase.seek`; only to learn where the end is, something is read."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._wanted}.get(whence)
        self._wanted = max(0, (self._length() if base is None else base) + offset)
        return self._wanted

    def read(self, size: int = -1) -> bytes:
        """Implement `io.RawIOBase.read`: all of ``size`` bytes, fewer at the end.

        Raises:
            SourceError: more than `MAX_READ` at once, or it has inflated to more than `MAX_INFLATED`.
        """
        if size < 0 or size > MAX_READ:
            size = self._length() - self._wanted
            if size > MAX_READ:
                raise too_large(f"one piece of it inflates to more than {MAX_READ >> 20} MB")
        self._go_back(self._wanted)
        while self._at < self._wanted and self._forward(self._wanted - self._at):
            pass
        parts = []
        while size > 0 and self._at == self._wanted and (part := self._forward(size)):
            parts.append(part)
            size -= len(part)
            self._wanted += len(part)
        return b"".join(parts)

    def end_within(self, most: int) -> int:
        """Position of the end, or ``most`` if that is beyond: no more than that is inflated. The position stays.

        Raises:
            SourceError: ``most`` is more than `MAX_INFLATED`, and so may the end be.
        """
        if most > MAX_INFLATED:
            raise too_large(f"inflates to more than {MAX_INFLATED >> 20} MB, as it says itself")
        self._go_back(most)
        while self._at < most and self._forward(min(PIECE, most - self._at)):
            pass
        return self._at

    def _length(self) -> int:
        """Bytes of all of it; it is gone through once."""
        if self._size is None:
            while self._forward(PIECE):
                pass
            self._size = self._at
        return self._size

    def _go_back(self, wanted: int) -> None:
        """Go back to ``wanted`` if that lies behind: in the piece inflated last, else from the beginning."""
        back = self._at - wanted
        if 0 < back <= self._taken:
            self._taken -= back
            self._at = wanted
        elif back > 0:
            self._rewind()

    def _rewind(self) -> None:
        self._stream.seek(self._start)
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._coded = b""
        self._rest, self._taken = self._head, 0
        self._at = 0

    def _forward(self, size: int) -> bytes:
        """The next bytes, at most ``size``; none at the end."""
        while self._taken >= len(self._rest):
            self._coded = self._coded or self._stream.read(PIECE)
            if not self._coded or self._inflater.eof:
                return b""
            self._taken = 0
            try:
                self._rest = self._inflater.decompress(self._coded, PIECE)
            except zlib.error:  # damaged from here on: as if it ended
                self._coded, self._rest = b"", b""
                self._stream.seek(0, io.SEEK_END)
                return b""
            self._coded = self._inflater.unconsumed_tail
        part = self._rest[self._taken : self._taken + size]  # the rest is not copied for every few bytes
        self._taken += len(part)
        self._at += len(part)
        if self.header_only and self._at > MAX_INFLATED_HEADER:
            raise too_large(f"its header inflates to more than {MAX_INFLATED_HEADER >> 20} MB before the pixels")
        if self._at > MAX_INFLATED:
            raise too_large(f"inflates to more than {MAX_INFLATED >> 20} MB")
        return part


class HeaderStream:
    """File of which a header is read: elements of sane size, and not too many of them. All else is the file's."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._read, self.tell, self.seek = stream.read, stream.tell, stream.seek
        self._reads = 0
        self.refusal: SourceError | None = None
        """The first error that `read` raised: the library that reads the header may make another of it."""

    def read(self, size: int = -1) -> bytes:
        """Read at most ``size`` bytes. Raises `SourceError` for one piece that is too large, or too many."""
        self._reads += 1
        if size > MAX_ELEMENT or size < 0 or self._reads > MAX_HEADER_READS:
            raise self._refuse()
        try:
            return self._read(size)
        except SourceError as error:  # inflates too far
            self.refusal = self.refusal or error
            raise

    def _refuse(self) -> SourceError:
        what = "too many data elements and items"
        if self._reads <= MAX_HEADER_READS:
            what = f"an element of more than {MAX_ELEMENT >> 10} kB"
        error = SourceError(f"its header is not one of a picture: it has {what}", hint="export the file again")
        self.refusal = self.refusal or error
        return self.refusal

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def too_large(message: str) -> SourceError:
    """Error for a deflated file that grows too much."""
    return SourceError(message, hint="export it uncompressed", reason=Reason.TOO_LARGE.value)


@contextmanager
def bounded_header(stream: BinaryIO) -> Iterator[BinaryIO]:
    """Give the file behind `HeaderStream`, for a library that reads a header from it in ``with``.

    Raises:
        SourceError: the library went beyond a limit, whatever error it made of that.
    """
    header = HeaderStream(stream)
    if isinstance(stream, InflatedStream):
        stream.header_only = True
    try:
        yield cast("BinaryIO", header)
    except Exception:
        if header.refusal is not None:
            raise header.refusal from None
        raise
    finally:
        if isinstance(stream, InflatedStream):
            stream.header_only = False
    if header.refusal is not None:
        raise header.refusal
