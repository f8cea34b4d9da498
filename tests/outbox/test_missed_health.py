"""Store of missed health: a budget in age and bytes, and a count of what it could not hold."""

from __future__ import annotations

import pickle
import sqlite3
import stat
from typing import TYPE_CHECKING

import pytest

from edge.outbox import missed_health
from edge.outbox.missed_health import FILE_NAME, MissedHealthCounts, MissedHealthStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., MissedHealthStore]]:
    made: list[MissedHealthStore] = []

    def one(keep_s: float = 3600.0, max_bytes: float = 1e6) -> MissedHealthStore:
        made.append(MissedHealthStore(tmp_path, keep_s, max_bytes))
        return made[-1]

    yield one
    for store in made:
        store.close()


def sample(number: int, size: int = 0) -> bytes:
    return b'{"at":"2026-01-01T00:%02d:%02dZ","n":%d,"x":"%b"}' % (number // 60, number % 60, number, b"x" * size)


def fill(store: MissedHealthStore, count: int, size: int = 0, sink: str = "a") -> None:
    for number in range(count):
        store.keep(sink, sample(number, size))


def test_each_sink_gets_what_it_missed_in_order_and_what_arrived_is_gone(
    make: Callable[..., MissedHealthStore],
) -> None:
    store = make()
    fill(store, 3)
    fill(store, 1, sink="b")
    rows = store.waiting("a", 0, 2)
    assert [row.body for row in rows] == [sample(0), sample(1)]
    assert [row.body for row in store.waiting("a", rows[-1].id, 9)] == [sample(2)]
    store.sent([row.id for row in rows])
    assert [row.body for row in store.waiting("a", 0, 9)] == [sample(2)]
    assert [row.body for row in store.waiting("b", 0, 9)] == [sample(0)]
    assert store.counts == MissedHealthCounts(waiting=2)


def test_over_its_bytes_the_oldest_are_given_up_counted_and_named_by_time(
    make: Callable[..., MissedHealthStore], tmp_path: Path
) -> None:
    store = make(max_bytes=400_000)
    fill(store, 300, size=2000)
    store.expire(["a"])
    kept = store.waiting("a", 0, 1000)
    assert 40 < len(kept) < 100
    assert kept[-1].body == sample(299, 2000)
    lost = 300 - len(kept)
    assert store.counts.expired == lost
    assert store.counts.expired_from == "2026-01-01T00:00:00Z"
    assert store.counts.expired_to == f"2026-01-01T00:{(lost - 1) // 60:02}:{(lost - 1) % 60:02}Z"
    store.close()
    assert make().counts.expired == lost  # a restart does not forget it


def test_too_old_is_given_up_whatever_the_clock_on_the_wall_says(
    make: Callable[..., MissedHealthStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make(keep_s=100)
    now = missed_health._uptime()
    fill(store, 2)
    monkeypatch.setattr(missed_health.time, "time", lambda: 4e9)
    monkeypatch.setattr(missed_health, "_uptime", lambda: now + 99)
    store.expire(["a"])
    assert store.counts.waiting == 2
    monkeypatch.setattr(missed_health, "_uptime", lambda: now + 101)
    store.expire(["a"])
    assert (store.counts.waiting, store.counts.expired) == (0, 2)


def test_after_a_boot_the_age_counts_anew(
    make: Callable[..., MissedHealthStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(make(keep_s=100), 1)
    monkeypatch.setattr(missed_health, "_uptime", lambda: 5.0)
    store = make(keep_s=100)
    monkeypatch.setattr(missed_health, "_uptime", lambda: 104.0)
    store.expire(["a"])
    assert store.counts.waiting == 1
    monkeypatch.setattr(missed_health, "_uptime", lambda: 106.0)
    store.expire(["a"])
    assert store.counts.expired == 1


def test_what_waits_for_a_sink_that_is_configured_no_more_is_given_up(make: Callable[..., MissedHealthStore]) -> None:
    store = make()
    fill(store, 2, sink="gone")
    fill(store, 1)
    store.expire(["a"])
    assert (store.counts.waiting, store.counts.expired) == (1, 2)


@pytest.mark.parametrize("damage", [b"", b"no database at all" * 100])
def test_a_damaged_file_is_begun_anew(make: Callable[..., MissedHealthStore], tmp_path: Path, damage: bytes) -> None:
    first = make()
    fill(first, 2)
    first.close()
    (tmp_path / FILE_NAME).write_bytes(damage)
    store = make()
    fill(store, 1)
    assert store.counts.waiting == 1
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600


def test_where_nothing_can_be_written_it_is_counted(make: Callable[..., MissedHealthStore], tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir()
    store = make()
    fill(store, 3)
    assert store.waiting("a", 0, 9) == []
    assert store.counts == MissedHealthCounts(0, 3, "2026-01-01T00:00:00Z", "2026-01-01T00:00:02Z")


def test_on_a_full_disk_the_counts_go_on_from_what_the_file_said(
    make: Callable[..., MissedHealthStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make()
    fill(store, 2)
    fill(store, 1, sink="nobody")
    store.expire(["a"])
    assert store.counts[:2] == (2, 1)

    def full(db: sqlite3.Connection) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(missed_health, "transaction", full)
    store.keep("a", sample(9))
    assert store.counts == MissedHealthCounts(2, 2, "2026-01-01T00:00:00Z", "2026-01-01T00:00:09Z")


def test_with_no_budget_nothing_is_kept_and_what_was_is_removed(
    make: Callable[..., MissedHealthStore], tmp_path: Path
) -> None:
    first = make()
    fill(first, 1)
    first.close()
    store = make(max_bytes=0)
    fill(store, 1)
    assert list(tmp_path.iterdir()) == []
    assert store.counts.expired == 1


def test_what_cannot_be_kept_takes_no_room(make: Callable[..., MissedHealthStore]) -> None:
    store = make(max_bytes=0)
    fill(store, 5)
    size = len(pickle.dumps(vars(store)["_uncounted"]))
    fill(store, 500)
    assert store.counts == MissedHealthCounts(0, 505, "2026-01-01T00:00:00Z", "2026-01-01T00:08:19Z")
    assert len(pickle.dumps(vars(store)["_uncounted"])) < size + 10
