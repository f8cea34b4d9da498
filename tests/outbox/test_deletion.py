"""Deleted messages are gone from the bytes of every file, not only from the tables."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

from sample_messages import make_message

from edge.outbox.reader import OutboxReader
from edge.outbox.schema import FILE_NAME
from edge.outbox.writer import OutboxWriter

if TYPE_CHECKING:
    from pathlib import Path

MARKER = b"MARKER-OF-A-PATIENT"


def store(folder: Path, count: int, text: str) -> OutboxWriter:
    writer = OutboxWriter(folder / FILE_NAME, lambda: None)
    for _ in range(count):
        writer.put("coverage/cart-1", make_message(exam_id=text))
    assert writer.flush(10)
    return writer


def files_with_marker(folder: Path) -> list[str]:
    """Names of the files that contain the marker."""
    return [path.name for path in sorted(folder.iterdir()) if MARKER in path.read_bytes()]


def test_expired_messages_leave_no_byte_behind_while_the_writer_goes_on(tmp_path: Path) -> None:
    store(tmp_path, 1, "x").close(5)
    writer = store(tmp_path, 300, MARKER.decode() + "x" * 3000)  # some pages each, in file and journal
    outbox = OutboxReader(tmp_path / FILE_NAME)
    assert len(files_with_marker_while_open(tmp_path)) > 0
    outbox.delivered("a", range(1, 151), ["a"])
    assert outbox.expire(keep_s=1e-9, max_bytes=1e9, unsent_keep_s=1e-9) == 151  # acked by age, the unsent by theirs
    writer.put("coverage/cart-1", make_message(exam_id="after"))
    assert writer.flush(10)
    assert outbox.truncate_journal()
    assert files_with_marker_while_open(tmp_path) == []
    assert outbox.depth().pending == 1
    writer.close(5)
    outbox.close()
    assert files_with_marker(tmp_path) == []


def test_without_it_they_would_stand_there_so_the_test_can_see(tmp_path: Path) -> None:
    store(tmp_path, 50, MARKER.decode()).close(5)
    db = sqlite3.connect(tmp_path / FILE_NAME)
    db.execute("PRAGMA secure_delete = OFF")
    with db:
        db.execute("DELETE FROM bodies")
    db.close()
    assert files_with_marker(tmp_path) == [FILE_NAME]


LOOK = """
import pathlib, sys
folder, marker = pathlib.Path(sys.argv[1]), sys.argv[2].encode()
print(*(path.name for path in folder.iterdir() if marker in path.read_bytes()))
"""


def files_with_marker_while_open(folder: Path) -> list[str]:
    """Names of the files that contain the marker, read by another process: closing a file here drops SQLite's locks."""
    command = [sys.executable, "-c", LOOK, folder, MARKER.decode()]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
