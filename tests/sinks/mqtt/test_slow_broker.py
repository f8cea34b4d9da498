"""What goes first, and what not at all, on a link that takes little: a broker that stands still for a while."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from brokers import wait_until
from sample_messages import outgoing

from edge.contracts.ports import Outgoing
from edge.sinks.mqtt.inflight import LIVE_QUEUE_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable

    from brokers import Mosquitto, Subscriber

    from edge.sinks.mqtt.sink import MqttSink

pytestmark = pytest.mark.broker


def wait_acked(sink: MqttSink, count: int) -> list[int]:
    acked: list[int] = []
    wait_until(lambda: len(acked.extend(sink.acked()) or acked) >= count)
    return acked


def test_on_a_slow_link_what_nobody_waits_for_is_sent_now_or_never(
    broker: Mosquitto, subscriber: Subscriber, make: Callable[..., MqttSink]
) -> None:
    sink = make(broker.uri, inflight=10)
    os.kill(broker.pid, signal.SIGSTOP)
    taken = [seq for seq in range(1, 11) if sink.send(outgoing(seq))]  # the window is full
    results = [sink.send(Outgoing("results/a", b"%d" % number, None, qos=0)) for number in range(200)]
    assert results == [True] * (LIVE_QUEUE_LIMIT + 1) + [False] * (199 - LIVE_QUEUE_LIMIT)
    assert sink.send(outgoing(11))  # a finding has room all the same
    os.kill(broker.pid, signal.SIGCONT)
    assert wait_acked(sink, 11) == [*taken, 11]
    wait_until(lambda: len(subscriber.heard) == 12 + LIVE_QUEUE_LIMIT)


def test_the_answer_to_resend_comes_behind_what_waits_of_its_lane_and_always_has_room(
    broker: Mosquitto, subscriber: Subscriber, make: Callable[..., MqttSink]
) -> None:
    sink = make(broker.uri, inflight=10)
    os.kill(broker.pid, signal.SIGSTOP)
    old = [seq for seq in range(1, 500) if sink.send(replace(outgoing(seq), late=True))]
    live = [seq for seq in range(500, 600) if sink.send(outgoing(seq))]
    assert sink.send(Outgoing("response/findings/resend", b"{}", None, qos=1, late=True))
    assert not sink.send(replace(outgoing(5), late=True))
    os.kill(broker.pid, signal.SIGCONT)
    assert sorted(wait_acked(sink, len(old) + len(live))) == old + live
    wait_until(lambda: len(subscriber.heard) == len(old) + len(live) + 1)
    assert subscriber.heard[-1].topic.endswith("response/findings/resend")
