"""`kill -9` of the outbox writer, again and again, during a delivery: every committed message arrives."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from brokers import wait_until

from edge.config.settings import SinkSettings
from edge.contracts.ports import SinkIdentity
from edge.contracts.topics import Topics
from edge.daemon.publisher.delivery import Delivery
from edge.outbox.reader import OutboxReader
from edge.outbox.schema import FILE_NAME
from edge.sinks.memory import MemorySink

ROUNDS = 15
WRITER = """
import sys, time
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from edge.outbox.writer import OutboxWriter
from sample_messages import make_message
writer = OutboxWriter(Path(sys.argv[1]), lambda: None)
number = 0
while True:
    number += 1
    writer.put("coverage/cart-1", make_message(exam_id=f"{sys.argv[3]}-{number}"))
    time.sleep(0.002)  # SQLite's lock is not fair: who never pauses, on one core, may keep another from it for seconds
"""


@pytest.mark.slow
def test_no_number_is_given_twice_and_every_committed_message_arrives(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    sink = MemorySink(SinkSettings(uri="memory://desk"), SinkIdentity(Topics("s", "d"), "run", b"{}"))
    sink.open()
    delivery = Delivery(sink, [sink.name])
    outbox: OutboxReader | None = None
    reached = 0
    for round_ in range(ROUNDS):
        command = [sys.executable, "-c", WRITER, path, str(Path(__file__).parents[1]), str(round_)]
        process = subprocess.Popen(command)
        try:
            if outbox is None:
                wait_until(path.exists)
                outbox = OutboxReader(path)

            def further(outbox: OutboxReader = outbox, least: int = reached + 20 + 7 * round_) -> bool:
                delivery.work(outbox)
                return outbox.next_seq() > least

            wait_until(further)
        finally:
            process.kill()
            process.wait()
        if round_ % 3 == 0:  # the reader goes too, now and then
            delivery.work(outbox)
            outbox.close()
            outbox = OutboxReader(path)
            delivery.reset()
        reached = outbox.next_seq() - 1

    def drained() -> bool:
        delivery.work(outbox)
        return delivery.idle(outbox)

    wait_until(drained)
    said: dict[tuple[str, int], set[str]] = {}
    for message in sink.received:
        body = json.loads(message.body)
        said.setdefault((body["epoch"], body["seq"]), set()).add(body["exam_id"])
    assert all(len(texts) == 1 for texts in said.values())  # one number, one message
    assert {epoch for epoch, _ in said} == {outbox.state().epoch}
    assert sorted(seq for _, seq in said) == list(range(1, reached + 1))
    assert {next(iter(texts)).partition("-")[0] for texts in said.values()} == {str(i) for i in range(ROUNDS)}
    outbox.close()
