"""Frames that an MP4 shows, counted from boxes made here."""

from __future__ import annotations

import struct
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.contracts.errors import SourceError
from edge.sources.mp4_boxes import MAX_MOOV, VideoTrack, read_video_track, require_bounded_lists

if TYPE_CHECKING:
    from pathlib import Path

SCALE = 600
"""Ticks per second of the media; those of the movie are 1000."""
STEP = 24
"""Ticks from one frame to the next: 25 frames/s."""


def box(kind: bytes, *content: bytes, large: bool = False) -> bytes:
    data = b"".join(content)
    if large:
        return struct.pack(">I4sQ", 1, kind, 16 + len(data)) + data
    return struct.pack(">I4s", 8 + len(data), kind) + data


def full(kind: bytes, *content: bytes, version: int = 0) -> bytes:
    return box(kind, bytes((version, 0, 0, 0)), *content)


def entry(width: int, height: int) -> bytes:
    return box(b"avc1", bytes(24), struct.pack(">HH", width, height), bytes(50))


def track(
    frames: int,
    edits: list[tuple[int, int]] | None = None,
    *,
    handler: bytes = b"vide",
    offsets: list[tuple[int, int]] | None = None,
    entries: tuple[bytes, ...] = (entry(64, 48),),
    version: int = 0,
    sizes: int | None = None,
) -> bytes:
    """A track; edits: (duration in ms, first tick); sizes: frames that ``stsz`` lists."""
    layout = ">QqI" if version else ">IiI"
    listed = [struct.pack(layout, duration, begin, 1 << 16) for duration, begin in edits or []]
    edts = [box(b"edts", full(b"elst", struct.pack(">I", len(listed)), *listed, version=version))] if listed else []
    ctts = (
        []
        if offsets is None
        else [full(b"ctts", struct.pack(">I", len(offsets)), *(struct.pack(">Ii", *pair) for pair in offsets))]
    )
    table = box(
        b"stbl",
        full(b"stsd", struct.pack(">I", len(entries)), *entries),
        full(b"stts", struct.pack(">III", 1, frames, STEP)),
        *ctts,
        *([] if sizes is None else [full(b"stsz", struct.pack(">II", 100, sizes))]),
    )
    media = box(
        b"mdia",
        full(b"mdhd", struct.pack(">IIII", 0, 0, SCALE, 0)),
        full(b"hdlr", bytes(4), handler, bytes(13)),
        box(b"minf", table),
    )
    return box(b"trak", *edts, media)


def movie(*tracks: bytes, large: bool = False, version: int = 0) -> bytes:
    times = struct.pack(">QQIQ", 0, 0, 1000, 0) if version else struct.pack(">IIII", 0, 0, 1000, 0)
    header = full(b"mvhd", times, bytes(80), version=version)
    return box(b"ftyp", b"isom") + box(b"mdat", bytes(100), large=large) + box(b"moov", header, *tracks, large=large)


def read(data: bytes, tmp_path: Path) -> VideoTrack | None:
    path = tmp_path / "a.mp4"
    path.write_bytes(data)
    return read_video_track(path)


@pytest.mark.parametrize(
    ("edits", "shown"),
    [
        ([], 50),
        ([(2000, 0)], 50),
        ([(800, 12 * STEP)], 20),
        ([(800, 12 * STEP + 5)], 20),
        ([(790, 12 * STEP)], 20),
        ([(801, 12 * STEP)], 21),
        ([(0, 40 * STEP)], 10),
        ([(500, -1), (400, 0)], 10),
        ([(400, 0), (400, 30 * STEP)], 20),
        ([(9000, 45 * STEP)], 5),
    ],
)
@pytest.mark.parametrize("version", [0, 1])
def test_frames_shown(edits: list[tuple[int, int]], shown: int, version: int, tmp_path: Path) -> None:
    assert read(movie(track(50, edits, version=version), version=version), tmp_path) == VideoTrack(
        50, shown, ((64, 48),)
    )


def test_reordered_frames_are_counted_by_when_they_are_shown(tmp_path: Path) -> None:
    """Decoded I P B B, shown I B B P: what is hidden is not what comes first in the file."""
    offsets = [(1, 0), (1, 2 * STEP), (1, -STEP), (1, -STEP)]
    assert read(movie(track(4, [(80, STEP)], offsets=offsets)), tmp_path) == VideoTrack(4, 2, ((64, 48),))


