"""MQTT topics, and the names of sites, devices and streams in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.contracts import topics
from edge.contracts.names import is_name, to_name

NAMES = st.text("abyz019-", min_size=1, max_size=32)


def test_topics_are_spelled_as_the_contract_has_them() -> None:
    own = topics.Topics(site="clinic-a", device="cart-7")
    assert own.prefix == "edge/v1/clinic-a/cart-7"
    assert own.full(topics.STATE) == "edge/v1/clinic-a/cart-7/state"
    assert own.full(topics.HEALTH) == "edge/v1/clinic-a/cart-7/health"
    assert own.full(topics.findings("s")) == "edge/v1/clinic-a/cart-7/findings/s"
    assert own.full(topics.coverage("s")) == "edge/v1/clinic-a/cart-7/coverage/s"
    assert own.full(topics.results("s")) == "edge/v1/clinic-a/cart-7/results/s"
    assert own.client_id == "clinic-a/cart-7"
    assert topics.Topics(site="a", device="b", root="x").prefix == "x/a/b"


@given(NAMES, NAMES, NAMES)
def test_names_can_be_read_back_from_a_topic_and_hold_no_wildcard(site: str, device: str, stream: str) -> None:
    topic = topics.Topics(site=site, device=device).full(topics.findings(stream))
    assert topic.split("/") == ["edge", "v1", site, device, "findings", stream]
    assert not set("+#$\0 ") & set(topic)


@pytest.mark.parametrize("name", ["a", "-", "0", "cart-7", "x" * 32])
def test_names(name: str) -> None:
    assert is_name(name)
    assert to_name(name, "d") == (name.strip("-") or "d")


@pytest.mark.parametrize("name", ["", "A", "a b", "a/b", "a+b", "#", "ä", "a\n", "\na", "x" * 33, "a_b", "a.b", "٣"])
def test_what_is_no_name(name: str) -> None:
    assert not is_name(name)


@given(st.text(max_size=80))
def test_any_text_becomes_a_name(text: str) -> None:
    name = to_name(text, "default")
    assert is_name(name)
    assert to_name(name, "default") == name
