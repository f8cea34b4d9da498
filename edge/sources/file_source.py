"""Base class of sources that read files: finds the files, and goes on with the next when one of them is bad."""

from __future__ import annotations

import os
import re
import threading
import time
from abc import ABC, abstractmethod
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from edge.contracts.errors import SourceError
from edge.contracts.frames import Frame, FrameOrigin, SourceEvent
from edge.contracts.results import Reason
from edge.images.limits import check_picture_size

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from edge.config.settings import StreamSettings
    from edge.config.uri import Uri
    from edge.contracts.region import Region


@dataclass(frozen=True, slots=True)
class FilePicture:
    """One decoded frame of a file, with its time, regions and origin."""

    pixels: NDArray[np.uint8]
    """(H, W) grey or (H, W, 3) RGB, uint8."""
    media_ns: int | None
    """Time since the first frame of the file, in nanoseconds; None: not known."""
    regions: tuple[Region, ...] = ()
    """Scan areas with their calibration, as far as the file tells them."""
    origin: FrameOrigin = field(default_factory=FrameOrigin)
    begins_clip: bool = False
    """Within a file: this frame begins a clip of its own, such as one of another size."""


class FileProgress:
    """Told by a file source what it reads; this one does nothing. `edge.daemon.frame.open_files` has the real one."""

    def left_out(self, files: Sequence[Path]) -> int:
        """Number of files at the beginning of ``files`` that were read before, and are not read again."""
        return 0

    def begin(self, path: Path, clip: int, number: int) -> None:
        """Note that a file, the ``number``-th of all, is read now, from clip number ``clip`` on.

        Raises `SourceError` if it must not be.
        """

    def decoding(self, busy: bool) -> None:
        """Note that a frame is being decoded, or is done."""

    def given(self) -> None:
        """Note that a frame or event of the file was read."""

    def end(self) -> None:
        """Note that the file is read to its end."""


class FileSource(ABC):
    """Base of a `Source` that reads one file, or all files of a folder in natural order, each a clip.

    A file or frame that cannot be read is a ``skipped`` event and costs nothing else. After the last comes ``ended``,
    again and again. Opened anew, it begins anew, but goes on counting.
    """

    live = False

    def __init__(self, uri: Uri, stream: StreamSettings) -> None:
        self._root = uri.file
        self._stream = stream.name
        self.decode_timeout_s = stream.decode_timeout_s
        self.progress: FileProgress = FileProgress()
        """Told of each file that is read; may say that one is to be left out. To be set before `open`."""
        self._seq = 0
        self._clip = -1
        self._closed = threading.Event()
        self._reading = threading.Lock()
        self._items: Generator[Frame | SourceEvent] | None = None

    @abstractmethod
    def pictures(self, path: Path) -> Generator[FilePicture | SourceEvent]:
        """Yield the frames of one file, one at a time. May raise anything: the source skips the rest of the file."""

    @abstractmethod
    def accepts(self, path: Path) -> bool:
        """Whether a file in a folder is of this source's format. May raise OSError."""

    def open(self) -> None:
        """Implement `Source.open`: find the files.

        Raises:
            SourceError: there is nothing at the path, it cannot be read, or no file of a folder is of this kind.
        """
        self.close()
        _silence_opencv_log()
        found = find_files(self._root, self.accepts)
        with self._reading:
            self._items = self._frames_and_events(found)
            self._closed.clear()

    def read(self, timeout_s: float) -> Frame | SourceEvent | None:
        """Implement `Source.read`: the next frame or event; never waits. None: the source is closed."""
        with self._reading:
            if self._items is None or self._closed.is_set():
                return None
            return next(self._items, SourceEvent("ended", Reason.STREAM_ENDED))

    def close(self) -> None:
        """Implement `Source.close`: close the file; a `read` in another thread finishes its frame first."""
        self._closed.set()
        with self._reading:
            if self._items is not None:
                self._items.close()
                self._items = None

    def _frames_and_events(self, found: list[Path | SourceEvent]) -> Generator[Frame | SourceEvent]:
        read_before = self.progress.left_out([item for item in found if isinstance(item, Path)])
        number = 0
        for path in found:
            if isinstance(path, SourceEvent):
                yield path
                continue
            number += 1
            self._clip += 1
            if read_before:
                read_before -= 1
                continue
            yield from self._file(path, number)

    def _file(self, path: Path, number: int) -> Generator[Frame | SourceEvent]:
        try:
            self.progress.begin(path, self._clip, number)
            self.progress.decoding(True)
            with closing(self.pictures(path)) as pictures:
                for picture in pictures:
                    item = picture if isinstance(picture, SourceEvent) else self._frame(picture)
                    self.progress.decoding(False)
                    self.progress.given()
                    yield item
                    self.progress.decoding(True)
        except BaseException as error:  # whatever broken bytes make a decoder trip over, a native panic too
            if ends_thread(error):
                raise
            self.progress.decoding(False)
            self.progress.given()
            yield skipped_event(path, error)
        self.progress.decoding(False)
        self.progress.end()

    def _frame(self, picture: FilePicture) -> Frame:
        self._clip += picture.begins_clip
        frame = Frame(
            stream=self._stream,
            seq=self._seq,
            captured_ns=time.monotonic_ns(),
            media_ns=picture.media_ns,
            pixels=picture.pixels,
            regions=picture.regions,
            origin=replace(picture.origin, clip=self._clip),
        )
        self._seq += 1
        return frame


