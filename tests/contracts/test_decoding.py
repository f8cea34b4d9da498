"""Decoding of foreign bytes: one kind of error for everything that is wrong, and no other way to decode in the tree."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hostile_bytes import HOSTILE, hostile_bytes
from hypothesis import given

import edge
from edge.contracts.decoding import UnreadableError, convert_value, decode_json, decode_text, decode_topic
from edge.contracts.finding import Finding
from edge.contracts.request import Request
from edge.contracts.state import State
from edge.schema import examples

HELPER = "contracts/decoding.py"


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("kind", [Finding, State, Request])
def test_whatever_is_wrong_is_one_kind_of_error(body: bytes, kind: type[Any]) -> None:
    with pytest.raises(UnreadableError) as caught:
        decode_json(body, kind)
    assert str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) <= 200


@given(hostile_bytes())
def test_nothing_else_is_ever_raised(body: bytes) -> None:
    for kind in (Finding, State, Request, dict, object):
        try:
            value = decode_json(body, kind)
        except UnreadableError:
            continue
        assert isinstance(value, kind)


def test_a_true_message_is_what_it_was() -> None:
    body = msgspec.json.encode(examples.finding())
    assert decode_json(body, Finding) == examples.finding()
    assert decode_json(body.decode(), Finding) == examples.finding()
    assert decode_json(memoryview(body), Finding, limit=len(body)) == examples.finding()
    with pytest.raises(UnreadableError, match=r"^\d+ bytes, more than \d+$"):
        decode_json(body, Finding, limit=len(body) - 1)


def test_text_from_the_environment_that_was_not_utf8_is_unreadable() -> None:
    with pytest.raises(UnreadableError):
        decode_json(b'"\xff"'.decode("utf-8", "surrogateescape"), object)


@pytest.mark.parametrize("value", [None, [], {}, {"id": ""}, {"id": 1.0}, {"id": "1", "args": []}])
def test_values_of_another_shape_are_unreadable(value: object) -> None:
    with pytest.raises(UnreadableError):
        convert_value(value, Request)


@pytest.mark.parametrize(
    "topic",
    [b"", b"\xff", b"a/\xed\xa0\x80", b"a/\0", b"a\nb", b"a/\x1b[2J", b"a/+", b"#", "a/\ufffe".encode(), b"\x7f"],
)
def test_what_is_no_topic(topic: bytes) -> None:
    with pytest.raises(UnreadableError):
        decode_topic(topic)


def test_topics_and_texts_are_utf8() -> None:
    assert decode_topic("edge/v1/straße/ü".encode()) == "edge/v1/straße/ü"
    assert decode_text("ü\n".encode()) == "ü\n"
    with pytest.raises(UnreadableError):
        decode_text(b"\xc3")


def direct_decodings(source: str) -> list[int]:
    """Lines of Python ``source`` that decode JSON without the helper."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        owner = ast.unparse(node.func.value).split(".")[-1]
        if owner in ("json", "msgpack") and node.func.attr in ("decode", "Decoder", "load", "loads"):
            found.append(node.lineno)
    return found


def test_nothing_in_the_tree_decodes_json_but_the_helper() -> None:
    root = Path(edge.__file__).parent
    lines = [
        f"{path.relative_to(root)}:{line}"
        for path in sorted(root.rglob("*.py"))
        if str(path.relative_to(root)) != HELPER
        for line in direct_decodings(path.read_text(encoding="utf-8"))
    ]
    assert lines == [], "use edge.contracts.decoding"
    imports = [
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        if "from msgspec.json import" in (text := path.read_text(encoding="utf-8")) or "from json import" in text
    ]
    assert imports == []


def test_the_search_finds_what_it_looks_for() -> None:
    source = "json.loads(b'')\nmsgspec.json.decode(b'')\nmsgspec.json.Decoder(int)\nx.decode('utf-8')\n"
    assert direct_decodings(source) == [1, 2, 3]
    assert direct_decodings((Path(edge.__file__).parent / HELPER).read_text(encoding="utf-8")) != []
