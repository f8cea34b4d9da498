"""``edge-cli outbox``: beside a running daemon and without one, on good files, missing and damaged ones."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING, Any

import pytest
from brokers import wait_until
from sample_messages import make_message

from edge.app.state_dir import locked_state_dir
from edge.cli.main import run
from edge.outbox.reader import OutboxReader
from edge.outbox.schema import FILE_NAME
from edge.outbox.writer import OutboxWriter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from publisher_harness import PublisherThread

    Capture = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten messages: 1-4 delivered, 5 and 6 gone, the rest pending. No daemon."""
    folder = tmp_path / "a #?%20 folder"
    writer = OutboxWriter(folder / FILE_NAME, lambda: None)
    for _ in range(10):
        writer.put("coverage/cart-1", make_message())
    assert writer.close(10)
    outbox = OutboxReader(folder / FILE_NAME)
    outbox.delivered("a", [1, 2, 3, 4], ["a"])
    outbox._db.execute("DELETE FROM entries WHERE seq IN (5, 6)")
    outbox._db.execute("INSERT INTO expired VALUES (5, 6)")
    outbox.close()
    return folder


def call(*args: Any) -> int:
    return run(["outbox", *map(str, args)])


def status(folder: Path, capsys: Capture) -> dict[str, Any]:
    capsys.readouterr()
    assert call("status", "--state-dir", folder, "--json") == 0
    facts: dict[str, Any] = json.loads(capsys.readouterr().out)
    return facts


def test_status_tells_all_numbers_as_json_and_as_a_table(folder: Path, capsys: Capture) -> None:
    facts = status(folder, capsys)
    assert facts["bytes"] > 1000
    assert (facts["next_seq"], facts["oldest_kept"], facts["pending"], facts["acked"]) == (11, 1, 4, 4)
    assert (facts["expired"], facts["set_aside"], facts["file"]) == ([[5, 6]], [], FILE_NAME)
    assert call("status", "--state-dir", folder) == 0
    table = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines())
    assert table["epoch"].strip() == facts["epoch"]
    assert (table["expired"].strip(), table["set aside"].strip()) == ("5-6", "none")


def test_looking_changes_nothing(folder: Path, capsys: Capture) -> None:
    before = (folder / FILE_NAME).read_bytes()
    status(folder, capsys)
    assert call("export", "--state-dir", folder) == 0
    assert (folder / FILE_NAME).read_bytes() == before


def test_resend_without_a_daemon_makes_messages_pending_and_tells_what_is_gone(folder: Path, capsys: Capture) -> None:
    epoch = status(folder, capsys)["epoch"]
    assert call("resend", "--state-dir", folder, "--epoch", epoch, "--from", 2, "--to", 7) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("messages to be sent again: 4\n", "not kept any more: 2 (5-6)\n")
    assert status(folder, capsys)["pending"] == 7


def test_resend_of_another_epoch_or_an_empty_range_is_refused(folder: Path, capsys: Capture) -> None:
    epoch = status(folder, capsys)["epoch"]
    assert call("resend", "--state-dir", folder, "--epoch", "x", "--from", 1, "--to", 2) == 5
    assert "is of epoch x" in capsys.readouterr().err
    assert call("resend", "--state-dir", folder, "--epoch", epoch, "--from", 3, "--to", 2) == 2
    assert call("resend", "--state-dir", folder, "--epoch", epoch, "--from", 0, "--to", 2) == 2
    assert status(folder, capsys)["pending"] == 4


def test_a_running_daemon_begins_at_once_and_is_not_disturbed_by_looking(
    make_publisher: Callable[..., PublisherThread], tmp_path: Path, capsys: Capture
) -> None:
    one = make_publisher("memory://one", "memory://two")
    one.start()
    for _ in range(20):
        one.frame_link.durable("coverage/cart-1", make_message())
    wait_until(lambda: all(len(one.bodies("coverage/cart-1", i)) == 20 for i in (0, 1)))
    wait_until(lambda: status(tmp_path / "state", capsys)["pending"] == 0)
    epoch = status(tmp_path / "state", capsys)["epoch"]
    for low, high in ((11, 12), (3, 4)):  # shortly after each other, the lower last
        assert call("resend", "--state-dir", tmp_path / "state", "--epoch", epoch, "--from", low, "--to", high) == 0
    wait_until(lambda: all(len(one.bodies("coverage/cart-1", i)) >= 24 for i in (0, 1)))
    again = one.bodies("coverage/cart-1")[20:]
    assert {body["seq"] for body in again} == {3, 4, 11, 12}
    assert all(body["replayed"] for body in again)
    one.frame_link.durable("coverage/cart-1", make_message())
    wait_until(lambda: one.bodies("coverage/cart-1")[-1]["seq"] == 21)


