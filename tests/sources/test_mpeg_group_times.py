"""Time codes of MPEG groups against the frames that each group holds."""

from __future__ import annotations

import pytest

from edge.sources.mpeg_group_times import GroupTimeCodes

SEQUENCE = bytes.fromhex("000001b301001013ffffe018")
"""25 frames a second."""


def group(began: int, *, closed: bool = False, rate: int = 25) -> bytes:
    seconds, pictures = divmod(began, rate)
    code = (seconds // 60 % 60) << 20 | 1 << 19 | seconds % 60 << 13 | pictures << 7 | closed << 6
    return SEQUENCE + b"\0\0\1\xb8" + code.to_bytes(4, "big")


def found_in(*groups: tuple[int, int], closed: bool = False) -> list[int]:
    """Index of each group that is said to follow missing frames; groups by (first frame by time code, frames held)."""
    check = GroupTimeCodes()
    first: list[int] = []
    found: list[int] = []
    packet = 0
    for began, count in groups:
        first.append(packet)
        for number in range(count):
            head = group(began, closed=closed) if number == 0 else b""
            back = check.affected(head + b"\0\0\1\0", len(head), number)
            if back is not None:
                found.append(first.index(packet - back))
            packet += 1
    return found


def test_groups_that_are_whole() -> None:
    assert found_in((0, 12), (12, 12), (24, 5), (29, 12), (41, 12)) == []


def test_a_group_that_ends_early() -> None:
    assert found_in((0, 12), (12, 9), (24, 12), (36, 12)) == [2]


def test_the_first_group_ends_early_and_a_later_time_code_fits() -> None:
    assert found_in((0, 9), (12, 12), (24, 12)) == [1]
    assert found_in((0, 9), (12, 9), (24, 12), (36, 12)) == [1]


def test_nothing_in_a_closed_group_is_predicted_from_the_one_before() -> None:
    assert found_in((0, 12), (12, 9), (24, 12), (36, 12), closed=True) == []


@pytest.mark.parametrize(
    "groups",
    [
        [(0, 12)] * 5,  # all the same time
        [(15 * number, 12) for number in range(6)],  # frames that are shown for longer (telecine)
        [(number, 12) for number in range(6)],  # groups are counted
        [(100, 12), (50, 12), (0, 12)],
    ],
)
def test_time_codes_that_tell_nothing(groups: list[tuple[int, int]]) -> None:
    assert found_in(*groups) == []
