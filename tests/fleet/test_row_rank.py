"""Ranks of devices: who needs somebody comes first, who was stopped on purpose last; what counts as healthy."""

from __future__ import annotations

import msgspec
from fleet_rows import make_row

from edge.fleet.device_table import filter_and_sort
from edge.fleet.row_rank import any_heard, unhealthy_counts

BASE = make_row(1)
EXPECTED = (
    {"device": "cut-off", "state": "cut off"},
    {"device": "silent", "state": "silent"},
    {"device": "unclean", "state": "offline", "said": "offline", "reasons": ["connection_lost"]},
    {"device": "stopped-and-more", "state": "offline", "said": "offline", "reasons": ["stopped", "messages_lost"]},
    {"device": "unknown", "state": "unknown", "said": "online", "heard": None},
    {"device": "degraded", "state": "degraded", "said": "degraded", "reasons": ["hot"]},
    {"device": "online"},
    {"device": "stopped", "state": "offline", "said": "offline", "reasons": ["stopped"], "heard": None},
)
"""The worst first."""
ROWS = [msgspec.structs.replace(BASE, **{"site": "a", **fields}) for fields in EXPECTED]


def test_who_was_stopped_on_purpose_comes_last_and_who_said_online_and_was_not_heard_before_degraded() -> None:
    shuffled = sorted(ROWS, key=lambda row: row.device[::-1])
    order = [row.device for row in filter_and_sort(shuffled, column="worst")]
    assert order == ["cut-off", "silent", "stopped-and-more", "unclean", *[each["device"] for each in EXPECTED[4:]]]
    assert filter_and_sort(shuffled, column="state")[-1].device == "stopped"


def test_a_stopped_device_of_which_something_is_missing_is_not_last() -> None:
    stopped = msgspec.structs.replace(ROWS[-1], missing={"e": [(1, 2)]})
    assert filter_and_sort([*ROWS[:-1], stopped], column="worst")[2].device == "stopped"


def test_all_states_but_online_degraded_and_stopped_are_unhealthy() -> None:
    assert unhealthy_counts(ROWS) == {"cut off": 1, "silent": 1, "offline": 2, "unknown": 1}
    assert unhealthy_counts([ROWS[5], ROWS[6], ROWS[7]]) == {}
    assert any_heard(ROWS)
    assert not any_heard([ROWS[7]])
