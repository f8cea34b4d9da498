"""Tests of the envelope fields of messages and of the system clock."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import msgspec
import pytest

from edge.app import envelope as module
from edge.app.envelope import EnvelopeMaker, SystemClock, boot_id
from edge.contracts.envelope import Envelope
from edge.contracts.ports import Clock

if TYPE_CHECKING:
    from pathlib import Path


class FixedClock:
    """A `Clock` that always tells the same time."""

    def __init__(self) -> None:
        self.now, self.right = 5, False

    def monotonic_ns(self) -> int:
        return self.now

    def utc(self) -> str:
        return "2026-01-01T00:00:00.000000Z"

    def synced(self) -> bool:
        return self.right


def test_made_fields_are_exactly_the_fields_of_an_envelope() -> None:
    clock = FixedClock()
    envelopes = EnvelopeMaker("cart", "run-1", clock)
    stamp = envelopes.fields()
    assert set(stamp) == set(msgspec.structs.asdict(Envelope(**stamp)))
    assert (stamp["device"], stamp["run_id"], stamp["mono_ns"], stamp["clock"]) == ("cart", "run-1", 5, "unsynced")
    clock.right = True
    assert envelopes.fields()["clock"] == "synced"
    assert stamp["boot_id"] == boot_id()


def test_the_system_clock_says_utc_with_microseconds_and_never_goes_back() -> None:
    clock = SystemClock()
    assert isinstance(clock, Clock)
    text = clock.utc()
    assert text.endswith("Z")
    assert len(text) == len("2026-01-01T00:00:00.000000Z")
    said = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    assert abs(datetime.now(timezone.utc) - said) < timedelta(minutes=1)
    assert clock.monotonic_ns() <= clock.monotonic_ns()


@pytest.mark.parametrize(
    ("kernel", "mark", "expected"), [(True, False, True), (False, True, True), (False, False, False)]
)
def test_the_clock_is_right_when_kernel_or_timesyncd_say_so_and_is_asked_once_a_second(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kernel: bool, mark: bool, expected: bool
) -> None:
    asked = []
    monkeypatch.setattr(module, "kernel_clock_synced", lambda: bool(asked.append(1)) or kernel)
    monkeypatch.setattr(module, "TIMESYNCD_MARK", tmp_path if mark else tmp_path / "missing")
    clock = SystemClock()
    assert [clock.synced() for _ in range(5)] == [expected] * 5
    assert len(asked) == 1


def test_a_system_without_boot_id(tmp_path: Path) -> None:
    assert boot_id(tmp_path / "missing") == "unknown"
    (tmp_path / "id").write_text("abc\n")
    assert boot_id(tmp_path / "id") == "abc"
