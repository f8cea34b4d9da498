"""Reads from an MP4 or MOV file how many of its frames are to be shown, and of which sizes they are.

ISO/IEC 14496-12: an edit list (``elst``) says which part of a track is shown. Programs that trim a clip without
encoding it anew keep the frames before the cut, since later ones are predicted from them, and hide them by an edit
list. So a player shows fewer frames than the track holds, and none is missing.
"""

from __future__ import annotations

import struct
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.contracts.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any, BinaryIO

    from numpy.typing import NDArray

MAX_MOOV = 1 << 25
"""Largest header in bytes that is read: that of ten hours of video at 30 frames/s has about as much."""
MAX_FRAMES = 1 << 21
"""Most frames of a file's video tracks, each counted once for each edit; 9 hours at 60 frames/s.

Both this module and FFmpeg list the frames of each edit, which takes time and memory for each of them.
"""
MAX_EDITS = 10_000
"""Most edits of a track."""
_BROKEN = (struct.error, ValueError, KeyError, IndexError, OverflowError)
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
    """Read the first video track's facts; None if it is no MP4, or its boxes contradict each other.

    Raises:
        SourceError: it lists more frames, edits or bytes than are read. FFmpeg must not open it either.
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        try:
            moov = _read_moov(stream)
            return None if moov is None else _first_video_track(moov)
        except _BROKEN:
            return None


def require_bounded_lists(path: Path) -> None:
    """Raise `SourceError` if it is an MP4 that lists more than is read; FFmpeg, too, takes memory for all it lists."""
    with suppress(*_BROKEN, OSError), path.open("rb") as stream:
        moov = _read_moov(stream)
        if moov is not None:
            _require_bounded(_video_tracks(moov))


def _read_moov(stream: BinaryIO) -> memoryview | None:
    """Find the box ``moov`` and return what is in it; None if there is none. Raises `SourceError` if too large."""
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
            if size > MAX_MOOV:
                raise _too_long(f"its header has {size} bytes, more than the {MAX_MOOV} that are read")
            return memoryview(stream.read(size - start))
        at += size
    return None


def _box_size(header: bytes, room: int) -> tuple[int, int]:
    """Size of a box, and of its header, in bytes. ``room``: bytes to the end of what it is in."""
    size: int = struct.unpack_from(">I", header)[0]
    if size == 1:
        return struct.unpack_from(">Q", header, 8)[0], 16
    return size or room, 8


def _too_long(what: str) -> SourceError:
    return SourceError(f"MP4 that is too long: {what}", hint="split the clip, or convert it anew", reason="too_large")


def _boxes(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Yield (type, content) of each box in ``data``. Raises ValueError if one is longer than the rest."""
    at = 0
    for _ in range(_MAX_BOXES):
        if len(data) - at < 8:
            return
        size, start = _box_size(bytes(data[at : at + 16]), len(data) - at)
        if size < start or at + size > len(data):
            raise ValueError(size)
        yield bytes(data[at + 4 : at + 8]), data[at + start : at + size]
        at += size


def _child(data: memoryview, *names: bytes) -> memoryview:
    """Content of the first box ``names[0]``, in it of the first ``names[1]``, and so on. Raises KeyError: none."""
    for name in names:
        found = [content for kind, content in _boxes(data) if kind == name and content]
        if not found:
            raise KeyError(name)
        data = found[0]
    return data


def _first_video_track(moov: memoryview) -> VideoTrack | None:
    movie_scale = _timescale(_child(moov, b"mvhd"))
    tracks = _video_tracks(moov)
    _require_bounded(tracks)
    for track in tracks[:1]:
        table = _child(track, b"mdia", b"minf", b"stbl")
        begins = _begin_times(table)
        edits = _edits(track)
        shown = len(begins)
        if len(edits) and shown:
            scale = _timescale(_child(track, b"mdia", b"mdhd")) / movie_scale
            shown = _count_shown(begins, edits["begin"].astype(np.int64), edits["duration"] * scale)
        sizes = [struct.unpack_from(">HH", entry, 24) for _, entry in _boxes(_child(table, b"stsd")[8:])]
        return VideoTrack(len(begins), shown, tuple(dict.fromkeys(sizes)))
    return None


