"""What the tests of sinks and outbox share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from brokers import wait_until

from edge.config.settings import SinkSettings
from edge.contracts.ports import SinkIdentity
from edge.contracts.topics import Topics
from edge.sinks.mqtt.sink import MqttSink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def identity() -> SinkIdentity:
    will = b'{"device":"cart","run_id":"run","status":"offline","reasons":["connection_lost"]}'
    return SinkIdentity(Topics("site", "cart"), "run", will)


@pytest.fixture
def make(identity: SinkIdentity) -> Iterator[Callable[..., MqttSink]]:
    """Makes and opens sinks, which end with the test."""
    made: list[MqttSink] = []

    def one(uri: str, wait: bool = True, **settings: Any) -> MqttSink:
        sink = MqttSink(SinkSettings(uri=uri, **settings), identity)
        made.append(sink)
        sink.open()
        if wait:
            wait_until(lambda: sink.session)
        return sink

    yield one
    for sink in made:
        sink.close(0.2)
        sink._reconnector.join(10)
