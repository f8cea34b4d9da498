"""What fixes a stream's picture format, read from packets made here."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from video_clips import jpegs, mpeg_2

from edge.sources.stream_format import format_reader, is_elementary

CODECS = ("mpg2", "FMP4", "h264", "hevc", "MJPG", "VP80", "VP90", "dvsd")


def read(codec: str, packet: bytes) -> bytes:
    reader = format_reader(codec)
    assert reader is not None
    return reader(packet)


def test_codecs_whose_format_only_the_container_tells() -> None:
    assert format_reader("ffv1") is None
    assert format_reader("") is None
    assert [is_elementary(codec) for codec in (*CODECS, "ffv1")] == [True] * 5 + [False] * 4


def test_mpeg_2_by_size_and_chroma_not_by_scan() -> None:
    sequence = mpeg_2(200)
    assert read("mpg2", sequence) == read("mpg2", mpeg_2(64, interlaced={0}))
    progressive = sequence.replace(bytes.fromhex("1482000100"), bytes.fromhex("148a000100"))
    assert progressive != sequence
    assert read("mpg2", progressive) == read("mpg2", sequence)
    for other in ("1484000100", "1482400100"):  # 4:2:2; wider by 4096
        assert read("mpg2", sequence.replace(bytes.fromhex("1482000100"), bytes.fromhex(other))) != read(
            "mpg2", sequence
        )
    assert read("mpg2", sequence.replace(bytes.fromhex("01001013"), bytes.fromhex("02001013"))) != read(
        "mpg2", sequence
    )


def test_mpeg_1_has_no_extension() -> None:
    assert read("mpg1", bytes.fromhex("000001b30f010013ffffe018000001b800080000")) == bytes.fromhex("0f0100")


@pytest.mark.parametrize(("codec", "unit"), [("h264", 0x67), ("hevc", 0x42)])
def test_parameter_sets(codec: str, unit: int) -> None:
    def packet(*sets: bytes) -> bytes:
        return b"".join(b"\0\0\0\1" + bytes((unit, 1)) + one for one in sets) + b"\0\0\1\x06\x01payload"

    assert read(codec, packet(b"abc")) == read(
        codec,
        packet(
            b"abc",
        ),
    )
    assert read(codec, packet(b"abc")) != read(codec, packet(b"abd"))
    assert read(codec, packet(b"a", b"b")) == read(codec, packet(b"b", b"a"))
    assert read(codec, b"\0\0\1\x06\x01payload") == b""


def test_jpeg_by_size_sampling_and_colour() -> None:
    same = read("MJPG", jpegs((64, 48), grey=10))
    assert same
    assert same == read("MJPG", jpegs((64, 48), grey=200))
    grey = cv2.imencode(".jpg", np.zeros((48, 64), np.uint8))[1].tobytes()
    others = [
        jpegs((48, 64)),
        jpegs((64, 48), sampling=cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
        jpegs((64, 48), sampling=cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422),
        grey,
    ]
    assert len({same, *(read("MJPG", other) for other in others)}) == 5


def test_vp8_and_vp9_key_frames() -> None:
    assert read("VP80", bytes.fromhex("1068009d012af0000001000708")) == bytes.fromhex("f0000001")
    assert read("VP80", b"\1\2\3") == b""
    assert read("VP90", bytes.fromhex("824983420077f04376")) == bytes.fromhex("077f0437")
    assert read("VP90", bytes.fromhex("864983420077f04376")) == b"", "no key frame"


def test_dv_by_system() -> None:
    assert read("dvsd", b"\x1f\x07\0\xbf") != read("dvsd", b"\x1f\x07\0\x3f")


@given(codec=st.sampled_from(CODECS), packet=st.binary(max_size=200))
def test_any_bytes(codec: str, packet: bytes) -> None:
    for start in (b"", b"\0\0\1", b"\xff\xd8\xff\xc0", b"\0\0\0\x9d\x01\x2a", b"\x82\x49\x83\x42"):
        assert isinstance(read(codec, start + packet), bytes)
