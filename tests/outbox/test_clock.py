"""Outbox clock: the age of messages by a clock that nobody can set, so that no budget is wiped by a wrong one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from sample_messages import make_message

from edge.outbox import clock
from edge.outbox.clock import OFF_LIMIT_S
from edge.outbox.reader import OutboxReader
from edge.outbox.schema import FILE_NAME
from edge.outbox.writer import OutboxWriter

if TYPE_CHECKING:
    from pathlib import Path

YEARS = 10 * 365 * 86400.0


class FakeMachine:
    """A machine whose wall clock, uptime and boot id tests can set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
        self.path = path
        self.wall, self.up = time.time(), clock.uptime()
        self._boot = path.parent / "boot_id"
        self._boot.write_text("first")
        monkeypatch.setattr(time, "time", lambda: self.wall)
        monkeypatch.setattr(clock, "uptime", lambda: self.up)
        monkeypatch.setattr(clock, "BOOT_ID", self._boot)

    def pass_by(self, seconds: float) -> None:
        self.wall += seconds
        self.up += seconds

    def boot(self, off_s: float) -> None:
        self.wall, self.up = self.wall + off_s, 10.0
        self._boot.write_text(str(self.wall))

    def store(self, count: int = 2) -> None:
        writer = OutboxWriter(self.path, lambda: None)
        for _ in range(count):
            writer.put("coverage/cart-1", make_message())
        assert writer.close(5)

    def kept(self, keep_s: float = 3600.0, unsent_keep_s: float = 86400.0) -> list[str]:
        """Expire, and return the states of the messages that are left."""
        outbox = OutboxReader(self.path)
        outbox.expire(keep_s, 1e9, unsent_keep_s)
        states = [state for _, state in outbox.kept(0, 1000, 1000)]
        outbox.close()
        return states

    def deliver(self, *seqs: int) -> None:
        outbox = OutboxReader(self.path)
        outbox.delivered("a", seqs, ["a"])
        outbox.close()

    def age(self) -> float:
        outbox = OutboxReader(self.path)
        age = outbox.depth().oldest_age_s
        outbox.close()
        return age


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeMachine:
    return FakeMachine(monkeypatch, tmp_path / FILE_NAME)


def test_by_age_acked_and_unsent_go_when_their_time_is_over_and_the_unsent_are_announced(machine: FakeMachine) -> None:
    machine.store(4)
    machine.deliver(1, 3)
    machine.pass_by(3500)
    assert machine.kept() == ["acked", "pending", "acked", "pending"]
    machine.pass_by(200)
    assert machine.kept() == ["pending", "pending"]
    machine.pass_by(86400 - 3700 - 1)
    machine.store(1)
    assert machine.kept() == ["pending"] * 3
    machine.pass_by(2)
    assert machine.kept() == ["pending"]
    outbox = OutboxReader(machine.path)
    assert outbox.state().expired == [(2, 2), (4, 4)]
    outbox.close()


def test_the_time_of_the_unsent_is_never_shorter_than_that_of_the_acked(machine: FakeMachine) -> None:
    machine.store(2)
    machine.pass_by(3000)
    assert machine.kept(keep_s=3600, unsent_keep_s=1) == ["pending"] * 2


@pytest.mark.parametrize("jump", [YEARS, -YEARS])
def test_a_clock_that_jumps_by_years_wipes_nothing_and_keeps_nothing_longer(machine: FakeMachine, jump: float) -> None:
    machine.store(2)
    machine.deliver(1)
    machine.wall += jump
    machine.pass_by(60)
    machine.store(2)
    assert machine.kept() == ["acked", "pending", "pending", "pending"]
    assert machine.age() == pytest.approx(60, abs=1)
    machine.wall -= jump
    machine.pass_by(3600)
    assert machine.kept() == ["pending"] * 3


@pytest.mark.parametrize(("off_s", "counted_s"), [(600.0, 600.0), (-YEARS, 0.0), (YEARS, OFF_LIMIT_S)])
def test_of_the_time_that_it_was_off_a_part_is_believed(machine: FakeMachine, off_s: float, counted_s: float) -> None:
    machine.store(1)
    machine.boot(off_s)
    machine.pass_by(30)
    assert machine.age() == pytest.approx(counted_s + 30, abs=31)
    machine.store(1)
    before = machine.age()
    machine.pass_by(5)
    assert machine.age() == pytest.approx(before + 5, abs=0.1)
    assert machine.kept(keep_s=86400) == ["pending"] * 2


def test_both_processes_and_a_reader_agree_whoever_is_first(machine: FakeMachine) -> None:
    machine.store(1)
    machine.boot(600)
    reader = OutboxReader(machine.path, readonly=True)
    seen = reader.now()
    outbox = OutboxReader(machine.path)
    assert outbox.now() == pytest.approx(seen)
    machine.wall += YEARS
    machine.store(1)
    assert outbox._db.execute("SELECT created FROM messages WHERE seq = 2").fetchone()[0] == pytest.approx(seen)
    reader.close()
    outbox.close()


def test_what_an_earlier_version_stored_by_a_clock_far_ahead_does_not_stay_for_ever(machine: FakeMachine) -> None:
    machine.store(2)
    outbox = OutboxReader(machine.path)
    outbox._db.execute("UPDATE entries SET created = created + ?", (YEARS,))
    outbox._db.execute("DELETE FROM meta WHERE key = 'clock'")
    outbox.close()
    assert machine.age() < 1
    machine.pass_by(90000)
    assert machine.kept() == []
