"""Directories of TIFF files: each page once, whatever they point at, and the whole pages of a broken chain."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from picture_variants import GREY

from edge.contracts.errors import SourceError
from edge.images import tiff
from edge.images.headers import ImageInfo, read_image_file
from edge.images.tiff import TiffPage, read_tiff
from edge.images.tiff_single_page import only_page
from edge.sources.images import decode_image

SIZE = GREY.size


def stack(
    pages: int, after: dict[int, int] | None = None, *, big: bool = False, order: str = "<", more: tuple[int, ...] = ()
) -> bytes:
    """A TIFF of equal pages; ``after``: index of the page that each is followed by; -1: beyond the end of the file.

    ``more``: pages that have a sub-directory; the last page is never one of the chain then.
    """
    head = 16 if big else 8
    count, entry = 9 + (1 if more else 0), 20 if big else 12
    length = (8 if big else 2) + count * entry + (8 if big else 4)
    data_at = head + pages * length
    offset = "Q" if big else "L"
    out = b"MM" if order == ">" else b"II"
    out += struct.pack(f"{order}HHHQ", 43, 8, 0, head) if big else struct.pack(f"{order}HL", 42, head)
    for page in range(pages):
        values = [
            *((254, 4, 0), (256, 4, GREY.shape[1]), (257, 4, GREY.shape[0]), (258, 3, 8), (259, 3, 1), (262, 3, 1)),
            *((273, 4, data_at), (278, 4, GREY.shape[0]), (279, 4, SIZE)),
        ]
        if more:
            values.append((330, 4, head + (pages - 1) * length if page in more else head))
        out += struct.pack(f"{order}{'Q' if big else 'H'}", count)
        for tag, kind, value in values:
            raw = struct.pack(f"{order}{'H' if kind == 3 else 'L'}", value).ljust(8 if big else 4, b"\0")
            out += struct.pack(f"{order}HH{offset}", tag, kind, 1) + raw
        following = (after or {}).get(page, page + 1 if page + 1 < pages else None)
        at = 0 if following is None else 10**8 if following < 0 else head + following * length
        out += struct.pack(f"{order}{offset}", at)
    return out + GREY.tobytes()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_pages_in_order(big: bool, order: str) -> None:
    data = stack(3, big=big, order=order)
    found = read_image_file(data)
    assert (len(found.pictures), found.missing, found.notes) == (3, None, ())
    for info in found.pictures:
        assert isinstance(info, ImageInfo)
        np.testing.assert_array_equal(decode_image(data, info), GREY)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_a_page_is_taken_out_alone_so_a_long_clip_costs_no_copy_of_itself_for_each(big: bool, order: str) -> None:
    data = stack(3, big=big, order=order, more=(0,)) + bytes(10 * SIZE)
    for page in read_tiff(data).pages:
        assert isinstance(page, TiffPage)
        alone = only_page(data, page.directory)
        assert SIZE < len(alone) < SIZE + 400
        (info,) = read_image_file(bytes(alone)).pictures
        assert isinstance(info, ImageInfo)
        np.testing.assert_array_equal(decode_image(bytes(alone), info), GREY)


def test_strips_that_share_their_bytes_are_not_copied_for_each() -> None:
    many = 20_000
    values = [(256, 4, 1), (257, 4, many), (258, 3, 8), (259, 3, 1), (262, 3, 1), (278, 4, 1)]
    far = 8 + 2 + 12 * (len(values) + 2) + 4
    out = struct.pack("<2sHLH", b"II", 42, 8, len(values) + 2)
    for tag, kind, value in values[:5]:
        out += struct.pack("<HHLL", tag, kind, 1, value)
    out += struct.pack("<HHLL", 273, 4, many, far) + struct.pack("<HHLL", *values[5][:2], 1, 1)
    out += struct.pack("<HHLLL", 279, 4, many, far + 4 * many, 0)
    data = out + struct.pack("<L", 8) * many + struct.pack("<L", 4 * many) * many
    assert len(only_page(data, 8)) == len(data)


@pytest.mark.parametrize(("after", "pages"), [({0: 0}, 1), ({2: 0}, 3), ({2: 1}, 3), ({1: 1}, 2)])
@pytest.mark.parametrize("big", [False, True])
def test_a_page_that_points_back_is_read_once(after: dict[int, int], pages: int, big: bool) -> None:
    found = read_image_file(stack(3, after, big=big))
    assert len(found.pictures) == pages
    assert "points back" in found.notes[0]


def test_the_next_page_beyond_the_end_is_said_and_the_others_are_read() -> None:
    found = read_image_file(stack(3, {1: -1}))
    assert len(found.pictures) == 2
    assert found.missing is not None
    assert "page 3 is not there" in found.missing.message


def test_a_page_without_its_pixels_costs_that_page() -> None:
    data = bytearray(stack(3))
    length = 2 + 9 * 12 + 4
    strip = 8 + length + 2 + 6 * 12 + 8
    data[strip : strip + 4] = struct.pack("<L", len(data))
    found = read_image_file(bytes(data)).pictures
    assert [isinstance(info, SourceError) for info in found] == [False, True, False]


def test_more_pages_than_are_read_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiff, "MAX_PAGES", 4)
    found = read_image_file(stack(6))
    assert len(found.pictures) == 4
    assert found.missing is not None
    assert "more than 4 pages" in found.missing.message


def test_directories_below_a_page_are_said() -> None:
    found = read_image_file(stack(3, {1: 2}, more=(0,)))
    assert any("below its pages" in note for note in found.notes)


def test_smaller_copies_are_left_out_and_said() -> None:
    data = bytearray(stack(3))
    length = 2 + 9 * 12 + 4
    at = 8 + length + 2 + 8  # the kind of the second page
    data[at : at + 4] = struct.pack("<L", 1)
    found = read_image_file(bytes(data))
    assert len(found.pictures) == 2
    assert "1 smaller copies" in found.notes[0]


def test_strips_that_are_missing_are_noticed() -> None:
    data = bytearray(stack(1))
    rows = 8 + 2 + 7 * 12 + 8
    data[rows : rows + 4] = struct.pack("<L", 8)  # rows a strip: six strips are needed, one is there
    (page,) = read_image_file(bytes(data)).pictures
    assert isinstance(page, SourceError)


@settings(max_examples=200)
@given(
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=8),
    keep=st.integers(0, 400),
    big=st.booleans(),
)
def test_broken_directories_are_errors_with_words(changes: list[tuple[int, int]], keep: int, big: bool) -> None:
    data = bytearray(stack(3, big=big))
    for at, value in changes:
        data[at] = value
    for part in (bytes(data), bytes(data[:keep])):
        try:
            found = read_tiff(part)
        except struct.error:
            continue
        assert all(isinstance(page, TiffPage | SourceError) for page in found.pages)
        assert len(found.pages) <= tiff.MAX_PAGES
