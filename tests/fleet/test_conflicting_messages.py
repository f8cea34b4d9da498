"""Two messages under one number: repeats are told from others by a hash of their content."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from edge.fleet.content_hashes import PAGE, PAGES, ContentHashes
from edge.fleet.ledger import Arrival
from edge.schema import examples

if TYPE_CHECKING:
    from device_messages import DeviceMessages


def test_another_message_under_the_same_number_is_conflicting(device: DeviceMessages) -> None:
    assert device.finding(1, malignancy=0.1) is Arrival.NEW
    assert device.finding(1, malignancy=0.9) is Arrival.CONFLICTING
    assert device.finding(1, malignancy=0.9, replayed=True) is Arrival.CONFLICTING
    assert device.coverage(1) is Arrival.CONFLICTING
    assert device.finding(1, malignancy=0.1, stream="left") is Arrival.CONFLICTING
    assert device.finding(1, malignancy=0.1, replayed=True) is Arrival.DUPLICATE, "the first one counts"
    one = device.device_ledger
    assert (one.conflicting, one.duplicates, one.uncompared, one.received("epoch-a")) == (4, 1, 0, 1)
    device.epoch = "epoch-b"
    assert device.finding(1, malignancy=0.9) is Arrival.NEW


def test_a_repeat_may_be_written_otherwise(device: DeviceMessages) -> None:
    """By a bridge that takes it apart: other white space, other order, ``replayed`` there or not."""
    fields: dict[str, Any] = msgspec.to_builtins(examples.finding()) | {"device": "cart-7", "stream": "a"}
    del fields["replayed"]
    written = [
        json.dumps(fields),
        json.dumps(fields | {"replayed": True}, indent=2),
        json.dumps(fields | {"replayed": False}, sort_keys=True),
        json.dumps(dict(reversed(fields.items())), separators=(",", ":")),
    ]
    verdicts = [device.ledger.feed("edge/v1/clinic-a/cart-7/findings/a", text.encode()) for text in written]
    assert verdicts == [Arrival.NEW, *[Arrival.DUPLICATE] * 3]


def test_numbers_that_cannot_be_written_again_are_compared_as_they_are(device: DeviceMessages) -> None:
    fields = msgspec.json.encode(msgspec.structs.replace(examples.finding(), device="cart-7", stream="a"))
    long = fields[:-1] + b',"more":' + b"9" * 100 + b"}"
    topic = "edge/v1/clinic-a/cart-7/findings/a"
    verdicts = [device.ledger.feed(topic, body) for body in (long, long, fields)]
    assert verdicts == [Arrival.NEW, Arrival.DUPLICATE, Arrival.CONFLICTING]


@given(st.lists(st.tuples(st.integers(1, 2 * PAGE), st.binary(max_size=3)), max_size=40))
def test_hashes_are_those_of_the_last_content(put: list[tuple[int, bytes]]) -> None:
    hashes, expected = ContentHashes(), dict(put)
    for seq, content in put:
        hashes.put("e", seq, content)
    for seq, content in expected.items():
        assert hashes.matches("e", seq, content) is True
        assert hashes.matches("e", seq, content + b"x") is False
        assert hashes.matches("f", seq, content) is None
    assert hashes.matches("e", 2 * PAGE + 1, b"") is None


def test_the_newest_are_kept_and_older_ones_are_said_to_be_uncompared(device: DeviceMessages) -> None:
    hashes = ContentHashes()
    for seq in range(1, PAGE * (PAGES + 3)):
        hashes.put("e", seq, b"%d" % seq)
    kept = [seq for seq in range(1, PAGE * (PAGES + 3)) if hashes.matches("e", seq, b"%d" % seq)]
    assert kept == list(range(3 * PAGE, PAGE * (PAGES + 3)))
    assert len(hashes._pages) == PAGES

    device.finding(1)
    device.device_ledger._hashes = ContentHashes()
    assert device.finding(1, malignancy=0.9) is Arrival.DUPLICATE
    assert (device.device_ledger.duplicates, device.device_ledger.uncompared) == (1, 1)
