"""Checkpoints of the journal, in a thread of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from brokers import wait_until
from sample_messages import make_message

from edge.outbox.checkpoints import Checkpoints
from edge.outbox.reader import OutboxReader
from edge.outbox.writer import OutboxWriter

if TYPE_CHECKING:
    from pathlib import Path


def test_commits_are_moved_into_the_file_while_it_is_read_and_written(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite3"
    writer = OutboxWriter(path, lambda: None)
    assert writer.flush(5)
    reader = OutboxReader(path, checkpoints=False)
    before = path.stat().st_size
    checkpoints = Checkpoints(path, every_s=0.02)
    for _ in range(50):
        writer.put("coverage/a", make_message())
    assert writer.flush(5)
    wait_until(lambda: path.stat().st_size > before)
    assert [row.seq for row in reader.pending("a", 0, 99, 99)] == list(range(1, 51))
    checkpoints.close()
    assert not checkpoints._thread.is_alive()
    reader.close()
    assert writer.close(5)


def test_without_an_outbox_nothing_is_made(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "outbox.sqlite3", every_s=0.02)
    checkpoints._thread.join(5)
    checkpoints.close()
    assert list(tmp_path.iterdir()) == []
