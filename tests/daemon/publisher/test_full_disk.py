"""A disk that takes nothing, under the publisher: what has arrived is not sent again, the log stays short, it heals."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from brokers import wait_until
from publisher_harness import REPORT, PublisherThread, make_job
from sample_messages import make_message

from edge.app.state_dir import locked_state_dir
from edge.contracts.errors import DeviceError
from edge.daemon.publisher import acknowledgements
from edge.outbox.missed_health import MissedHealthStore
from edge.outbox.reader import OutboxReader
from edge.outbox.schema import FILE_NAME
from edge.outbox.writer import OutboxWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

COUNT = 300
ERRORS = ("database or disk is full", "disk I/O error", "attempt to write a readonly database", "database is locked")
COVERAGE = "coverage/cart-1"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acknowledgements, "LONGEST_PAUSE_S", 0.4)


def store(state_dir: Path, count: int) -> None:
    """Store ``count`` messages in a run without a publisher."""
    writer = OutboxWriter(state_dir / FILE_NAME, lambda: None)
    for _ in range(count):
        writer.put(COVERAGE, make_message())
    assert writer.close(10)


class Broken:
    """A method of `OutboxReader` that fails while ``error`` is set, and counts how often."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        self.error: str | None = None
        self.failed = 0
        real = getattr(OutboxReader, name)

        def call(reader: OutboxReader, *args: Any, **options: Any) -> Any:
            if self.error is not None:
                self.failed += 1
                raise sqlite3.OperationalError(self.error)
            return real(reader, *args, **options)

        monkeypatch.setattr(OutboxReader, name, call)


def seqs(one: PublisherThread, sink: int = 0) -> Counter[int]:
    return Counter(body["seq"] for body in one.bodies(COVERAGE, sink))


