"""Zeros in coded slices of H.264 and HEVC that no encoder writes."""

from __future__ import annotations

import pytest

from edge.sources.zero_runs import can_be_checked, has_zeros_in_slice

SLICE = {"h264": b"\0\0\0\1\x41\x9a", "hevc": b"\0\0\0\1\x02\x01"}
SEI = {"h264": b"\0\0\1\x06", "hevc": b"\0\0\1\x4e\x01"}


@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize("zeros", [b"\0\0\0", bytes(200), b"\0\0\2"])
def test_zeros_within_a_slice(codec: str, zeros: bytes) -> None:
    assert can_be_checked(codec)
    assert has_zeros_in_slice(SLICE[codec] + b"abc" + zeros + b"def", codec)
    assert has_zeros_in_slice(SEI[codec] + b"abc" + SLICE[codec] + b"abc" + zeros + b"def" + SLICE[codec], codec)
    assert not has_zeros_in_slice(SEI[codec] + b"abc" + zeros + b"def" + SLICE[codec] + b"abc", codec)


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_zeros_that_may_be(codec: str) -> None:
    one = SLICE[codec]
    for packet in (
        one + b"abc\0\0\3\1def",
        one + b"abc" + bytes(7) + one + b"abc",
        one + b"abc" + bytes(9),
        one + b"ab\0\0\3",
        b"",
    ):
        assert not has_zeros_in_slice(packet, codec)


def test_other_codecs_have_no_such_rule() -> None:
    assert not any(can_be_checked(codec) for codec in ("mjpg", "vp80", "vp90", "ffv1", ""))
