"""A disk that hangs ends the frame process; one that refuses does not, and nothing is lost meanwhile."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import psutil
import pytest
from brokers import wait_until
from sample_messages import make_message

from edge.outbox import writer as outbox_writer
from edge.outbox.reader import OutboxReader
from edge.outbox.schema import FILE_NAME
from edge.outbox.writer import OutboxWriter

if TYPE_CHECKING:
    from pathlib import Path


HANGING = """
import os, sys, time
import edge.outbox.writer as writer
if not os.path.exists("hung"):
    writer.HUNG_S = 0.5
    writer.OutboxWriter.hung.__defaults__ = (0.5,)
    append = writer.OutboxWriter._append
    def hang(self, db, batch):
        if os.path.exists("hang"):
            open("hung", "w").close()
            time.sleep(3600)
        return append(self, db, batch)
    writer.OutboxWriter._append = hang
"""


def test_a_commit_that_does_not_come_back_is_hung_and_one_that_fails_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = OutboxWriter(tmp_path / FILE_NAME, lambda: None)
    assert writer.put("coverage/cart-1", make_message())
    assert writer.flush(5)
    assert not writer.hung(0.0)
    back = threading.Event()
    append = writer._append
    monkeypatch.setattr(writer, "_append", lambda *args: (back.wait(), append(*args))[1])
    writer.put("coverage/cart-1", make_message())
    wait_until(lambda: writer.hung(0.2))
    assert not writer.hung()
    back.set()
    assert writer.flush(5)
    assert not writer.hung(0.0)
    writer.close(5)


@pytest.mark.slow
def test_a_disk_that_can_only_be_read_is_said_waited_out_and_costs_nothing(tmp_path: Path) -> None:
    writer = OutboxWriter(tmp_path / FILE_NAME, lambda: None)
    writer.put("coverage/cart-1", make_message())
    assert writer.flush(5)
    writer._db.execute("PRAGMA query_only = ON")  # type: ignore[union-attr]  # "attempt to write a readonly database"
    opened = outbox_writer.OutboxWriter._open
    tries: list[object] = []

    def read_only(self: OutboxWriter) -> object:
        db = opened(self)
        tries.append(db)
        db.execute("PRAGMA query_only = ON")
        return db

    writer._open = read_only.__get__(writer)  # type: ignore[method-assign]
    for _ in range(5):
        assert writer.put("coverage/cart-1", make_message())
    wait_until(lambda: writer.problems() == ["disk_error"])
    wait_until(lambda: len(tries) >= 2)
    assert not writer.hung(1.0)
    writer._db.execute("PRAGMA query_only = OFF") if writer._db else None
    writer._open = opened.__get__(writer)  # type: ignore[method-assign]
    assert writer.flush(5)
    assert (writer.problems(), writer.lost) == ([], 0)
    writer.close(5)
    outbox = OutboxReader(tmp_path / FILE_NAME)
    assert [row.seq for row in outbox.pending("a", 0, 99, 99)] == [1, 2, 3, 4, 5, 6]
    outbox.close()


@pytest.mark.slow
def test_the_watchdog_replaces_a_frame_process_whose_disk_hangs(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(HANGING)
    (tmp_path / "edge.toml").write_text("watchdog_s = 1.5\n")
    command = [sys.executable, "-m", "edge.cli.main", "run", "--config", "edge.toml", "--state-dir", "state"]
    command += ["--source", "phantom://?seed=1&fps=20", "--runtime", "scripted://?distinct=1", "--sink", "jsonl://out"]
    path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path}
    with (tmp_path / "log").open("w") as log:
        daemon = subprocess.Popen(command, stderr=log, cwd=tmp_path, env=environment)
    try:
        out = tmp_path / "out"
        wait_until(lambda: out.exists() and numbers(out), 60)
        frame = next(c for c in psutil.Process(daemon.pid).children() if "edge.daemon.frame.process" in c.cmdline())
        (tmp_path / "hang").touch()
        wait_until(lambda: (tmp_path / "hung").exists(), 10)
        wait_until(lambda: not frame.is_running() or frame.status() == "zombie", 20)
        before = max(numbers(out))
        wait_until(lambda: max(numbers(out)) > before, 60)
        assert "edge.daemon.frame.process shows no sign of life" in (tmp_path / "log").read_text()
        heard = set(numbers(out))  # a publisher that died with it may have repeated some; what is live comes first
        assert heard == set(range(1, len(heard) + 1))
    finally:
        daemon.kill()
        daemon.wait()


def numbers(out: Path) -> list[int]:
    """The seq of each whole line of the JSON Lines file."""
    whole = out.read_bytes().rpartition(b"\n")[0]
    bodies = [json.loads(line)["payload"] for line in whole.splitlines()]
    return [body["seq"] for body in bodies if "seq" in body]
