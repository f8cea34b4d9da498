"""Damaged bundles (truncated, bit flips, noise): each is read, or refused with a ModelError; nothing else is raised."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.contracts.errors import ModelError
from edge.models.bundle import load_bundle
from edge.models.bundle_file import split_bundle
from edge.models.graph import read_graph

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

QUICK = settings(
    max_examples=250,
    deadline=None,
    derandomize=True,
)


def hint_of(call: Callable[[Any], object], argument: Any) -> str | None:
    """The hint of the ModelError that ``call`` raises; None if it raises none. Anything else comes through."""
    try:
        call(argument)
    except ModelError as error:
        return error.hint
    return None


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("damage") / "model.tflite"


@QUICK
@given(data=st.data())
def test_truncation_is_always_noticed(weightless_bytes: bytes, place: Path, data):
    place.write_bytes(weightless_bytes[: data.draw(st.integers(0, len(weightless_bytes) - 1))])
    with pytest.raises(ModelError):
        load_bundle(place)


@pytest.mark.slow
@QUICK
@given(data=st.data())
def test_bit_flips_never_raise_anything_else(weightless_bytes: bytes, place: Path, data):
    body = bytearray(weightless_bytes)
    flips = data.draw(st.lists(st.tuples(st.integers(0, len(body) - 1), st.integers(0, 7)), min_size=1, max_size=8))
    for at, bit in flips:
        body[at] ^= 1 << bit
    place.write_bytes(body)
    hint = hint_of(load_bundle, place)
    assert hint != ""
    if hint is None:  # only what has no meaning may change unnoticed: a ZIP's times and attributes
        assert all(at >= len(split_bundle(weightless_bytes).graph) for at, bit in flips if flips.count((at, bit)) % 2)


@QUICK
@given(data=st.data())
def test_a_damaged_flatbuffer_is_read_or_refused(weightless_bytes: bytes, data):
    body = bytearray(split_bundle(weightless_bytes).graph)
    head = data.draw(st.booleans())  # most of what is followed stands near the beginning
    last = 400 if head else len(body) - 1
    for at, value in data.draw(st.lists(st.tuples(st.integers(0, last), st.integers(0, 255)), min_size=1, max_size=6)):
        body[at] = value
    assert hint_of(read_graph, bytes(body)) != ""


@QUICK
@given(body=st.binary(max_size=400))
def test_noise_behind_the_identifier(body):
    assert hint_of(read_graph, b"\x10\0\0\0TFL3" + body) != ""


def test_every_bit_of_the_weights_counts(shipped_bytes, tmp_path):
    """A flip in a weight changes no structure; the graph's hash sees it."""
    body = bytearray(shipped_bytes)
    body[len(split_bundle(shipped_bytes).graph) // 2] ^= 1
    path = tmp_path / "m.tflite"
    path.write_bytes(body)
    with pytest.raises(ModelError, match="not those that the manifest was written for"):
        load_bundle(path)
