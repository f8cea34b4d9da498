"""When an outbox is continued and when a new epoch begins: copies, clones, damage, older layouts."""

from __future__ import annotations

import json
import shutil
import sqlite3
import stat
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest
from brokers import wait_until
from hypothesis import given
from hypothesis import strategies as st
from sample_messages import make_message

from edge.outbox import identity, schema
from edge.outbox.reader import OutboxReader
from edge.outbox.rows import NO_END
from edge.outbox.writer import OutboxWriter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Numbers = list[tuple[str, int]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / schema.FILE_NAME


def run_daemon(path: Path, messages: int, text: str = "exam") -> list[str]:
    """Start a writer, store messages, stop in good order; returns its problems."""
    writer = OutboxWriter(path, lambda: None)
    for _ in range(messages):
        assert writer.put("coverage/cart-1", make_message(exam_id=text))
    assert writer.close(10)
    return writer.problems()


def numbers(path: Path) -> Numbers:
    """(epoch, seq) of what is pending in the outbox in use."""
    outbox = OutboxReader(path)
    found = [json.loads(row.body) for row in outbox.pending("a", 0, NO_END, 1000)]
    outbox.close()
    return [(body["epoch"], body["seq"]) for body in found]


def test_an_outbox_that_nobody_touched_is_gone_on_with(path: Path) -> None:
    for _ in range(3):
        assert run_daemon(path, 2) == []
    assert [seq for _, seq in numbers(path)] == [1, 2, 3, 4, 5, 6]
    assert len({epoch for epoch, _ in numbers(path)}) == 1


def put_back_in_place(path: Path, backup: Path) -> None:
    path.write_bytes(backup.read_bytes())


def put_back_as_a_new_file(path: Path, backup: Path) -> None:
    path.unlink()
    shutil.copy2(backup, path)


@pytest.mark.parametrize("put_back", [put_back_in_place, put_back_as_a_new_file])
def test_an_older_copy_put_back_gives_no_number_twice(
    path: Path, tmp_path: Path, put_back: Callable[[Path, Path], None]
) -> None:
    run_daemon(path, 3)
    backup = tmp_path / "backup"
    shutil.copy2(path, backup)
    run_daemon(path, 3)
    given_before = set(numbers(path))
    put_back(path, backup)
    path.chmod(0o644)
    assert run_daemon(path, 4) == ["outbox_set_aside"]
    assert not given_before & set(numbers(path))
    assert [seq for _, seq in numbers(path)] == [1, 2, 3, 4]
    assert path.exists()  # as evidence
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert run_daemon(path, 1) == []  # the new one is gone on with
    assert [seq for _, seq in numbers(path)] == [1, 2, 3, 4, 5]


def test_a_copy_of_the_same_age_is_a_new_epoch_too(path: Path, tmp_path: Path) -> None:
    run_daemon(path, 3)
    before = set(numbers(path))
    copied = tmp_path / "clone"
    shutil.copytree(path.parent, copied)
    assert run_daemon(copied / path.name, 2) == ["outbox_set_aside"]
    assert not before & set(numbers(copied / path.name))
    assert run_daemon(path, 1) == []  # the original goes on
    assert len(numbers(path)) == 4


def test_a_disk_that_was_cloned_to_another_machine_is_a_new_epoch(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_daemon(path, 3)
    before = set(numbers(path))
    monkeypatch.setattr(identity, "machine_identity", lambda: "another")
    assert run_daemon(path, 3) == ["outbox_set_aside"]
    assert not before & set(numbers(path))


@pytest.mark.parametrize("mark", [None, b"", b"garbage", b"\0" * 192])
def test_without_a_mark_that_can_be_read_nobody_knows_so_it_is_a_new_epoch(path: Path, mark: bytes | None) -> None:
    run_daemon(path, 3)
    before = set(numbers(path))
    identity.identity_path(path).unlink()
    if mark is not None:
        identity.identity_path(path).write_bytes(mark)
    with pytest.raises(sqlite3.DatabaseError):
        OutboxReader(path)  # nothing of it is sent either
    assert run_daemon(path, 3) == ["outbox_set_aside"]
    assert not before & set(numbers(path))


def test_a_mark_that_a_power_cut_left_behind_is_no_reason_to_begin_anew(path: Path) -> None:
    run_daemon(path, 3)
    old = identity.identity_path(path).read_bytes()
    run_daemon(path, 3)
    identity.identity_path(path).write_bytes(old)
    assert run_daemon(path, 1) == []
    assert [seq for _, seq in numbers(path)] == [1, 2, 3, 4, 5, 6, 7]


def test_a_mark_without_its_outbox_is_taken_over_by_the_next(path: Path) -> None:
    run_daemon(path, 3)
    (epoch, _), *_ = numbers(path)
    path.unlink()
    assert run_daemon(path, 1) == []
    assert [seq for _, seq in numbers(path)] == [1]
    assert numbers(path)[0][0] != epoch


@given(st.binary(max_size=300))
def test_whatever_stands_in_a_mark_it_is_read_or_it_is_none(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("mark") / "outbox.sqlite3"
    identity.identity_path(path).write_bytes(content)
    assert identity.read(path) is None


def test_the_machine_is_told_by_what_the_system_has(tmp_path: Path) -> None:
    for name, text in (("a", "1\n"), ("b", "2\0")):
        (tmp_path / name).write_text(text)
    files = [str(tmp_path / name) for name in "abc"]
    named = [identity.machine_identity(tuple(some)) for some in ([files[0]], files[:2], files, [files[2]])]
    assert named[1] == named[2] != named[0]
    assert named[3] == "none"
    assert all(len(name) == 16 for name in named[:3])


# --- damage


def test_a_flipped_bit_in_a_message_costs_that_message_and_is_announced(path: Path) -> None:
    run_daemon(path, 2)
    run_daemon(path, 1, "needle")
    run_daemon(path, 2)
    data = bytearray(path.read_bytes())
    place = data.find(b"needle")
    assert place > 0
    data[place] ^= 1
    path.write_bytes(data)
    assert run_daemon(path, 1) == []  # SQLite sees nothing wrong
    outbox = OutboxReader(path)
    assert [(row.seq, state) for row, state in outbox.kept(3, 5, 9)] == [(3, "damaged"), (4, "pending")]
    assert [row.seq for row in outbox.pending("a", 3, 4, 9)] == []
    assert [row.seq for row in outbox.pending("a", 0, NO_END, 9)] == [1, 2, 4, 5, 6]
    assert outbox.damaged == 1
    assert outbox.state().expired == [(3, 3)]
    outbox.close()


def test_a_page_gone_bad_in_the_middle_is_found_at_the_start(path: Path) -> None:
    run_daemon(path, 300)
    before = set(numbers(path))
    data = bytearray(path.read_bytes())
    middle = len(data) // 2 // 4096 * 4096
    data[middle : middle + 4096] = b"\xa5" * 4096
    path.write_bytes(data)
    assert run_daemon(path, 2) == ["outbox_set_aside"]
    assert not before & set(numbers(path))


def test_what_only_the_reader_finds_damaged_the_writer_sets_aside(path: Path) -> None:
    writer = OutboxWriter(path, lambda: None)
    writer.put("coverage/cart-1", make_message())
    assert writer.flush(10)
    before = numbers(path)
    schema.mark_damaged(path)
    writer.put("coverage/cart-1", make_message())
    assert writer.close(10)
    assert writer.problems() == ["outbox_set_aside"]
    assert numbers(path)[0][0] != before[0][0]
    assert run_daemon(path, 1) == []
    assert [seq for _, seq in numbers(path)] == [1, 2]


def test_a_file_exchanged_under_the_running_daemon_gives_no_number_twice(path: Path, tmp_path: Path) -> None:
    run_daemon(path, 3)
    backup = tmp_path / "backup"
    shutil.copy2(path, backup)
    writer = OutboxWriter(path, lambda: None)
    writer.put("coverage/cart-1", make_message())
    assert writer.flush(10)
    given_before = set(numbers(path))
    # By another process, as it would be: closing the file in this one would let go of the writer's locks.
    subprocess.run(["cp", "--remove-destination", backup, path], check=True)
    for _ in range(3):
        writer.put("coverage/cart-1", make_message())
    assert writer.close(10)
    assert writer.problems() == ["outbox_set_aside"]
    assert not given_before & set(numbers(path))
    assert len(numbers(path)) == 3


# --- layouts

LAYOUT_1 = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE messages (seq INTEGER PRIMARY KEY, suffix TEXT NOT NULL, body BLOB NOT NULL, created REAL NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'acked')));
CREATE INDEX pending ON messages (seq) WHERE state = 'pending';
CREATE INDEX acked ON messages (created) WHERE state = 'acked';
CREATE TABLE delivery (seq INTEGER NOT NULL, sink TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'acked',
    PRIMARY KEY (seq, sink)) WITHOUT ROWID;
CREATE TABLE expired (first INTEGER PRIMARY KEY, last INTEGER NOT NULL);
INSERT INTO meta VALUES ('epoch', 'e1'), ('next_seq', 4);
INSERT INTO messages VALUES (2, 'coverage/a', CAST('{"epoch":"e1","seq":2}' AS BLOB), 1.0, 'acked');
INSERT INTO messages VALUES (3, 'coverage/a', CAST('{"epoch":"e1","seq":3}' AS BLOB), 1.0, 'pending');
INSERT INTO expired VALUES (1, 1);
PRAGMA user_version = 1;
PRAGMA journal_mode = WAL;
"""


def make_first_layout(path: Path) -> None:
    path.parent.mkdir()
    db = sqlite3.connect(path)
    db.executescript(LAYOUT_1)
    db.close()


def test_an_outbox_of_the_first_layout_goes_on_with_its_epoch_and_all_it_holds(path: Path) -> None:
    make_first_layout(path)
    with pytest.raises(sqlite3.DatabaseError, match="layout"):
        OutboxReader(path)  # the reader waits for the writer to do it
    assert run_daemon(path, 2) == []
    assert numbers(path) == [("e1", 3), ("e1", 4), ("e1", 5)]
    outbox = OutboxReader(path)
    assert outbox.state().expired == [(1, 1)]
    assert [row.seq for row in outbox.stored(0, 9)] == [2, 3, 4, 5]
    outbox.close()
    assert run_daemon(path, 1) == []


def test_a_move_to_the_new_layout_that_fails_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_first_layout(path)
    monkeypatch.setitem(schema.MIGRATIONS, 1, ["ALTER TABLE none_such ADD COLUMN crc INTEGER"])
    with pytest.raises(sqlite3.OperationalError):
        schema.migrate(path)
    monkeypatch.undo()
    assert run_daemon(path, 1) == []
    assert numbers(path) == [("e1", 3), ("e1", 4)]


def test_two_that_move_it_at_once_move_it_once(path: Path) -> None:
    make_first_layout(path)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    writer = OutboxWriter(path, lambda: None)
    writer.put("coverage/cart-1", make_message())
    blocker.execute(*schema.MIGRATIONS[1])
    blocker.execute("PRAGMA user_version = 2")
    identity.IdentityFile(path).write("e1", 4)
    blocker.execute("COMMIT")
    blocker.close()
    assert writer.flush(10)
    wait_until(lambda: writer.problems() == [])
    writer.close(10)
    assert numbers(path) == [("e1", 3), ("e1", 4)]


def test_moving_to_a_new_layout_makes_no_copy_valid(path: Path) -> None:
    make_first_layout(path)
    db = sqlite3.connect(path)
    db.executescript("ALTER TABLE messages ADD COLUMN crc INTEGER; PRAGMA user_version = 2;")
    db.close()  # of the second layout, which always has a mark; this one came without
    assert run_daemon(path, 1) == ["outbox_set_aside"]
    assert {epoch for epoch, _ in numbers(path)}.isdisjoint({"e1"})


def test_one_that_was_set_aside_is_moved_to_be_read_and_stays_set_aside(path: Path) -> None:
    make_first_layout(path)
    schema.migrate(path, mark=False)
    assert identity.read(path) is None
    outbox = OutboxReader(path, verify=False)
    assert [row.seq for row in outbox.pending("a", 0, 9, 9)] == [3]
    outbox.close()


@pytest.mark.parametrize("value", [None, "1x", b"\xff"])
def test_a_number_that_is_none_is_damage_and_not_the_writers_end(path: Path, value: object) -> None:
    assert run_daemon(path, 2) == []
    db = sqlite3.connect(path)
    db.execute("UPDATE meta SET value = ? WHERE key = 'next_seq'", (value,))
    db.commit()
    db.close()
    assert run_daemon(path, 1) == ["outbox_set_aside"]
    assert len(numbers(path)) == 1


def test_a_writer_whose_thread_is_gone_is_hung(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda args: None)
    writer = OutboxWriter(path, lambda: None)
    assert writer.flush(5)
    monkeypatch.setattr(writer, "_append", lambda db, batch: 1 / 0)
    assert not writer.hung()
    writer.put("coverage/cart-1", make_message())
    wait_until(writer.hung)
    assert writer._db is None  # the file is let go of
