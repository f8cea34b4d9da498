"""Flatbuffers made by hand, also those that no builder makes: one part that is referred to from a thousand places."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TypeAlias

Part: TypeAlias = "Table | References | Items"


@dataclass(eq=False)
class Table:
    """A table: number of a field -> the part that it refers to, or its value as four bytes."""

    fields: dict[int, Part | bytes] = field(default_factory=dict)

    @property
    def slots(self) -> int:
        return max(self.fields, default=-1) + 1

    @property
    def head(self) -> int:
        """Bytes of its vtable, which stands before it."""
        return -(-(4 + 2 * self.slots) // 4) * 4

    def parts(self) -> list[Part]:
        return [part for part in self.fields.values() if not isinstance(part, bytes)]

    def size(self) -> int:
        return self.head + 4 + 4 * self.slots

    def body(self, at: int, places: dict[int, int]) -> bytes:
        vtable = struct.pack("<HH", 4 + 2 * self.slots, 4 + 4 * self.slots)
        vtable += b"".join(struct.pack("<H", 4 + 4 * i if i in self.fields else 0) for i in range(self.slots))
        out = vtable.ljust(self.head, b"\0") + struct.pack("<i", self.head)
        for i in range(self.slots):
            part = self.fields.get(i, bytes(4))
            out += part if isinstance(part, bytes) else struct.pack("<I", places[id(part)] - (at + len(out)))
        return out


@dataclass(eq=False)
class References:
    """A vector of ``count`` references to one table."""

    table: Table
    count: int

    def parts(self) -> list[Part]:
        return [self.table]

    def size(self) -> int:
        return 4 + 4 * self.count

    def body(self, at: int, places: dict[int, int]) -> bytes:
        first = places[id(self.table)] - at - 4
        return struct.pack(f"<{1 + self.count}I", self.count, *range(first, first - 4 * self.count, -4))


@dataclass(eq=False)
class Items:
    """A vector of ``count`` scalars or bytes."""

    count: int
    values: bytes

    def parts(self) -> list[Part]:
        return []

    def size(self) -> int:
        return -(-(4 + len(self.values)) // 4) * 4

    def body(self, at: int, places: dict[int, int]) -> bytes:
        return (struct.pack("<I", self.count) + self.values).ljust(self.size(), b"\0")


def flatbuffer(root: Table) -> bytes:
    """The file: references lead forward, so each part stands behind all that refer to it."""
    order: list[Part] = []
    seen: set[int] = set()

    def visit(part: Part) -> None:
        if id(part) not in seen:
            seen.add(id(part))
            for other in part.parts():
                visit(other)
            order.append(part)

    visit(root)
    order.reverse()
    starts, places, at = [], {}, 8
    for part in order:
        starts.append(at)
        places[id(part)] = at + (part.head if isinstance(part, Table) else 0)
        at += part.size()
    body = b"".join(part.body(start, places) for part, start in zip(order, starts, strict=True))
    return struct.pack("<I", places[id(root)]) + b"TFL3" + body
