"""Which fragments make up each compressed frame, with a table of offsets, without one, and of files cut short."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.contracts.errors import SourceError
from edge.dicom.encapsulated_frames import index_frames, read_fragments


def encapsulated(fragments: list[bytes], table: list[int] | None = None) -> io.BytesIO:
    def item(value: bytes) -> bytes:
        return struct.pack("<HHL", 0xFFFE, 0xE000, len(value)) + value

    offsets = struct.pack(f"<{len(table)}L", *table) if table else b""
    return io.BytesIO(item(offsets) + b"".join(item(f) for f in fragments) + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0))


def frames_in(stream: io.BytesIO, frames: int, extended: list[int] | None = None) -> list[bytes]:
    return [read_fragments(stream, group) for group in index_frames(stream, 0, frames, extended or ())]


FRAGMENTS = [b"\xff\xd8aa", b"bb", b"\xff\xd8cccc", b"\xff\xd8dd", b"ee", b"ff"]
FRAMES = [b"\xff\xd8aabb", b"\xff\xd8cccc", b"\xff\xd8ddeeff"]
STARTS = [0, 22, 36]


@pytest.mark.parametrize(
    ("table", "extended"),
    [(STARTS, None), (None, STARTS), (None, None), ([0, 5, 7], None), ([1, 2, 3], STARTS)],
    ids=["basic table", "extended table", "by how frames begin", "a wrong table", "extended wins"],
)
def test_which_fragments_make_a_frame(table: list[int] | None, extended: list[int] | None) -> None:
    assert frames_in(encapsulated(FRAGMENTS, table), 3, extended) == FRAMES


def test_one_fragment_a_frame_needs_no_table() -> None:
    assert frames_in(encapsulated([b"ab", b"cd"]), 2) == [b"ab", b"cd"]


def test_all_fragments_make_the_only_frame() -> None:
    assert frames_in(encapsulated([b"ab", b"cd", b"ef"]), 1) == [b"abcdef"]


def test_no_telling_what_belongs_together() -> None:
    with pytest.raises(SourceError, match="4 fragments for 3 frames"):
        frames_in(encapsulated([b"ab", b"cd", b"ef", b"gh"]), 3)


@given(
    frames=st.lists(st.lists(st.binary(min_size=1, max_size=9), min_size=1, max_size=3), min_size=1, max_size=5),
    cut=st.integers(0, 400),
)
def test_a_table_always_leads_to_the_frames_that_are_there(frames: list[list[bytes]], cut: int) -> None:
    table, at = [], 0
    for group in frames:
        table.append(at)
        at += sum(8 + len(fragment) for fragment in group)
    whole = encapsulated([fragment for group in frames for fragment in group], table)
    assert frames_in(whole, len(frames)) == [b"".join(group) for group in frames]
    got = frames_in(io.BytesIO(whole.getvalue()[: -cut or None]), len(frames))
    assert len(got) <= len(frames)
    for one, group in zip(got[:-1], frames, strict=False):
        assert one == b"".join(group)


@given(data=st.binary(max_size=300), frames=st.integers(1, 5))
def test_garbage_for_fragments_gives_frames_or_a_source_error(data: bytes, frames: int) -> None:
    try:
        groups = index_frames(io.BytesIO(data), 0, frames)
    except SourceError:
        return
    assert all(position + length <= len(data) for group in groups for position, length in group)
