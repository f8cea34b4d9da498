"""The demo's subscriber keeps what comes, and notes what does not keep to the contract."""

from __future__ import annotations

import msgspec
import pytest
from demo_messages import ONLINE, finding

from edge.contracts.errors import SinkError
from edge.contracts.finding import Finding
from edge.contracts.state import Will
from edge.demo.subscriber import DemoSubscriber, decode


@pytest.mark.broker
def test_the_subscriber_keeps_what_comes_and_notes_what_is_invalid(broker, subscriber):
    own = DemoSubscriber("127.0.0.1", broker.port, "clinic-a")
    try:
        subscriber.publish("edge/v1/clinic-a/cart-7/state", msgspec.json.encode(ONLINE), retain=True)
        subscriber.publish("edge/v1/clinic-b/cart-7/state", msgspec.json.encode(ONLINE))
        subscriber.publish("edge/v1/clinic-a/cart-7/findings/s", b'{"schema": "finding/1"}')
        subscriber.publish("edge/v1/clinic-a/cart-7/findings/s", msgspec.json.encode(finding(1)))
        assert own.wait_for(lambda each: isinstance(each.message, Finding), 5)
        first, second = own.received()
        assert (first.number, first.device, first.suffix, first.message) == (1, "cart-7", "state", ONLINE)
        assert (second.suffix, second.message) == ("findings/s", finding(1))
        assert own.invalid_topics == ["edge/v1/clinic-a/cart-7/findings/s"]
        assert not own.wait_for(lambda each: isinstance(each.message, Will), 0.1)
    finally:
        own.close()
        own.close()


def test_no_broker_is_said():
    with pytest.raises(SinkError, match="does not answer"):
        DemoSubscriber("127.0.0.1", 1, "clinic-a")


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"schema": "other/1"}', b'{"schema": "health/1"}', b"\xff"])
def test_what_is_no_message_of_ours_is_refused(body):
    with pytest.raises((msgspec.MsgspecError, KeyError)):
        decode(body)
