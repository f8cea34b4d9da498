"""Numbers of frames in H.264, MPEG-1 and MPEG-2, written here bit by bit: which sequences lack a frame."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.sources.frame_numbers import FrameNumberCheck, frame_numbers
from edge.sources.h264_headers import units_with_start_codes


def bits(*fields: tuple[int, int] | int) -> bytes:
    """Fields (value, width), or numbers to be coded as Exp-Golomb, padded to bytes."""
    text = ""
    for field in fields:
        if isinstance(field, tuple):
            text += f"{field[0]:0{field[1]}b}"
        else:
            coded = f"{field + 1:b}"
            text += "0" * (len(coded) - 1) + coded
    text += "1"
    return int(text.ljust(-(-len(text) // 8) * 8, "0"), 2).to_bytes(-(-len(text) // 8), "big")


def escaped(unit: bytes) -> bytes:
    """A unit behind its start code, with the bytes that keep start codes apart."""
    out = bytearray()
    for byte in unit:
        if byte <= 3 and out[-2:] == b"\0\0":
            out.append(3)
        out.append(byte)
    return b"\0\0\0\1" + bytes(out)


def parameters(number_bits: int = 4, gaps: int = 0, profile: int = 66, chroma: int = 1) -> bytes:
    """Sequence and picture parameter set."""
    high: list[tuple[int, int] | int] = []
    if profile >= 100:
        high = [chroma, *([(0, 1)] if chroma == 3 else []), 0, 0, (0, 1), (1, 1)]
        high += [(1, 1), 0, *[0] * 15, *[(0, 1)] * (11 if chroma == 3 else 7)]  # one scaling list, all of it
    sequence = bits((profile, 8), (0, 8), (30, 8), 0, *high, number_bits - 4, 2, 1, (gaps, 1), 3, 2, (1, 1))
    return escaped(b"\x67" + sequence) + escaped(b"\x68" + bits(0, 0, (0, 1), (0, 1)))


def h264(number: int, kind: str = "P", number_bits: int = 4) -> bytes:
    """A packet of one frame: ``IDR``, ``I``, ``P``, or ``b`` that no other is predicted from."""
    unit = {"IDR": 0x65, "I": 0x61, "P": 0x41, "b": 0x01}[kind]
    code = {"IDR": 7, "I": 7, "P": 5, "b": 6}[kind]
    return b"\0\0\1\x09\xf0" + escaped(bytes((unit,)) + bits(0, code, 0, (number, number_bits), (0x5555, 16)))


def found_in(packets: list[bytes], codec: str = "h264") -> list[int]:
    """Index of each packet that is said to follow a missing frame, by the order of the packets."""
    check = frame_numbers(codec)
    assert check is not None
    found = [(index, check.affected(packet)) for index, packet in enumerate(packets)]
    last = check.finish()
    return sorted({index - back for index, back in [*found, (len(packets) - 1, last)] if back is not None})


def sequence(*kinds: str, number_bits: int = 4) -> list[bytes]:
    """Packets of these kinds, numbered as they should be."""
    packets, number = [], 0
    for index, kind in enumerate(kinds):
        if kind == "IDR":
            number = 0
        packets.append((parameters(number_bits) if index == 0 else b"") + h264(number, kind, number_bits))
        number = (number + (kind != "b")) % (1 << number_bits)
    return packets


GROUP = ("IDR", "P", "P", "b", "P", "b", "b", "P", "I", "P", "P", "P", "b", "P", "P", "P", "P", "P", "P", "P", "P")


def test_a_sound_stream_has_no_gap() -> None:
    assert found_in(sequence(*GROUP * 3)) == []
    assert found_in(sequence(*GROUP * 3, number_bits=16)) == []


@pytest.mark.parametrize("lost", range(1, len(GROUP) - 1))
def test_a_missing_frame_is_noticed_at_the_next_if_others_need_it(lost: int) -> None:
    packets = sequence(*GROUP, *GROUP)
    del packets[lost]
    assert found_in(packets)[:1] == ([] if GROUP[lost] == "b" else [lost])


def test_a_missing_frame_behind_one_that_is_not_needed_is_noticed() -> None:
    """FFmpeg, which compares with the last frame of any kind, does not."""
    packets = sequence("IDR", "P", "b", "P", "b", "P")
    del packets[3]
    assert found_in(packets)[:1] == [3]


def test_numbers_may_begin_anew_behind_an_intra_frame() -> None:
    """memory_management_control_operation 5."""
    packets = [parameters() + h264(0, "IDR"), *(h264(number) for number in range(1, 6)), h264(6, "I"), h264(1), h264(2)]
    assert found_in(packets) == []


def test_a_stream_that_may_leave_frames_out_has_no_gaps() -> None:
    packets = [parameters(gaps=1) + h264(0, "IDR"), h264(2), h264(4)]
    assert found_in(packets) == []
    check = frame_numbers("h264")
    assert check is not None
    check.affected(packets[0])
    assert not check.counts


@pytest.mark.parametrize(("profile", "chroma"), [(66, 1), (100, 1), (122, 2), (244, 3)])
def test_profiles(profile: int, chroma: int) -> None:
    head = parameters(7, profile=profile, chroma=chroma)
    sound = [head + h264(0, "IDR", 7), *(h264(number, "P", 7) for number in range(1, 40))]
    assert found_in(sound) == []
    assert found_in(sound[:20] + sound[21:]) == [20]


def test_a_stream_without_its_parameters_is_not_judged() -> None:
    assert found_in([h264(0, "IDR"), h264(5), h264(9)]) == []


def mpeg(*frames: tuple[str, int]) -> list[bytes]:
    """Packets of (type, temporal reference); ``G``: an intra frame with a group header."""
    codes = {"G": 1, "I": 1, "P": 2, "B": 3}
    return [
        (b"\0\0\1\xb8\0\x08\0\x40" if kind == "G" else b"")
        + b"\0\0\1\0"
        + (number << 6 | codes[kind] << 3 | 7).to_bytes(2, "big")
        + b"\xff\xf8"
        for kind, number in frames
    ]


OPEN = (("G", 2), ("B", 0), ("B", 1), ("P", 5), ("B", 3), ("B", 4), ("P", 6), ("P", 9), ("B", 7), ("B", 8))


def test_sound_groups() -> None:
    assert found_in(mpeg(*OPEN, *OPEN, *OPEN), "mpg2") == []
    assert found_in(mpeg(("G", 0), *(("P", number) for number in range(1, 30)), ("G", 0)), "mpg1") == []
    assert found_in(mpeg(("G", 0), *(("P", number % 1024) for number in range(1, 2100))), "mpg2") == []


@pytest.mark.parametrize(("lost", "first"), [(3, 3), (6, 6), (7, 7)])
def test_a_missing_frame_that_others_need(lost: int, first: int) -> None:
    packets = mpeg(*OPEN, *OPEN)
    del packets[lost]
    assert found_in(packets, "mpg2")[0] <= first + 1
    assert found_in(packets, "mpg2")


def test_without_b_frames_it_is_known_at_the_next_one_but_holds_from_the_first() -> None:
    packets = mpeg(("G", 0), *(("P", number) for number in (1, 2, 4, 5)))
    assert found_in(packets, "mpg2") == [3]
    assert found_in(packets[:4], "mpg2") == [3], "the last frame of a clip"


def test_a_missing_group_begin_is_noticed() -> None:
    packets = mpeg(*OPEN, *OPEN)
    del packets[len(OPEN)]
    assert found_in(packets, "mpg2")


@pytest.mark.parametrize("end", range(2, len(OPEN)))
def test_a_clip_that_is_trimmed_at_its_end_lacks_nothing(end: int) -> None:
    assert found_in(mpeg(*OPEN, *OPEN[:end]), "mpg2") == []


def test_numbers_that_count_nothing_are_not_judged() -> None:
    assert found_in(mpeg(*(("I", 0) for _ in range(20))), "mpg2") == []
    assert found_in(mpeg(*((kind, 0) for kind in "IPPPPIPPPP")), "mpg1") == []


def test_codecs_without_numbers() -> None:
    assert [frame_numbers(codec) for codec in ("VP80", "FMP4", "MJPG", "")] == [None] * 4


@given(codec=st.sampled_from(["h264", "mpg2"]), packets=st.lists(st.binary(max_size=60), max_size=8))
def test_any_bytes(codec: str, packets: list[bytes]) -> None:
    check: FrameNumberCheck | None = frame_numbers(codec)
    assert check is not None
    for packet in packets:
        for start in (b"", b"\0\0\1\x67", b"\0\0\1\x68", b"\0\0\1\x65", b"\0\0\1\0", parameters() + b"\0\0\1\x41"):
            assert check.affected(start + packet) in (None, *range(200))
    check.finish()


def test_parameters_from_the_container() -> None:
    """A clip that begins with an intra frame that is no IDR has them nowhere else."""
    _, sequence_set, picture_set = parameters(5).split(b"\0\0\0\1")
    record = b"\1\x42\0\x1e\xff\xe1" + len(sequence_set).to_bytes(2, "big") + sequence_set
    record += b"\1" + len(picture_set).to_bytes(2, "big") + picture_set
    for configuration in (record, parameters(5)):
        check = frame_numbers("h264", configuration)
        assert check is not None
        assert [check.affected(h264(number, "P", 5)) for number in (7, 8, 10)] == [None, None, 0]
    assert frame_numbers("h264", record[:9]) is not None


def test_units_with_their_lengths() -> None:
    """As in an AVI that was made from an MP4; a length of 256 to 511 looks like a start code."""
    units = [bytes(range(1, 5)), bytes([5]) * 300, bytes([6]) * 2]
    packet = b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)
    coded = b"".join(b"\0\0\1" + unit for unit in units)
    assert units_with_start_codes(packet) == coded
    for other in (coded, b"\0" + coded, packet[:-1], packet + b"\0", b""):
        assert units_with_start_codes(other) == other
