"""Headers of JPEG and JPEG 2000 streams are read without decoding them, and garbage raises nothing."""

from __future__ import annotations

from encoded_pictures import jpeg, jpeg2000, smooth_colours
from hypothesis import given
from hypothesis import strategies as st

from edge.images.jpeg import read_jpeg_header, set_jpeg_colour_transform
from edge.images.jpeg2000 import jpeg2000_codestream, read_jpeg2000_header


def test_headers_of_streams_without_decoding_them() -> None:
    info = read_jpeg_header(jpeg(smooth_colours()[0]))
    assert info is not None
    assert (info.width, info.height, info.bits, info.components) == (64, 48, 8, b"\x01\x02\x03")
    assert info.jfif
    assert info.complete
    assert not info.lossless
    for ybr in (True, False):
        again = read_jpeg_header(set_jpeg_colour_transform(jpeg(smooth_colours()[0]), ybr))
        assert again is not None
        assert (again.decoded_as_ybr, again.adobe, again.jfif, again.complete) == (ybr, int(ybr), False, True)
    codestream = read_jpeg2000_header(jpeg2000_codestream(jpeg2000(smooth_colours()[0])))
    assert codestream is not None
    assert (codestream.width, codestream.height, codestream.components, codestream.bits) == (64, 48, 3, 8)
    assert codestream.uniform


@given(
    data=st.binary(max_size=200), start=st.sampled_from([b"", b"\xff\xd8", b"\xff\x4f\xff\x51", b"\xff\xd8\xff\xc0"])
)
def test_headers_of_garbage_raise_nothing(data: bytes, start: bytes) -> None:
    read_jpeg_header(start + data)
    read_jpeg2000_header(jpeg2000_codestream(start + data))


def test_a_jpeg_is_complete_only_with_its_end() -> None:
    whole = jpeg(smooth_colours()[0])
    for cut in range(len(whole) - 2, 0, -7):
        info = read_jpeg_header(whole[:cut])
        assert info is None or not info.complete
    padded = read_jpeg_header(whole + b"\0\0")
    assert padded is not None
    assert padded.complete
