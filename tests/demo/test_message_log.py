"""Every message is described with its meaning; many of a kind are counted."""

from __future__ import annotations

import msgspec
from demo_messages import DEVICE, OFFLINE, ONLINE, WHOLE, finding, received

from edge.contracts.state import Will
from edge.demo.message_log import END_REASONS, SHOWN, describe_message, message_rows
from edge.demo.summary import missing_parts, summarise
from edge.schema import examples


def test_every_kind_of_message_is_described_with_its_meaning():
    will = Will(device=DEVICE, run_id="run")
    for message in (*WHOLE, will, examples.result(), msgspec.structs.replace(ONLINE, status="degraded")):
        kind, what, meaning = describe_message(message)
        assert kind
        assert what
        assert len(meaning) > 10
        assert "healthy" not in what + meaning
    for reason in END_REASONS:
        assert END_REASONS[reason] in describe_message(finding(1, lifecycle="end", end_reason=reason))[2]
    assert "clean goodbye" in describe_message(OFFLINE)[2]
    assert "broker says it" in describe_message(will)[2]
    assert "before: 30 frames of finding" in describe_message(WHOLE[5])[1]
    starting = msgspec.structs.replace(ONLINE, status="degraded", reasons=["starting"])
    assert "loads its model" in describe_message(starting)[2]
    assert (
        missing_parts(summarise(received(starting, *WHOLE[1:]), DEVICE)) == []
    )  # through before it was ready to say so


def test_the_log_counts_what_it_does_not_show():
    many = [finding(n, frame=n, lifecycle="update") for n in range(1, 20)]
    shown = message_rows(received(*many, *WHOLE), DEVICE)
    updates = [row for row in shown if row.what.startswith("update")]
    assert len(updates) == SHOWN["update"]
    assert f"and {19 - SHOWN['update']} more (update)" in [row.what for row in shown]
    assert message_rows(received(*WHOLE), "nobody") == []
