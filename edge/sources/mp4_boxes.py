"""Reads from an MP4 or MOV file how many of its frames are to be shown, and of which sizes they are.

ISO/IEC 14496-12: an edit list (``elst``) says which part of a track is shown. Programs that trim a clip without
encoding it anew keep the frames before the cut, since later ones are predicted from them, and hide them by an edit
list. So a player shows fewer frames than the track holds, and none is missing.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any, BinaryIO

    from numpy.typing import NDArray

MAX_MOOV = 1 << 26
"""Largest header in bytes that is read: that of a day of video at 60 frames/s has about as much."""
MAX_FRAMES = 1 << 23
"""Most frames of a track that are counted; 38 hours at 60 frames/s."""
_MAX_BOXES = 10_000
_EMPTY_EDIT = -1


@dataclass(frozen=True, slots=True)
class VideoTrack:
    """Facts about the first video track of a file."""

    frames: int
    """Frames that the track holds; 0 in a file of fragments."""
    shown: int
    """Frames that a player shows."""
    sizes: tuple[tuple[int, int], ...]
    """(width, height) in pixels of each of its sample descriptions, without repeats."""


def read_video_track(path: Path) -> VideoTrack | None:
    """Read the first video track's facts; None if it is no MP4, or its boxes contradict each other. Raises OSError."""
    with path.open("rb") as stream:
        try:
            moov = _read_moov(stream)
            return None if moov is None else _first_video_track(moov)
        except (struct.error, ValueError, KeyError, IndexError, OverflowError):
            return None


def _read_moov(stream: BinaryIO) -> bytes | None:
    """Find the box ``moov`` and return what is in it. None: none, or too large."""
    end = stream.seek(0, 2)
    at = 0
    for _ in range(_MAX_BOXES):
        stream.seek(at)
        header = stream.read(16)
        if len(header) < 8 or not header[4:8].isascii():
            return None
        size, start = _box_size(header, end - at)
        if not start <= size <= end - at:  # cut short, or a size that no file has: seek would refuse it
            return None
        if header[4:8] == b"moov":
            stream.seek(at + start)
            return stream.read(size - start) if size <= MAX_MOOV else None
        at += size
    return None


def _box_size(header: bytes, room: int) -> tuple[int, int]:
    """Size of a box, and of its header, in bytes. ``room``: bytes to the end of what it is in."""
    size: int = struct.unpack_from(">I", header)[0]
    if size == 1:
        return struct.unpack_from(">Q", header, 8)[0], 16
    return size or room, 8


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (type, content) of each box in ``data``. Raises ValueError if one is longer than the rest."""
    at = 0
    for _ in range(_MAX_BOXES):
        if len(data) - at < 8:
            return
        size, start = _box_size(data[at : at + 16], len(data) - at)
        if size < start or at + size > len(data):
            raise ValueError(size)
        yield data[at + 4 : at + 8], data[at + start : at + size]
        at += size


def _child(data: bytes, *names: bytes) -> bytes:
    """Content of the first box ``names[0]``, in it of the first ``names[1]``, and so on. Raises KeyError: none."""
    for name in names:
        data = next((content for kind, content in _boxes(data) if kind == name), None) or _missing(name)
    return data


def _missing(name: bytes) -> bytes:
    raise KeyError(name)


def _first_video_track(moov: bytes) -> VideoTrack | None:
    movie_scale = _timescale(_child(moov, b"mvhd"))
    for kind, track in _boxes(moov):
        if kind != b"trak" or _child(track, b"mdia", b"hdlr")[8:12] != b"vide":
            continue
        table = _child(track, b"mdia", b"minf", b"stbl")
        begins = _begin_times(table)
        try:
            edits = _edits(_child(track, b"edts", b"elst"))
        except KeyError:
            edits = []
        shown = len(begins)
        if edits and shown:
            scale = _timescale(_child(track, b"mdia", b"mdhd")) / movie_scale
            shown = _count_shown(begins, [(begin, duration * scale) for duration, begin in edits])
        sizes = [struct.unpack_from(">HH", entry, 24) for _, entry in _boxes(_child(table, b"stsd")[8:])]
        return VideoTrack(len(begins), shown, tuple(dict.fromkeys(sizes)))
    return None


def _timescale(header: bytes) -> int:
    """Ticks per second of ``mvhd`` or ``mdhd``. Raises ValueError if it is 0."""
    scale: int = struct.unpack_from(">I", header, 20 if header[0] == 1 else 12)[0]
    if not scale:
        raise ValueError(scale)
    return scale


def _edits(elst: bytes) -> list[tuple[int, int]]:
    """(duration in ticks of the movie, first tick of the media) of each edit that shows something."""
    layout = ">QqI" if elst[0] == 1 else ">IiI"
    count = struct.unpack_from(">I", elst, 4)[0]
    step = struct.calcsize(layout)
    if 8 + count * step > len(elst):
        raise ValueError(count)
    edits = [struct.unpack_from(layout, elst, 8 + step * index)[:2] for index in range(count)]
    return [(duration, begin) for duration, begin in edits if begin != _EMPTY_EDIT]


def _begin_times(table: bytes) -> NDArray[np.int64]:
    """Times at which the frames of the track begin to be shown, (N,) int64, in ticks of the media."""
    durations = _runs(_child(table, b"stts"))
    begins: NDArray[np.int64] = np.cumsum(durations) - durations
    try:
        offsets = _runs(_child(table, b"ctts"))
    except KeyError:
        return begins
    if len(offsets) != len(begins):
        raise ValueError(len(offsets))
    return begins + offsets.astype(np.int32)  # negative ones are stored as they are, whatever the box's version


def _runs(box: bytes) -> NDArray[np.int64]:
    """Expand the (count, value) pairs of ``stts`` or ``ctts``: (N,) int64."""
    count = struct.unpack_from(">I", box, 4)[0]
    pairs: NDArray[Any] = np.frombuffer(box, ">u4", count * 2, 8).astype(np.int64).reshape(-1, 2)
    if pairs[:, 0].sum() > MAX_FRAMES:
        raise ValueError(count)
    return np.repeat(pairs[:, 1], pairs[:, 0])


def _count_shown(begins: NDArray[np.int64], edits: list[tuple[int, float]]) -> int:
    """Count the frames that begin within the edits, each (first tick, duration in ticks; 0: to the end).

    A frame that began before the edit is not shown by FFmpeg, though its last part lies in it.
    """
    shown = 0
    for begin, duration in edits:
        within = begins >= begin
        if duration > 0:
            within &= begins < begin + duration - 0.5  # durations are rounded to ticks of the movie
        shown += int(within.sum())
    return shown
