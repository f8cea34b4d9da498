"""Rows of the fleet overview, and the tables of devices as text and on a terminal."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from device_messages import DeviceMessages
from fake_clock import FakeClock

from edge.contracts.errors import UsageError
from edge.fleet.device_table import (
    COLUMNS,
    WORST,
    cell_texts,
    filter_and_sort,
    finding_text,
    plain_table,
    summary_line,
)
from edge.fleet.fleet_overview import DeviceRow, FleetOverview, count_messages
from edge.schema import examples


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def overview(clock: FakeClock) -> FleetOverview:
    return FleetOverview(whole=True, clock=clock)


def device_messages_for(overview: FleetOverview, **where: str) -> Any:
    return DeviceMessages(overview, **where)  # type: ignore[arg-type]  # feeds it as it would a ledger


def test_a_row_tells_what_the_device_told(overview: FleetOverview, clock: FakeClock) -> None:
    device = device_messages_for(overview)
    device.state(1)
    device.finding(1, malignancy=0.25, suspicious=False)
    device.finding(4, malignancy=0.9, suspicious=True)
    device.finding(2, replayed=True, malignancy=0.1, suspicious=False)
    device.health(6, fps=29.5, total_p99_ms=8.25, temperature_c=61.0, outbox_depth=3, outbox_expired=[(5, 5)])
    clock.now += 7
    (row,) = overview.rows()
    assert (row.state, row.model, row.runtime) == ("online", "example 1.0.0", "litert+xnnpack")
    assert (row.fps, row.p99_ms, row.temperature_c, row.outbox) == (29.5, 8.25, 61.0, 3)
    assert row.last_finding is not None
    assert (row.last_finding.malignancy, row.last_finding.age_s) == (0.9, 7.0), "a replayed one is no news"
    assert (row.missing, row.repaired, row.expired) == (
        {"epoch-a": [(3, 3)]},
        {"epoch-a": [(2, 2)]},
        {"epoch-a": [(5, 5)]},
    )
    assert dict(zip(COLUMNS, cell_texts(row), strict=True)) == {
        "site": "clinic-a", "device": "cart-7", "state": "online", "model": "example 1.0.0",
        "runtime": "litert+xnnpack", "fps": "29.5", "p99-ms": "8.2", "temp-c": "61.0", "outbox": "3",
        "last-finding": "suspicious 0.90, 7 s ago", "missing": "1: 3", "repaired": "1: 2", "expired": "1: 5",
        "heard": "7 s", "notes": "requests off: what is missing cannot be asked for",
        "anomalies": "-",
    }  # fmt: skip


def test_an_uncertain_call_stands_beside_the_call(overview: FleetOverview) -> None:
    device = device_messages_for(overview)
    device.state(1)
    told = []
    for seq, (suspicious, uncertain) in enumerate(((True, True), (False, True), (False, False)), start=1):
        device.finding(seq, malignancy=0.5, suspicious=suspicious, call_uncertain=uncertain)
        (row,) = overview.rows()
        assert row.last_finding is not None
        assert row.last_finding.call_uncertain is uncertain
        told.append(finding_text(row.last_finding))
    assert told == [
        "suspicious 0.50 (uncertain), 0 s ago",
        "not suspicious 0.50 (uncertain), 0 s ago",
        "not suspicious 0.50, 0 s ago",
    ]


@pytest.mark.parametrize("absent", [True, False])
def test_a_device_that_says_nothing_of_uncertainty_has_no_uncertain_call(overview: FleetOverview, absent: bool) -> None:
    """Older devices have no such field; null is read as the same."""
    message = json.loads(msgspec.json.encode(examples.finding()))
    if absent:
        del message["call_uncertain"]
    else:
        message["call_uncertain"] = None
    overview.feed("edge/v1/clinic-a/cart-7/findings/cart", json.dumps(message).encode())
    (row,) = overview.rows()
    assert row.last_finding is not None
    assert (row.last_finding.suspicious, row.last_finding.call_uncertain, row.unreadable) == (True, False, 0)


def test_a_device_that_has_gone_shows_no_numbers_and_what_it_was(overview: FleetOverview) -> None:
    device = device_messages_for(overview)
    device.state(1)
    device.health(1, fps=30.0)
    assert overview.all_healths_known()
    device.will("run-1")
    (row,) = overview.rows()
    assert (row.state, row.reasons, row.fps, row.outbox) == ("offline", ["connection_lost"], None, None)
    assert row.model == "example 1.0.0"


def test_the_will_of_an_earlier_run_changes_nothing(overview: FleetOverview) -> None:
    device = device_messages_for(overview)
    device.run_id = "run-2"
    device.state(1)
    device.will("run-1")
    assert overview.rows()[0].state == "online"


def test_a_device_of_which_only_findings_are_heard_is_unknown(overview: FleetOverview) -> None:
    device = device_messages_for(overview)
    device.finding(1)
    (row,) = overview.rows()
    assert (row.state, row.model, row.fps) == ("unknown", None, None)
    assert not overview.all_healths_known()


def test_what_is_of_another_version_is_unknown_but_still_counted(overview: FleetOverview) -> None:
    head = {"device": "cart-7", "schema": "finding/1", "stream": "a", "epoch": "e", "seq": 1}
    body = msgspec.json.encode({**head, "malignancy": "high"})
    overview.feed("edge/v1/clinic-a/cart-7/findings/a", body)
    (row,) = overview.rows()
    assert (row.received, row.last_finding) == (1, None)


@pytest.fixture
def rows(overview: FleetOverview) -> list[DeviceRow]:
    for name, fps in (("cart-1", 10.0), ("cart-2", 30.0), ("cart-3", None)):
        device = device_messages_for(overview, device=name)
        device.state(
            3, status="degraded" if name == "cart-2" else "online", reasons=["hot"] if name == "cart-2" else []
        )
        if fps is not None:
            device.health(3, fps=fps)
    return overview.rows()


def names(rows: list[DeviceRow]) -> list[str]:
    return [row.device for row in rows]


def test_filter_and_sort(rows: list[DeviceRow]) -> None:
    assert names(filter_and_sort(rows)) == ["cart-1", "cart-2", "cart-3"]
    assert names(filter_and_sort(rows, column="fps")) == ["cart-2", "cart-1", "cart-3"], (
        "the largest first, unknown last"
    )
    assert names(filter_and_sort(rows, column="state")) == ["cart-2", "cart-1", "cart-3"]
    assert names(filter_and_sort(rows, "HOT")) == ["cart-2"]
    assert names(filter_and_sort(rows, "no such thing")) == []
    with pytest.raises(UsageError, match="there is no column 'speed'"):
        filter_and_sort(rows, column="speed")
    assert names(filter_and_sort(rows, column="fps", reverse=True)) == ["cart-1", "cart-2", "cart-3"], "unknown last"
    assert names(filter_and_sort(rows, column=WORST)) == ["cart-2", "cart-1", "cart-3"]
    assert names(filter_and_sort(rows, column=WORST, reverse=True)) == ["cart-3", "cart-1", "cart-2"]
    assert names(filter_and_sort(rows, "clinic-a/cart-3")) == ["cart-3"]
    for column in (WORST, *COLUMNS):
        assert sorted(names(filter_and_sort(rows, column=column))) == ["cart-1", "cart-2", "cart-3"]


def test_the_plain_table_has_a_line_a_device_and_a_summary(rows: list[DeviceRow]) -> None:
    lines = plain_table(rows).splitlines()
    assert lines[0].split() == list(COLUMNS)
    assert [line.split()[1] for line in lines[1:4]] == ["cart-1", "cart-2", "cart-3"]
    assert lines[5] == "3 devices: 1 degraded, 2 online; 6 missing, 0 repaired"
    assert plain_table([]).splitlines()[-1] == summary_line([]) == "0 devices; 0 missing, 0 repaired"


def test_many_ranges_are_cut_and_all_are_counted(overview: FleetOverview) -> None:
    device = device_messages_for(overview)
    for seq in (1, 3, 6, 8, 10):
        device.finding(seq)
    (row,) = overview.rows()
    assert count_messages(row.missing) == 5
    assert dict(zip(COLUMNS, cell_texts(row), strict=True))["missing"] == "5: 2, 4-5, 7, …"


def test_a_device_cannot_write_to_the_terminal(overview: FleetOverview) -> None:
    device = device_messages_for(overview)
    device.state(1, reasons=["\x1b[2Jgone\n"], status="degraded")
    assert "degraded: ?[2Jgone?" in plain_table(overview.rows())
    assert "\x1b" not in plain_table(overview.rows())
