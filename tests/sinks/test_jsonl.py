"""The file sink: whole lines or none, one writer, private, patient with a full disk."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sample_messages import outgoing

from edge.config.settings import SinkSettings
from edge.contracts.errors import ConfigError, SinkError, UsageError
from edge.sinks.jsonl import JsonlSink, require_unused, require_writable

if TYPE_CHECKING:
    from edge.contracts.ports import SinkIdentity


def make(path: Path, identity: SinkIdentity) -> JsonlSink:
    return JsonlSink(SinkSettings(uri=f"jsonl://{path}"), identity)


def test_lines_say_topic_and_payload_and_only_the_owner_reads_them(tmp_path: Path, identity: SinkIdentity) -> None:
    path = tmp_path / "a file?.jsonl"  # what a URI would cut off
    sink = JsonlSink(SinkSettings(uri=f"jsonl://{tmp_path}/a%20file%3F.jsonl"), identity)
    sink.open()
    sink.send(outgoing(1))
    assert sink.acked() == [1]
    sink.close(1)
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"topic": "edge/v1/site/cart/coverage/cart-1", "payload": {"seq": 1, "text": "x"}}
    ]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "file" not in sink.name


def test_it_appends_and_ends_a_torn_line_first(tmp_path: Path, identity: SinkIdentity) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(b'{"topic":"a","payload":{}}\n{"topic":"b","pay')
    sink = make(path, identity)
    sink.open()
    sink.send(outgoing(2))
    sink.close(1)
    lines = path.read_bytes().split(b"\n")
    assert [len(lines), lines[1], json.loads(lines[2])["payload"]["seq"], lines[3]] == [4, b'{"topic":"b","pay', 2, b""]
    assert sink.acked() == [2]  # what arrived with the last sync is still told


@pytest.mark.parametrize("uri", ["jsonl:///no/such/folder/out.jsonl", "jsonl:///", "jsonl://"])
def test_places_that_cannot_be_written(uri: str, identity: SinkIdentity) -> None:
    with pytest.raises(SinkError) as error:
        JsonlSink(SinkSettings(uri=uri), identity).open()
    assert error.value.hint


@pytest.mark.parametrize("kind", ["/dev/full", "/dev/null", "fifo"])
def test_what_is_no_regular_file_is_refused(kind: str, identity: SinkIdentity, tmp_path: Path) -> None:
    path = tmp_path / "fifo" if kind == "fifo" else Path(kind)
    if kind == "fifo":
        os.mkfifo(path)
    sink = make(path, identity)
    with pytest.raises(SinkError, match="is not a regular file") as error:
        sink.open()
    assert error.value.hint
    assert sink.session == 0
    sink.close(0.1)


@pytest.mark.parametrize("call", ["fstat", "pread", "ftruncate"])
def test_a_disk_that_fails_in_any_call_gives_the_messages_back(
    call: str, tmp_path: Path, identity: SinkIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = make(tmp_path / "out.jsonl", identity)
    sink.open()
    sink.send(outgoing(1))
    assert sink.acked() == [1]

    def fails(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fails)
        if call == "ftruncate":
            patch.setattr(os, "write", fails)
        sink.send(outgoing(2))
        assert sink.acked() == []
    assert sink.returned() == [2]
    assert sink.problems() == ["disk_error"]
    sink.close(1)


def test_parameters_are_not_known(identity: SinkIdentity) -> None:
    with pytest.raises(UsageError):
        JsonlSink(SinkSettings(uri="jsonl:///tmp/x?mode=1"), identity)


def test_two_writers_of_one_file_are_one_too_many(tmp_path: Path, identity: SinkIdentity) -> None:
    first, second = make(tmp_path / "out", identity), make(tmp_path / "out", identity)
    first.open()
    with pytest.raises(SinkError, match="another process"):
        second.open()
    first.close(1)
    second.open()
    second.close(1)


def test_what_another_process_writes_is_seen_without_a_trace(tmp_path: Path, identity: SinkIdentity) -> None:
    mine, theirs = (SinkSettings(uri=f"jsonl://{tmp_path}/{name}") for name in ("mine", "theirs"))
    sink = make(tmp_path / "theirs", identity)
    sink.open()
    with pytest.raises(SinkError, match="theirs is written by another process"):
        require_unused([mine, theirs])
    sink.close(1)
    require_unused([mine, theirs])
    require_unused([mine, theirs])  # it keeps no lock
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize(("kind", "there"), [("soft", True), ("soft", False), ("hard", True)])
def test_one_file_under_two_names_is_no_two_receivers(tmp_path: Path, kind: str, there: bool) -> None:
    if there:
        (tmp_path / "a").touch()
    if kind == "soft":
        (tmp_path / "b").symlink_to("a")
    else:
        (tmp_path / "b").hardlink_to(tmp_path / "a")
    with pytest.raises(ConfigError, match="two sinks"):
        require_unused(SinkSettings(uri=f"jsonl://{tmp_path}/{name}") for name in "ab")


@pytest.mark.parametrize(
    ("name", "why"), [("n" * 300, "too long"), ("loop", "symbolic links"), ("away", "No such"), ("a/b", "Not a dir")]
)
def test_a_file_that_could_not_be_opened_is_said_before_it_is(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "away").symlink_to("nowhere/at/all")
    (tmp_path / "there").symlink_to("new")
    (tmp_path / "a").touch()
    with pytest.raises(SinkError, match=why):
        require_writable(SinkSettings(uri=f"jsonl://{tmp_path}/{name}"))
    require_writable(SinkSettings(uri=f"jsonl://{tmp_path}/there"))
    assert not (tmp_path / "new").exists()


def test_a_full_disk_loses_nothing_and_leaves_no_torn_line(
    tmp_path: Path, identity: SinkIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.jsonl"
    sink = make(path, identity)
    sink.open()
    sink.send(outgoing(1))
    assert sink.acked() == [1]
    real_write = os.write

    def half(file: int, data: memoryview) -> int:
        if len(data) > 40:
            return real_write(file, data[:40])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", half)
        sink.send(outgoing(2))
        assert sink.acked() == []
        assert sink.returned() == [2]
        assert sink.problems() == ["disk_full"]
        assert not sink.send(outgoing(3))  # it rests a while
    assert len(path.read_bytes().splitlines()) == 1
    monkeypatch.setattr(sink, "_retry_at", 0.0)
    sink.send(outgoing(2))
    assert sink.acked() == [2]
    assert sink.problems() == []
    assert [json.loads(line)["payload"]["seq"] for line in path.read_text().splitlines()] == [1, 2]
    sink.close(1)


def test_what_is_collected_has_a_limit(tmp_path: Path, identity: SinkIdentity) -> None:
    sink = make(tmp_path / "out.jsonl", identity)
    sink.open()
    taken = 0
    while sink.send(outgoing(taken + 1, text="x" * 10_000)):
        taken += 1
    assert 50 < taken < 200
    assert len(sink.acked()) == taken
    assert sink.send(outgoing(taken + 1))
    sink.close(1)
