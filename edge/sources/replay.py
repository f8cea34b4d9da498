"""Replay source, ``replay:///file.npz`` and `ReplaySource.of`: the fake of the `Source` port, for recorded frames.

The file is a NumPy archive without pickles:

    frames     (N, H, W) grey or (N, H, W, 3) RGB, uint8
    media_ns   (N,) integers: position of each frame in the recording, nanoseconds      optional
    regions    (R, 6): x, y, width, height in pixels, mm_x, mm_y; nan: not calibrated    optional
    body_part  text, as DICOM spells BodyPartExamined                                   optional
"""

from __future__ import annotations

import math
import threading
import time
import tokenize
import zipfile
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.config.settings import StreamSettings
from edge.config.uri import Uri
from edge.contracts.errors import SourceError
from edge.contracts.frames import Frame, FrameOrigin, SourceEvent
from edge.contracts.region import Region
from edge.contracts.results import Reason
from edge.preprocess.crop import clip_box

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

MAX_BYTES = 2 << 30
"""Most bytes of all arrays of a recording together, unpacked."""
ARRAYS = ("frames", "media_ns", "regions", "body_part")
"""Names of the arrays that a recording may hold; the first must be there."""
HINT = "see the head of edge/sources/replay.py for what such a file holds"


class ReplaySource:
    """Source that gives a list of frames, events and None ("nothing came in time"), then ``ended`` for ever.

    It never waits: None comes at once.
    """

    live = False

    def __init__(self, uri: Uri, stream: StreamSettings) -> None:
        uri.expect()
        self._path = uri.file
        self._stream = stream.name
        self._items: list[Frame | SourceEvent | None] | None = None
        self._next = 0
        self._open = threading.Event()

    @classmethod
    def of(cls, items: Iterable[Frame | SourceEvent | None], *, live: bool = False) -> ReplaySource:
        """Make a source that gives ``items`` as they are. They need not end in ``ended``; it comes in any case."""
        source = cls(Uri("replay"), StreamSettings(name="replay", source="replay://"))
        source._items = list(items)
        source.live = live
        for item in source._items:
            if item is not None and not isinstance(item, Frame | SourceEvent):
                raise TypeError(f"expected Frame, SourceEvent or None, got {type(item).__name__}")
        return source

    def open(self) -> None:
        """Implement `Source.open`: read the file, if there is one. After a close, goes on where it was.

        Raises:
            SourceError: there is no such file, or it is not of the form above.
        """
        if self._items is None:
            self._items = list(_recorded(self._path, self._stream))
        self._open.set()

    def read(self, timeout_s: float) -> Frame | SourceEvent | None:
        """Implement `Source.read`: the next item of the list; never waits."""
        if self._items is None or not self._open.is_set():
            return None
        if self._next >= len(self._items):
            return SourceEvent("ended", Reason.STREAM_ENDED)
        item = self._items[self._next]
        self._next += 1
        return replace(item, captured_ns=time.monotonic_ns()) if self._path and isinstance(item, Frame) else item

    def close(self) -> None:
        """Implement `Source.close`: from now on `read` gives None."""
        self._open.clear()


def _recorded(path: str, stream: str) -> list[Frame]:
    arrays = _load(path)
    frames = arrays["frames"]
    if frames.dtype != np.uint8 or frames.ndim not in (3, 4) or 0 in frames.shape or frames.shape[3:] not in ((), (3,)):
        raise _broken(path, f"expected frames (N, H, W) or (N, H, W, 3) uint8, got {frames.shape} {frames.dtype}")
    count, height, width = frames.shape[:3]
    media = arrays.get("media_ns")
    if media is not None and (media.shape != (count,) or media.dtype.kind not in "iu"):
        raise _broken(path, f"expected media_ns ({count},) integers, got {media.shape} {media.dtype}")
    body_part = arrays.get("body_part")
    if body_part is not None and (body_part.shape != () or body_part.dtype.kind != "U"):
        raise _broken(path, f"expected body_part to be one text, got {body_part.shape} {body_part.dtype}")
    part = None if body_part is None else str(body_part).upper() or None
    regions = tuple(_region(path, row, width, height) for row in _rows(path, arrays.get("regions")))
    return [
        Frame(
            stream=stream,
            seq=k,
            captured_ns=0,  # when it is read
            media_ns=None if media is None else int(media[k]),
            pixels=frames[k],
            regions=regions,
            origin=FrameOrigin(path=path, frame_index=k, body_part=part),
        )
        for k in range(count)
    ]


def _load(path: str) -> dict[str, NDArray[Any]]:
    """All arrays of the archive, by name. The file is not trusted."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            unknown = sorted(set(members) - set(ARRAYS))
            if unknown or "frames" not in members:
                raise _broken(
                    path,
                    f"expected the array frames, and of others only {', '.join(ARRAYS[1:])}; got "
                    f"{', '.join(sorted(members)) or 'none'}",
                )
            if sum(info.file_size for info in members.values()) > MAX_BYTES:
                raise _broken(path, f"holds more than {MAX_BYTES >> 30} GiB")
            arrays = {}
            for name, info in members.items():
                with archive.open(info) as stream:
                    arrays[name] = np.lib.format.read_array(stream, allow_pickle=False)
            return arrays
    except FileNotFoundError:
        raise SourceError(f"there is no file {path!r}", hint="check the path; replay:///a/b is /a/b") from None
    except (OSError, ValueError, EOFError, NotImplementedError, RuntimeError, MemoryError) as error:
        raise _broken(path, str(error)) from None
    except (zipfile.BadZipFile, zlib.error, SyntaxError, tokenize.TokenError) as error:
        # The last two: numpy reads a header that is no literal as a piece of a program.
        raise _broken(path, str(error)) from None


def _rows(path: str, regions: NDArray[Any] | None) -> list[list[float]]:
    if regions is None:
        return []
    if regions.ndim != 2 or regions.shape[1] != 6 or regions.dtype.kind not in "fiu":
        raise _broken(path, f"expected regions (R, 6) numbers, got {regions.shape} {regions.dtype}")
    return [[float(value) for value in row] for row in regions]


def _region(path: str, row: list[float], width: int, height: int) -> Region:
    place, (mm_x, mm_y) = row[:4], row[4:]
    if all(value.is_integer() for value in place):
        x, y, w, h = (int(value) for value in place)
        box = clip_box((x, y, w, h), width, height)
        if box is not None and all(math.isnan(mm) or 0 < mm < math.inf for mm in (mm_x, mm_y)):
            return Region(
                box=box,
                mm_x=None if math.isnan(mm_x) else mm_x,
                mm_y=None if math.isnan(mm_y) else mm_y,
                source="replay",
            )
    raise _broken(path, f"a region that is not in the picture or has no size: {row}")


def _broken(path: str, what: str) -> SourceError:
    return SourceError(f"{path!r} is no recording: {what}", hint=HINT)
