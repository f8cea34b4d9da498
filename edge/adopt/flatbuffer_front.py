"""Writer of new flatbuffer tables in front of an existing flatbuffer, whose bytes stay as they are.

A flatbuffer's references are distances, and lead forward: tables that are put before an old file may refer into it, and
nothing in it notices that it was moved. So a model gets a signature and metadata without one of its tables being read
for it, let alone written anew.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TypeAlias

ALIGN = 64
"""The old bytes are moved by a multiple of this: weights stay as aligned as they were."""
BUFFER_ALIGN = 16
"""Of the bytes of a buffer, as the schema demands."""


@dataclass(eq=False)
class Existing:
    """Something in the old file, by its offset there."""

    at: int


@dataclass(eq=False)
class NewTable:
    """New table: number of a field -> what it refers to, or its value as up to four bytes."""

    fields: dict[int, NewPart | Existing | bytes] = field(default_factory=dict)


@dataclass(eq=False)
class NewVector:
    """New vector of references to tables."""

    items: list[NewTable | Existing]


@dataclass(eq=False)
class NewBytes:
    """New vector of scalars: how many there are, and their bytes."""

    count: int
    data: bytes
    aligned: bool = False
    """Whether the data stand at a multiple of `BUFFER_ALIGN`."""


NewPart: TypeAlias = "NewTable | NewVector | NewBytes"


def text(value: str) -> NewBytes:
    """Make a string part of UTF-8."""
    data = value.encode()
    return NewBytes(len(data), data + b"\0")


def floats(values: tuple[float, ...]) -> NewBytes:
    """Make a vector of float32."""
    return NewBytes(len(values), struct.pack(f"<{len(values)}f", *values))


def buffer_bytes(data: bytes) -> NewBytes:
    """Make the bytes of a TFLite buffer."""
    return NewBytes(len(data), data, aligned=True)


def number(value: int) -> bytes:
    """Make a scalar of up to 32 bits, unsigned."""
    return struct.pack("<I", value)


def put_in_front(root: NewTable, identifier: bytes, old: bytes | memoryview = b"") -> bytes:
    """Write ``root`` and all new parts that it refers to, and ``old`` behind them."""
    order: list[NewPart] = []
    seen: set[int] = set()

    def visit(part: NewPart) -> None:
        if id(part) in seen:
            return
        seen.add(id(part))
        for other in _parts(part):
            visit(other)
        order.append(part)

    visit(root)
    order.reverse()  # references lead forward
    starts, places, at = [], {}, 8
    for part in order:
        if isinstance(part, NewBytes) and part.aligned:
            at += -(at + 4) % BUFFER_ALIGN
        starts.append(at)
        places[id(part)] = at + (_head(part) if isinstance(part, NewTable) else 0)
        at += _size(part)
    shift = -(-at // ALIGN) * ALIGN if old else at
    out = bytearray(shift)
    out[:8] = struct.pack("<I", places[id(root)]) + identifier
    for part, start in zip(order, starts, strict=True):
        body = _body(part, start, places, shift)
        out[start : start + len(body)] = body
    return bytes(out) + bytes(old)


def _parts(part: NewPart) -> list[NewPart]:
    if isinstance(part, NewBytes):
        return []
    inside = part.items if isinstance(part, NewVector) else part.fields.values()
    return [each for each in inside if isinstance(each, (NewTable, NewVector, NewBytes))]


def _slots(table: NewTable) -> int:
    return max(table.fields, default=-1) + 1


def _head(table: NewTable) -> int:
    """Bytes of its vtable, which stands before it."""
    return -(-(4 + 2 * _slots(table)) // 4) * 4


def _size(part: NewPart) -> int:
    if isinstance(part, NewTable):
        return _head(part) + 4 + 4 * _slots(part)
    return 4 + (4 * len(part.items) if isinstance(part, NewVector) else -(-len(part.data) // 4) * 4)


def _body(part: NewPart, start: int, places: dict[int, int], shift: int) -> bytes:
    if isinstance(part, NewBytes):
        return struct.pack("<I", part.count) + part.data

    def reference(target: NewPart | Existing, at: int) -> bytes:
        place = target.at + shift if isinstance(target, Existing) else places[id(target)]
        return struct.pack("<I", place - at)

    if isinstance(part, NewVector):
        items = [reference(item, start + 4 + 4 * i) for i, item in enumerate(part.items)]
        return struct.pack("<I", len(items)) + b"".join(items)
    slots, head = _slots(part), _head(part)
    vtable = struct.pack("<HH", 4 + 2 * slots, 4 + 4 * slots)
    vtable += b"".join(struct.pack("<H", 4 + 4 * i if i in part.fields else 0) for i in range(slots))
    out = vtable.ljust(head, b"\0") + struct.pack("<i", head)
    for i in range(slots):
        value = part.fields.get(i, bytes(4))
        at = start + len(out)
        out += value.ljust(4, b"\0") if isinstance(value, bytes) else reference(value, at)
    return out