def _video_tracks(moov: memoryview) -> list[memoryview]:
    tracks = [track for kind, track in _boxes(moov) if kind == b"trak"]
    return [track for track in tracks if bytes(_child(track, b"mdia", b"hdlr")[8:12]) == b"vide"]


def _require_bounded(tracks: list[memoryview]) -> None:
    """Raise `SourceError` if the tracks list more frames or edits than are read, before any of them is listed."""
    total = 0
    for track in tracks:
        frames = edits = 0
        with suppress(*_BROKEN):  # what is not there lists nothing
            frames = _listed_frames(_child(track, b"mdia", b"minf", b"stbl"))
        with suppress(*_BROKEN):
            edits = struct.unpack_from(">I", _child(track, b"edts", b"elst"), 4)[0]
        if edits > MAX_EDITS:
            raise _too_long(f"an edit list of {edits} edits, more than the {MAX_EDITS} that are read")
        total += frames * max(edits, 1)
        if total > MAX_FRAMES:
            what = f"{frames} frames" + (f" and {edits} edits" if edits > 1 else "")
            raise _too_long(f"{what}; up to {MAX_FRAMES} frames times edits are read")


def _listed_frames(table: memoryview) -> int:
    """Most frames that one of the tables of frames lists: FFmpeg believes ``stsz``, the times are in the others."""
    listed = [0]
    for kind, box in _boxes(table):
        with suppress(*_BROKEN):
            if kind in (b"stsz", b"stz2"):
                listed.append(struct.unpack_from(">I", box, 8)[0])
            elif kind in (b"stts", b"ctts"):
                pairs = _pairs(box)
                listed += [len(pairs), int(pairs[:, 0].sum(dtype=np.int64))]
    return max(listed)


def _timescale(header: memoryview) -> int:
    """Ticks per second of ``mvhd`` or ``mdhd``. Raises ValueError if it is 0."""
    scale: int = struct.unpack_from(">I", header, 20 if header[0] == 1 else 12)[0]
    if not scale:
        raise ValueError(scale)
    return scale


def _edits(track: memoryview) -> NDArray[Any]:
    """Read the edits that show something: ``duration`` in ticks of the movie, ``begin`` in ticks of the media."""
    try:
        elst = _child(track, b"edts", b"elst")
    except KeyError:
        return np.empty(0, [("duration", ">u4"), ("begin", ">i4")])
    time, signed = (">u8", ">i8") if elst[0] == 1 else (">u4", ">i4")
    count = struct.unpack_from(">I", elst, 4)[0]
    edits: NDArray[Any] = np.frombuffer(elst, [("duration", time), ("begin", signed), ("rate", ">u4")], count, 8)
    shown: NDArray[Any] = edits[edits["begin"] != _EMPTY_EDIT]
    return shown


def _begin_times(table: memoryview) -> NDArray[np.int64]:
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


def _pairs(box: memoryview) -> NDArray[Any]:
    """Read the (count, value) pairs of ``stts`` or ``ctts``: (N, 2) big-endian uint32, not copied."""
    count = struct.unpack_from(">I", box, 4)[0]
    return np.frombuffer(box, ">u4", count * 2, 8).reshape(-1, 2)


def _runs(box: memoryview) -> NDArray[np.int64]:
    """Expand the (count, value) pairs of ``stts`` or ``ctts``: (N,) int64."""
    pairs = _pairs(box)
    return np.repeat(pairs[:, 1].astype(np.int64), pairs[:, 0].astype(np.int64))


def _count_shown(begins: NDArray[np.int64], firsts: NDArray[np.int64], durations: NDArray[np.float64]) -> int:
    """Count the frames that begin within the edits, each ``firsts`` and ``durations`` in ticks; 0: to the end.

    A frame that began before the edit is not shown by FFmpeg, though its last part lies in it.
    """
    times = np.sort(begins)
    ends = firsts + durations - 0.5  # durations are rounded to ticks of the movie
    from_first = np.searchsorted(times, firsts, "left")
    to_end = np.where(durations > 0, np.searchsorted(times, ends, "left"), len(times))
    return int(np.maximum(to_end - from_first, 0).sum())
