"""Bytes that somebody else could send where JSON is expected: fixed ones of every kind, and a strategy of more."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import strategies as st

from edge.schema import examples

NOT_UTF8 = b'{"device":"cart-\xff","schema":"finding/1"}'
HOSTILE = {
    "empty": b"",
    "nul": b"\0",
    "no JSON": b"hello",
    "cut off": b'{"device":"cart-7","schema":"sta',
    "not UTF-8": NOT_UTF8,
    "not UTF-8 in a field that nobody reads": b'{"a":"\xff"}',
    "not UTF-8 in a name": b'{"\xfe":1}',
    "surrogate as bytes": b'{"device":"\xed\xa0\x80"}',
    "surrogate escaped": b'{"device":"\\ud800"}',
    "UTF-16": '{"device":"cart-7"}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"device":"cart-7"}',
    "nested lists": b"[" * 200_000,
    "nested objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "nested in a field": b'{"id":"1","device":"cart-7","args":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "number too long": b'{"seq":' + b"9" * 6000 + b"}",
    "exponent too large": b'{"fps":1e999}',
    "not a number": b'{"fps":NaN,"seq":Infinity}',
    "list": b"[]",
    "text": b'"finding/1"',
    "null": b"null",
    "types swapped": b'{"device":[],"schema":{},"id":1,"args":[],"run_id":null,"uri":{},"streams":"a","seqs":"b"}',
    "schema a list": b'{"schema":["finding/1"]}',
}
"""By what is wrong with them. None of them is any message of ours."""

_MESSAGES: list[bytes] = [
    msgspec.json.encode(message()) for message in (examples.finding, examples.coverage, examples.state, examples.health)
]
_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@st.composite
def changed_messages(draw: st.DrawFn) -> bytes:
    """A true message with one of its fields replaced by any value, or a few of its bytes by any others."""
    message = draw(st.sampled_from(_MESSAGES))
    if draw(st.booleans()):
        fields = msgspec.json.decode(message)
        fields[draw(st.sampled_from(sorted(fields)))] = draw(_values)
        return _encode(fields)
    at = draw(st.integers(0, len(message)))
    return message[:at] + draw(st.binary(max_size=4)) + message[at + draw(st.integers(0, 4)) :]


def _encode(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value)
    except (OverflowError, UnicodeEncodeError):
        return repr(value).encode("utf-8", "surrogatepass")


def hostile_bytes() -> st.SearchStrategy[bytes]:
    """Any bytes: arbitrary, any JSON, true messages with something changed, and the fixed ones."""
    return st.one_of(
        st.binary(max_size=60), _values.map(_encode), changed_messages(), st.sampled_from(list(HOSTILE.values()))
    )
