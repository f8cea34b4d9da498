"""Counting what a subscriber received, and saying what is missing."""

from __future__ import annotations

import pytest
from demo_messages import DEVICE, OFFLINE, ONLINE, WHOLE, finding, received

from edge.contracts.results import Status
from edge.demo.summary import missing_parts, summarise


def test_a_whole_run_lacks_nothing():
    summary = summarise(received(*WHOLE), DEVICE)
    assert missing_parts(summary) == []
    assert summary.judged(Status.FINDING) == 30
    assert (summary.durable, summary.missing, len(summary.lesions)) == (4, 0, 1)


def test_repeats_are_counted_once_and_others_messages_not_at_all():
    twice = received(*WHOLE, WHOLE[2], WHOLE[5]) + received(finding(9), device="other")
    summary = summarise(twice, DEVICE)
    assert (summary.durable, len(summary.lesions), summary.judged(Status.FINDING)) == (4, 1, 30)


@pytest.mark.parametrize(
    ("without", "problem"),
    [
        (ONLINE, "no birth (state)"),
        (OFFLINE, "no goodbye (state)"),
        (WHOLE[2], "1 of its numbered messages did not arrive"),
    ],
)
def test_what_did_not_arrive_is_said(without, problem):
    assert missing_parts(summarise(received(*[m for m in WHOLE if m is not without]), DEVICE)) == [problem]