@pytest.mark.parametrize("error", ERRORS)
def test_what_has_arrived_is_not_sent_again_because_that_cannot_be_stored(
    make_publisher: Callable[..., PublisherThread], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture, error: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(acknowledgements, "REPORT_AFTER_S", 0.2)
    broken = Broken(monkeypatch, "delivered")
    broken.error = error
    arrived: set[int] = set()
    add = acknowledgements.Acknowledgements.add
    monkeypatch.setattr(
        acknowledgements.Acknowledgements, "add", lambda self, seqs: (add(self, seqs), arrived.update(seqs))
    )
    store(tmp_path / "state", COUNT)
    one = make_publisher()
    one.frame_link.report(REPORT)
    one.start()
    wait_until(lambda: len(seqs(one)) == COUNT)
    word = "disk_full" if "full" in error else "disk_error"
    wait_until(lambda: one.states()[-1].reasons == [word])
    one.frame_link.durable(COVERAGE, make_message())  # live ones go on
    wait_until(lambda: len(seqs(one)) == COUNT + 1)
    wait_until(lambda: COUNT + 1 in arrived)  # else it is under way when the connection is lost
    for _ in range(3):
        one.sinks[0].disconnect()
        one.sinks[0].connect()
    failed = broken.failed
    wait_until(lambda: broken.failed >= failed + 2)
    assert set(seqs(one).values()) == {1}
    broken.error = None
    wait_until(lambda: one.states()[-1].reasons == [])
    outbox = OutboxReader(tmp_path / "state" / FILE_NAME)
    wait_until(lambda: outbox.depth().pending == 0)
    outbox.close()
    assert set(seqs(one).values()) == {1}
    assert caplog.text.count("cannot be stored") <= 4


@pytest.mark.parametrize("name", ["pending", "state", "resend_progress"])
def test_an_outbox_that_cannot_be_read_is_opened_anew_with_pauses_and_nothing_is_repeated(
    make_publisher: Callable[..., PublisherThread], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture, name: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(acknowledgements, "RECORD_EVERY_S", 1e6)  # what has arrived is known here alone
    store(tmp_path / "state", 5)
    one = make_publisher()
    one.frame_link.report(REPORT)
    one.start()
    wait_until(lambda: len(seqs(one)) == 5)
    opened = []
    real = OutboxReader.__init__
    monkeypatch.setattr(
        OutboxReader, "__init__", lambda self, *args, **options: (opened.append(1), real(self, *args, **options))[1]
    )
    broken = Broken(monkeypatch, name)
    broken.error = "disk I/O error"
    one.frame_link.durable(COVERAGE, make_message())
    wait_until(lambda: len(opened) >= 4)
    assert broken.failed <= 8
    broken.error = None
    wait_until(lambda: len(seqs(one)) == 6)
    assert set(seqs(one).values()) == {1}
    assert sum("opening it anew" in record.getMessage() for record in caplog.records) <= 3


def test_a_disk_that_takes_no_deletion_is_read_all_the_same(
    make_publisher: Callable[..., PublisherThread], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.daemon.publisher.outbox_housekeeping.HOUSEKEEPING_S", 0.0)
    for name in ("expire_some", "acknowledge_unawaited", "truncate_journal", "age_of"):
        Broken(monkeypatch, name).error = ERRORS[0]
    store(tmp_path / "state", COUNT)
    one = make_publisher().start()
    wait_until(lambda: len(seqs(one)) == COUNT)
    assert set(seqs(one).values()) == {1}


# --- a real one


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "small", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("a tmpfs cannot be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Fill the file system of ``folder`` to the last byte; the file that does it."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for block in (1 << 16, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while file.write(bytes(block)):
                    pass
    return filler


@pytest.mark.parametrize("connections", [1, 3])
def test_on_a_full_disk_a_backlog_is_sent_once_and_all_is_stored_when_there_is_room(
    small_disk: Path, caplog: pytest.LogCaptureFixture, connections: int
) -> None:
    store(small_disk / "state", COUNT)
    one = PublisherThread(make_job(small_disk / "state", "memory://one"))
    try:
        one.sinks[0].room = 0
        one.frame_link.report(REPORT)
        one.start()
        wait_until(lambda: one.states() and one.states()[-1].outbox)
        filler = fill(small_disk)
        one.sinks[0].room = None
        wait_until(lambda: len(seqs(one)) == COUNT)
        for _ in range(connections - 1):
            one.sinks[0].disconnect()
            one.sinks[0].connect()
        for _ in range(10):
            one.frame_link.durable(COVERAGE, make_message())
        wait_until(lambda: "disk_full" in one.states()[-1].reasons)
        filler.unlink()
        wait_until(lambda: len(seqs(one)) == COUNT + 10, 20)  # what was found meanwhile
        wait_until(lambda: one.states()[-1].reasons == [])
        outbox = OutboxReader(small_disk / "state" / FILE_NAME)
        wait_until(lambda: outbox.depth().pending == 0)
        outbox.close()
        assert set(seqs(one).values()) == {1}
        by_cause = Counter(record.msg.partition(" (%d more")[0] for record in caplog.records)
        assert max(by_cause.values(), default=0) <= 12
    finally:
        one.close()


def test_a_start_on_a_full_disk_begins_when_there_is_room(small_disk: Path) -> None:
    filler = fill(small_disk)
    one = PublisherThread(make_job(small_disk / "state", "memory://one"))
    try:
        one.start()
        one.frame_link.durable(COVERAGE, make_message())
        wait_until(lambda: one.frame_link._writer.problems() == ["disk_full"] or one.frame_link._writer.problems())
        filler.unlink()
        wait_until(lambda: len(seqs(one)) == 1, 20)
    finally:
        one.close()


def test_health_that_cannot_be_kept_is_counted_and_the_log_stays_short(
    small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    filler = fill(small_disk)
    store = MissedHealthStore(small_disk, keep_s=1e6, max_bytes=1e6)
    body = json.dumps({"at": "2026-01-01T00:00:00Z"}).encode()
    for _ in range(200):
        store.keep("a", body)
    assert store.counts.expired == 200
    assert len(caplog.records) <= 2
    filler.unlink()
    store._retry_at = 0.0
    store.keep("a", body)
    assert (store.counts.waiting, store.counts.expired) == (1, 200)
    store.close()


def test_a_state_directory_on_a_full_disk_is_locked_all_the_same(small_disk: Path) -> None:
    with locked_state_dir(small_disk / "state"):
        pass
    filler = fill(small_disk)
    with (
        locked_state_dir(small_disk / "state"),
        pytest.raises(DeviceError, match="in use by another"),
        locked_state_dir(small_disk / "state"),
    ):
        pass
    filler.unlink()
