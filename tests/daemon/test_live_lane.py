"""Which messages are live and which replayed: over a real broker, from a fresh state directory on."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from brokers import Subscriber, wait_until

from edge.outbox.reader import OutboxReader
from edge.outbox.schema import FILE_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from brokers import Mosquitto

pytestmark = [pytest.mark.broker, pytest.mark.slow]


class OneStreamDaemon:
    """The daemon as a user starts it, with one endless stream."""

    def __init__(self, folder: Path, sink: str, *, frames: str = "", state: str = "state") -> None:
        self.state_dir = folder / state
        source = f"phantom://?seed=1&fps=20{frames}"
        command = [sys.executable, "-m", "edge.cli.main", "run", "--source", source, "--state-dir", str(self.state_dir)]
        command += ["--runtime", "scripted://?distinct=1", "--sink", sink, "--site", "lab", "--device", "cart"]
        self.process = subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., OneStreamDaemon]]:
    """Starts daemons on one state directory, which end with the test."""
    started: list[OneStreamDaemon] = []

    def start(sink: str, **options: str) -> OneStreamDaemon:
        started.append(OneStreamDaemon(tmp_path, sink, **options))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def durable(subscriber: Subscriber) -> list[dict[str, Any]]:
    """Bodies of all durable messages that ``subscriber`` has heard, in order."""
    kinds = ("/findings/phantom-1", "/coverage/phantom-1")
    return [heard.json for heard in list(subscriber.heard) if heard.topic.endswith(kinds)]


def test_on_a_fresh_device_nothing_is_replayed(
    broker: Mosquitto, subscriber: Subscriber, run: Callable[..., OneStreamDaemon]
) -> None:
    run(broker.uri)
    messages = wait_until(lambda: len(durable(subscriber)) >= 5 and durable(subscriber), 60)
    assert [body["seq"] for body in messages[:5]] == [1, 2, 3, 4, 5]
    assert not any(body["replayed"] for body in messages)


def test_a_run_of_a_few_frames_is_live_from_its_first_message_and_so_is_the_next_run(
    broker: Mosquitto, subscriber: Subscriber, run: Callable[..., OneStreamDaemon]
) -> None:
    for attempt in range(3):  # on a busy machine the connection may stand after the first frame: then that is replayed
        subscriber.heard.clear()
        for _ in range(2):
            daemon = run(broker.uri, frames="&frames=10", state=f"state-{attempt}")
            assert daemon.process.wait(60) == 0
        messages = durable(subscriber)
        assert sorted({body["seq"] for body in messages}) == list(range(1, max(body["seq"] for body in messages) + 1))
        if not any(body["replayed"] for body in messages):
            assert [body["seq"] for body in messages] == list(range(1, len(messages) + 1))
            break
    else:
        pytest.fail(f"replayed in each of three attempts: {[body['seq'] for body in messages if body['replayed']]}")
    long = {text for heard in subscriber.heard for text in re.findall(rb"[:,\[]-?\d+\.\d{7,}", heard.body)}
    assert not long  # no number on the wire has more digits than mean something


def test_with_a_broker_that_comes_late_live_begins_with_the_connection(
    mosquitto: Callable[..., Mosquitto], run: Callable[..., OneStreamDaemon]
) -> None:
    broker = mosquitto()
    broker.kill()
    daemon = run(broker.uri)
    path = daemon.state_dir / FILE_NAME

    def stored() -> int:
        if not path.exists():
            return 0
        outbox = OutboxReader(path, readonly=True)
        try:
            return outbox.next_seq() - 1
        finally:
            outbox.close()

    wait_until(lambda: stored() >= 5, 60)
    made = stored()
    broker.start()
    subscriber = Subscriber(broker.port)  # it may miss the first, but not what a lane is
    wait_until(lambda: sum(not body["replayed"] for body in durable(subscriber)) >= 5, 60)
    messages = durable(subscriber)
    subscriber.close()
    live = [body["seq"] for body in messages if not body["replayed"]]
    replayed = [body["seq"] for body in messages if body["replayed"]]
    assert live == sorted(live)
    assert live[0] > made  # what was stored before there was a broker is never live
    assert all(seq < live[0] for seq in replayed)
    assert live[-1] - live[0] == len(live) - 1  # and of what is live nothing was taken for a backlog