def test_export_writes_every_message_as_it_was_stored(folder: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "out.jsonl"
    assert call("export", "--state-dir", folder, "--out", out, "--from", 2, "--to", 8) == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(line["seq"], line["state"]) for line in lines] == [
        (2, "acked"), (3, "acked"), (4, "acked"), (7, "pending"), (8, "pending"),
    ]  # fmt: skip
    assert all(line["payload"]["seq"] == line["seq"] and line["suffix"] == "coverage/cart-1" for line in lines)
    assert call("export", "--state-dir", folder, "--out", out) == 5  # it exists
    capsys.readouterr()
    assert call("export", "--state-dir", folder, "--pending") == 0
    assert [json.loads(line)["seq"] for line in capsys.readouterr().out.splitlines()] == [7, 8, 9, 10]


def test_a_file_set_aside_is_listed_and_can_be_exported_by_its_epoch(folder: Path, capsys: Capture) -> None:
    old = status(folder, capsys)["epoch"]
    writer = OutboxWriter(folder / "outbox-2.sqlite3", lambda: None)
    writer.put("coverage/cart-1", make_message())
    assert writer.close(10)
    now = status(folder, capsys)
    assert (now["set_aside"], now["file"], now["pending"]) == ([FILE_NAME], "outbox-2.sqlite3", 1)
    assert call("export", "--state-dir", folder, "--epoch", old, "--pending") == 0
    assert len(capsys.readouterr().out.splitlines()) == 4
    assert call("export", "--state-dir", folder, "--epoch", "none-such") == 5


@pytest.mark.parametrize("damage", ["no folder", "no file", "garbage", "empty"])
def test_what_cannot_be_read_is_two_lines_and_code_5(tmp_path: Path, capsys: Capture, damage: str) -> None:
    folder = tmp_path / "s"
    if damage != "no folder":
        folder.mkdir()
    if damage in ("garbage", "empty"):
        (folder / FILE_NAME).write_bytes(b"garbage" * 1000 if damage == "garbage" else b"")
    assert call("status", "--state-dir", folder) == 5
    assert [line.partition(":")[0] for line in capsys.readouterr().err.splitlines()] == ["error", "hint"]


def test_purge_deletes_everything_begins_a_new_epoch_and_does_not_run_beside_a_daemon(
    folder: Path, capsys: Capture
) -> None:
    old = status(folder, capsys)["epoch"]
    (folder / "outbox-2.sqlite3").write_bytes(b"damaged, with findings in it")
    (folder / "outbox.sqlite3.damaged").touch()
    (folder / "telemetry.sqlite3").write_bytes(b"health")
    (folder / "stopped.json").write_text("{}")
    assert call("purge", "--state-dir", folder) == 2  # nobody is there to be asked
    with locked_state_dir(folder):
        assert call("purge", "--state-dir", folder, "--yes") == 5
    assert "in use by another daemon" in capsys.readouterr().err
    assert call("purge", "--state-dir", folder, "--yes") == 0
    assert "new epoch" in capsys.readouterr().out
    facts = status(folder, capsys)
    assert facts["epoch"] != old
    assert (facts["pending"], facts["acked"], facts["next_seq"], facts["set_aside"]) == (0, 0, 1, [])
    left = {path.name.split("-")[0] for path in folder.iterdir()}
    assert left == {FILE_NAME, f"{FILE_NAME}.mark", "lock", "stopped.json"}
    assert call("purge", "--state-dir", folder.with_name("nothing"), "--yes") == 5
    assert not folder.with_name("nothing").exists()
