"""A result is consistent or it does not exist: a failure never reads as "nothing found"."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.contracts.frame_result import Result
from edge.contracts.results import Lesion, Reason, Status

LESION = Lesion(box=(1, 2, 3, 4), outline=[(1.0, 2.0), (4.0, 2.0), (4.0, 6.0)], centre=(2.5, 4.0), score=0.9)

SHAPES = {
    # what each state has: malignancy, reason, lesions, suspicious
    Status.FINDING: (True, False, True, True),
    Status.CLEAR: (True, False, False, False),
    Status.ABSTAINED: (False, True, False, False),
    Status.NO_RESULT: (False, True, False, False),
}
"""Written down a second time, apart from the code that checks it."""


def make(
    status: Status,
    malignancy: float | None,
    reason: Reason | None,
    lesions: int,
    suspicious: bool | None,
    call_uncertain: bool = False,
) -> Result:
    return Result(
        stream="cart",
        frame_seq=0,
        captured_ns=0,
        status=status,
        malignancy=malignancy,
        reason=reason,
        lesions=(LESION,) * lesions,
        suspicious=suspicious,
        call_uncertain=call_uncertain,
    )


@given(
    st.sampled_from(Status),
    st.none() | st.floats(0, 1),
    st.none() | st.sampled_from(Reason),
    st.integers(0, 3),
    st.none() | st.booleans(),
    st.booleans(),
)
def test_a_result_exists_exactly_if_it_has_what_its_state_has(
    status: Status,
    malignancy: float | None,
    reason: Reason | None,
    lesions: int,
    suspicious: bool | None,
    call_uncertain: bool,
) -> None:
    shape = (malignancy is not None, reason is not None, lesions > 0, suspicious is not None)
    if shape == SHAPES[status] and (status is Status.FINDING or not call_uncertain):
        result = make(status, malignancy, reason, lesions, suspicious, call_uncertain)
        assert (result.status, result.malignancy, result.reason) == (status, malignancy, reason)
        assert result.call_uncertain is call_uncertain
    else:
        with pytest.raises(ValueError, match=status.value):
            make(status, malignancy, reason, lesions, suspicious, call_uncertain)


@pytest.mark.parametrize("suspicious", [True, False])
def test_an_uncertain_call_is_a_finding_with_a_call_and_nothing_else(suspicious: bool) -> None:
    assert make(Status.FINDING, 0.5, None, 1, suspicious, call_uncertain=True).call_uncertain
    assert not make(Status.FINDING, 0.5, None, 1, suspicious).call_uncertain, "absent means false"
    with pytest.raises(ValueError, match="clear with an uncertain call"):
        make(Status.CLEAR, 0.5, None, 0, None, call_uncertain=True)
    with pytest.raises(ValueError, match="abstained with an uncertain call"):
        make(Status.ABSTAINED, None, Reason.TOO_UNCERTAIN, 0, None, call_uncertain=True)


@pytest.mark.parametrize("malignancy", [float("nan"), float("inf"), -0.01, 1.01])
@pytest.mark.parametrize("status", [Status.FINDING, Status.CLEAR])
def test_a_malignancy_that_is_no_probability_is_refused(status: Status, malignancy: float) -> None:
    finding = status is Status.FINDING
    with pytest.raises(ValueError, match="malignancy"):
        make(status, malignancy, None, int(finding), False if finding else None)


def test_a_result_does_not_change() -> None:
    result: Any = make(Status.CLEAR, 0.1, None, 0, None)
    with pytest.raises(AttributeError):
        result.status = Status.FINDING


def test_the_words_on_the_wire() -> None:
    assert [status.value for status in Status] == ["finding", "clear", "abstained", "no_result"]
    assert all(reason.value == reason.name.lower() for reason in Reason)