def _silence_opencv_log() -> None:
    """Switch OpenCV's log off: it prints file names, which can be patients' names. The events tell what went wrong."""
    set_level = getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel  # moved in 4.13
    set_level(0)


def ends_thread(error: BaseException) -> bool:
    """Whether an exception is no fault of a file's: a generator that is closed, or the main thread that is to stop."""
    asked = isinstance(error, (KeyboardInterrupt, SystemExit))
    return isinstance(error, GeneratorExit) or (asked and threading.current_thread() is threading.main_thread())


def skipped_event(path: Path, error: BaseException, place: str = "") -> SourceEvent:
    """Event for a file or frame that is skipped because of ``error``; ``place``: which frame, in words."""
    if place:
        event = skipped_event(path, error)
        return replace(event, detail=f"{place}: {event.detail}")
    if isinstance(error, SourceError):
        detail = f"{error.message}; {error.hint}" if error.hint else error.message
        return SourceEvent("skipped", Reason(error.reason), detail, printable_path(path))
    cause = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    return SourceEvent("skipped", Reason.DECODE_ERROR, f"cannot be read: {cause}", printable_path(path))


def printable_path(path: Path) -> str:
    """Convert a path to text that can be written out, even if its bytes are no UTF-8."""
    return os.fsencode(path).decode("utf-8", "replace")


def check_size(width: int, height: int) -> None:
    """Raise `SourceError` for a picture that is too large, before it is decoded: see `check_picture_size`."""
    check_picture_size(width, height)


def find_files(root: str, accepts: Callable[[Path], bool]) -> list[Path | SourceEvent]:
    """Find the file ``root``, or all accepted files in the folder ``root`` and below, in natural order.

    Args:
        root: path, relative or absolute.
        accepts: whether a file of a folder is to be read. A file named by itself is read in any case.

    Returns:
        Paths, and an event for each folder or file that could not even be examined.

    Raises:
        SourceError: there is nothing at ``root``, it cannot be read, or none of its files is accepted.
    """
    path = Path(root)
    try:
        if not root or not path.exists():
            raise SourceError(
                f"there is no file or folder {root!r}", hint="check the path; three slashes begin an absolute one"
            )
        if path.is_file():
            os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))
            return [path]
        if not path.is_dir():
            raise SourceError(f"expected a file or a folder, got {root!r}, which is neither", hint="check the path")
        os.listdir(path)
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or str(error)
        raise SourceError(f"cannot read {root!r}: {cause}", hint="check the path and who may read it") from None
    found = _files_below(path, accepts)
    if not any(isinstance(item, Path) for item in found):
        hint = "check the path; name the file itself if it has no usual name"
        raise SourceError(f"no file to read in {root!r}", hint=hint)
    return found


def _files_below(folder: Path, accepts: Callable[[Path], bool]) -> list[Path | SourceEvent]:
    """Accepted files of a folder, sorted. Hidden files and folders are left out: they hold thumbnails and the like."""
    found: list[tuple[list[list[str | int]], Path | SourceEvent]] = []

    def unreadable(error: OSError) -> None:
        found.append((_natural_key(Path(error.filename)), skipped_event(Path(error.filename), error)))

    for here, folders, names in os.walk(folder, onerror=unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for path in (Path(here, name) for name in names if not name.startswith(".")):
            item = _path_or_event(path, accepts)
            if item is not None:
                found.append((_natural_key(path), item))
    return [item for _, item in sorted(found, key=lambda pair: pair[0])]


def _path_or_event(path: Path, accepts: Callable[[Path], bool]) -> Path | SourceEvent | None:
    try:
        return path if path.is_file() and accepts(path) else None
    except OSError as error:
        return skipped_event(path, error)


def _natural_key(path: Path) -> list[list[str | int]]:
    """Sort key: ``frame2`` before ``frame10``. Names that only differ in case or leading zeros keep a fixed order."""
    key: list[list[str | int]] = []
    for part in path.parts:
        stem, suffix = os.path.splitext(part)
        split = re.split(r"([0-9]+)", stem.casefold())
        key.append([int(text) if i % 2 else text for i, text in enumerate(split)])
        key.append([suffix, part])
    return key
