"""A watch asks a real publisher, over a real broker, for many holes at once, and gets them by one request."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from brokers import wait_until
from publisher_harness import REPORT, PublisherThread, make_job
from sample_messages import make_message

from edge.config.settings import RequestSettings, SinkSettings
from edge.fleet.fleet_overview import count_messages
from edge.fleet.fleet_watch import FleetWatch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from brokers import Mosquitto, Subscriber

pytestmark = [pytest.mark.broker, pytest.mark.slow]
MADE = 400


@pytest.fixture
def watch(broker: Mosquitto) -> Iterator[FleetWatch]:
    one = FleetWatch(SinkSettings(uri=broker.uri), whole=True)
    assert one.receive_until(lambda: one.states.settled, 30)
    feed, lost = one.overview.feed, set()

    def lose_every_second(topic: str, payload: bytes, **more: object) -> object:
        seq = json.loads(payload).get("seq", 0)
        if seq % 2 and seq not in lost:
            lost.add(seq)  # the first time
            return None
        return feed(topic, payload, **more)  # type: ignore[arg-type]

    one.overview.feed = lose_every_second  # type: ignore[method-assign,assignment]
    yield one
    one.close()


def start(folder: Path, broker: Mosquitto, enabled: bool) -> PublisherThread:
    requests = RequestSettings(enabled=enabled, commands=("findings/resend",))
    one = PublisherThread(make_job(folder, SinkSettings(uri=broker.uri), requests=requests)).start()
    one.frame_link.report(REPORT)
    wait_until(lambda: one.publisher.sinks[0].session, 30)
    for _ in range(MADE):
        one.frame_link.durable("coverage/a", make_message(device="cart", stream="a"))
    return one


def missing(watch: FleetWatch) -> int:
    return sum(count_messages(row.missing) for row in watch.overview.rows())


def test_two_hundred_holes_cost_few_requests(
    tmp_path: Path, broker: Mosquitto, subscriber: Subscriber, watch: FleetWatch
) -> None:
    publisher = start(tmp_path, broker, enabled=True)
    try:
        assert watch.receive_until(lambda: missing(watch) == MADE // 2, 60)
        # What has arrived is noted on the device: else some of it comes again with what was asked for.
        assert watch.receive_until(lambda: watch.overview.rows()[0].outbox == 0, 60)
        assert watch.request_until_done(60)
        (row,) = watch.overview.rows()
        assert missing(watch) == 0, row
        assert (row.takes_requests, row.notes, row.violations) == (True, [], 0)
        assert row.duplicates == 0, "nothing between the holes was sent"
        assert len(subscriber.on("request/findings/resend")) <= 4
        assert "ranges" in subscriber.on("request/findings/resend")[0].json["args"]
    finally:
        publisher.close()


def test_a_publisher_without_requests_is_said_to_have_none(
    tmp_path: Path, broker: Mosquitto, subscriber: Subscriber, watch: FleetWatch
) -> None:
    publisher = start(tmp_path, broker, enabled=False)
    try:
        assert watch.receive_until(lambda: missing(watch) == MADE // 2, 60)
        assert watch.request_until_done(60)
        (row,) = watch.overview.rows()
        assert row.takes_requests is False
        assert "requests off" in row.notes[0]
        assert not subscriber.on("request/findings/resend")
    finally:
        publisher.close()