def test_the_first_video_track_counts(tmp_path: Path) -> None:
    data = movie(track(9, handler=b"soun"), track(30, [(400, 0)]), track(7), large=True)
    assert read(data, tmp_path) == VideoTrack(30, 10, ((64, 48),))


def test_sizes_of_all_sample_descriptions(tmp_path: Path) -> None:
    entries = (entry(64, 48), entry(64, 48), entry(32, 24))
    found = read(movie(track(5, entries=entries)), tmp_path)
    assert found is not None
    assert found.sizes == ((64, 48), (32, 24))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0\0\1moov",
        b"RIFF\x00\x01\x00\x00AVI LIST",
        box(b"moov"),
        movie(track(5, handler=b"soun")),
        movie(track(5, offsets=[(4, 0)])),
        movie(track(50, [(800, 0)]))[:-60],
    ],
)
def test_what_is_no_mp4_or_contradicts_itself_is_not_known(data: bytes, tmp_path: Path) -> None:
    assert read(data, tmp_path) is None


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=6), keep=st.floats(0, 1))
def test_broken_boxes_never_raise(changes: list[tuple[float, int]], keep: float, tmp_path: Path) -> None:
    data = bytearray(movie(track(50, [(800, 12 * STEP)], offsets=[(50, 0)])))
    for place, value in changes:
        data[int(place * (len(data) - 1))] = value
    found = read(bytes(data[: int(keep * len(data))]), tmp_path)
    assert found is None or 0 <= found.frames < 1 << 24


def test_a_box_that_is_longer_than_any_file_is_no_box(tmp_path: Path) -> None:
    """Its 64-bit size is more than ``seek`` takes."""
    path = tmp_path / "huge.mp4"
    path.write_bytes(struct.pack(">I4sQ", 1, b"free", 2**64 - 1) + bytes(64))
    assert read_video_track(path) is None


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (movie(track((1 << 32) - 1)), "4294967295 frames; up to 2097152"),
        (movie(track(5, sizes=1 << 31)), "2147483648 frames; up to 2097152"),
        (movie(track(1 << 20, [(1000, 0)] * 2000)), "1048576 frames and 2000 edits"),
        (movie(track(5), track(1 << 22)), "4194304 frames"),
        (movie(track(5, offsets=[(1 << 30, 0)])), "1073741824 frames"),
        (movie(track(1, [(1000, 0)] * 10_001)), "10001 edits, more than the 10000"),
        (movie(box(b"free", bytes(MAX_MOOV))), "more than the 33554432"),
    ],
)
def test_lists_without_end_are_refused_before_they_are_read(data: bytes, told: str, tmp_path: Path) -> None:
    """A few bytes promise any number of frames, and every edit lists them again."""
    (tmp_path / "a.mp4").write_bytes(data)
    for read_lists in (read_video_track, require_bounded_lists):
        tracemalloc.start()
        with pytest.raises(SourceError, match=told) as caught:
            read_lists(tmp_path / "a.mp4")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert caught.value.reason == "too_large"
        assert peak < 1 << 20


@pytest.mark.slow
def test_the_longest_track_and_the_most_edits_take_little_memory(tmp_path: Path) -> None:
    for frames, edits in ((1 << 21, 1), (200, 10_000)):
        path = tmp_path / "a.mp4"
        path.write_bytes(movie(track(frames, [(0, 0)] * edits, offsets=[(frames, 0)])))
        tracemalloc.start()
        found = read_video_track(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert found == VideoTrack(frames, frames * edits, ((64, 48),))
        assert peak < 128 << 20


@given(
    frames=st.integers(1, 60),
    edits=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 60 * STEP)), min_size=1, max_size=5),
)
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_edit_counts_the_frames_that_begin_in_it(
    frames: int, edits: list[tuple[int, int]], tmp_path: Path
) -> None:
    times = [STEP * index for index in range(frames)]
    shown = sum(
        begin <= time and (not duration or time < begin + duration * SCALE / 1000 - 0.5)
        for duration, begin in edits
        for time in times
    )
    assert read(movie(track(frames, edits)), tmp_path) == VideoTrack(frames, shown, ((64, 48),))
