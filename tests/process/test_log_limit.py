"""Rate limit of log lines: each cause has its own, and what was left out is counted."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from edge.process.log_limit import CAUSES_LIMIT, LogLimiter

if TYPE_CHECKING:
    import pytest


def test_each_cause_is_logged_once_a_second_and_the_next_line_counts_the_rest(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    limiter = LogLimiter(logging.getLogger("test"), now=lambda: now[0])
    for _ in range(5):
        limiter.error("full", "disk %s", "full")
        limiter.warning("lost", "connection lost")
    now[0] = 1.0
    limiter.error("full", "disk %s", "full")
    now[0] = 2.5
    limiter.error("full", "disk %s", "full")
    assert [record.getMessage() for record in caplog.records] == [
        "disk full", "connection lost", "disk full (4 more like this were left out)", "disk full",
    ]  # fmt: skip


def test_of_many_causes_those_logged_longest_ago_are_forgotten() -> None:
    now = [0.0]
    limiter = LogLimiter(logging.getLogger("test"), now=lambda: now[0])
    for number in range(3 * CAUSES_LIMIT):
        now[0] = float(number)
        limiter.warning(str(number), "x")
    assert len(limiter._causes) == CAUSES_LIMIT
    assert str(3 * CAUSES_LIMIT - 1) in limiter._causes
