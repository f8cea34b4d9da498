"""Frame link: nothing blocks, durable messages are on disk, all else is sent now or never."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import msgspec
import pytest
from brokers import wait_until
from hostile_bytes import HOSTILE
from sample_messages import make_message

from edge.app.frame_link import (
    MAX_PACKET,
    MemoryFrameLink,
    OutboxChanged,
    OutboxFrameLink,
    UnstoredMessage,
    decode,
    encode_report,
    encode_unstored,
)
from edge.contracts.coverage import Coverage
from edge.contracts.decoding import UnreadableError
from edge.contracts.frame_report import FrameReport
from edge.contracts.health import FrameNumbers
from edge.contracts.ports import FrameLink
from edge.daemon.publisher.frame_link_reader import FrameLinkReader
from edge.outbox.reader import OutboxReader
from edge.outbox.schema import FILE_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The two ends of the socket pair between frame process and publisher."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        yield ours, theirs


@pytest.mark.parametrize("kind", ["outbox", "memory"])
def test_every_frame_link_numbers_durable_messages_and_may_be_closed_twice(
    kind: str, pair: tuple[socket.socket, socket.socket], tmp_path: Path
) -> None:
    frame_link: OutboxFrameLink | MemoryFrameLink
    frame_link = OutboxFrameLink(tmp_path, pair[0]) if kind == "outbox" else MemoryFrameLink()
    assert isinstance(frame_link, FrameLink)
    for _ in range(3):
        frame_link.durable("coverage/cart-1", make_message())
    frame_link.latest("results/cart-1", make_message())
    frame_link.report(FrameReport(version="1"))
    frame_link.close(5)
    frame_link.close(5)
    if isinstance(frame_link, MemoryFrameLink):
        assert [message.seq for _, message in frame_link.stored] == [1, 2, 3]
        assert {message.epoch for _, message in frame_link.stored} == {frame_link.epoch}
        assert (len(frame_link.sent), len(frame_link.reports), frame_link.closed) == (1, 1, True)
    else:
        outbox = OutboxReader(tmp_path / FILE_NAME)
        assert [row.seq for row in outbox.pending("a", 0, 99, 99)] == [1, 2, 3]
        outbox.close()


def test_the_publisher_is_woken_when_messages_are_on_disk(
    pair: tuple[socket.socket, socket.socket], tmp_path: Path
) -> None:
    frame_link = OutboxFrameLink(tmp_path, pair[0])
    pair[1].settimeout(10)
    assert decode(pair[1].recv(MAX_PACKET)) == OutboxChanged()  # the file is there
    frame_link.durable("coverage/cart-1", make_message())
    assert decode(pair[1].recv(MAX_PACKET)) == OutboxChanged()
    outbox = OutboxReader(tmp_path / FILE_NAME)
    assert outbox.next_seq() == 2
    outbox.close()
    frame_link.close(5)


def test_messages_and_reports_come_through_the_socket_as_they_were(
    pair: tuple[socket.socket, socket.socket], tmp_path: Path
) -> None:
    report = FrameReport(version="1.2", reasons=["runtime_hung"], numbers=FrameNumbers(fps=3.5, dropped=4))
    assert decode(encode_report(report)) == report
    message = make_message(exam_id="line\nbreak")
    said = decode(encode_unstored("results/cart-1", message))
    assert isinstance(said, UnstoredMessage)
    assert said.suffix == "results/cart-1"
    assert msgspec.json.decode(said.body, type=Coverage) == message


@pytest.mark.parametrize("packet", [b"", b"x", b"m", b"mwithout line", b"ww"])
def test_other_packets_are_an_error(packet: bytes) -> None:
    with pytest.raises(UnreadableError, match="packet"):
        decode(packet)


@pytest.mark.parametrize("suffix", [b"", b"results/\xff", b"results/+", b"#", b"results/\0", b"results/\x1b[2J"])
def test_a_packet_for_what_is_no_topic_is_an_error(suffix: bytes) -> None:
    """MQTT clients raise at such a topic: it would end the publisher."""
    with pytest.raises(UnreadableError):
        decode(b"m" + suffix + b"\n{}")


@pytest.mark.parametrize("kind", [b"r", b"d", b"m"])
def test_what_the_frame_process_says_wrongly_does_not_end_the_publisher(
    kind: bytes, pair: tuple[socket.socket, socket.socket]
) -> None:
    reader = FrameLinkReader(pair[0])
    heard: list[object] = []
    bodies = [body for body in HOSTILE.values() if len(body) < 100_000]
    for read in (reader.read, reader.discard_stale):
        for body in bodies:
            pair[1].send(kind + body)
        pair[1].send(encode_report(FrameReport(version="1")))
        read(heard.append)
    assert [said for said in heard if isinstance(said, FrameReport)] == [FrameReport(version="1")] * 2


def test_a_publisher_that_is_away_costs_nothing_but_what_was_meant_for_now(
    pair: tuple[socket.socket, socket.socket], tmp_path: Path
) -> None:
    frame_link = OutboxFrameLink(tmp_path, pair[0])
    done = threading.Event()

    def flood() -> None:
        for _ in range(3000):
            frame_link.latest("results/cart-1", make_message(exam_id="x" * 1000))
            frame_link.durable("coverage/cart-1", make_message())
        done.set()

    threading.Thread(target=flood).start()
    assert done.wait(30)
    frame_link.close(20)
    outbox = OutboxReader(tmp_path / FILE_NAME)
    assert outbox.next_seq() == 3001
    outbox.close()


def test_problems_of_the_outbox_are_reported(pair: tuple[socket.socket, socket.socket], tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"no outbox")
    frame_link = OutboxFrameLink(tmp_path, pair[0])
    wait_until(lambda: frame_link._writer.problems())
    pair[1].settimeout(10)
    while not isinstance(said := decode(pair[1].recv(MAX_PACKET)), FrameReport):
        frame_link.report(FrameReport(version="1", reasons=["runtime_hung"]))
    assert said.reasons == ["runtime_hung", "outbox_set_aside"]
    frame_link.close(5)
