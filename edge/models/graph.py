"""Inputs and outputs of a TFLite graph, read from its flatbuffer without a runtime.

A reader for the few tables that are needed, of the public schema (``schema.fbs``, version 3). Every offset is checked
before it is followed: a damaged file ends in `ModelError`, never in a read beyond its end.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from edge.contracts.errors import ModelError
from edge.contracts.tensors import TensorSpec

TYPES = {0: "float32", 1: "float16", 2: "int32", 3: "uint8", 4: "int64", 7: "int16", 9: "int8"}
"""TensorType of the schema, as numpy names it."""
HINT = "copy the file again, or export it anew"


@dataclass(frozen=True, slots=True)
class Graph:
    """Inputs and outputs of a TFLite graph, by the names of the model's one signature."""

    inputs: dict[str, TensorSpec]
    outputs: dict[str, TensorSpec]
    first_output: str
    """Name of the output that a classifier API reads: the subgraph's first. Empty: the signature does not name it."""


def is_flatbuffer(data: bytes) -> bool:
    """Whether ``data`` begins as a TFLite model does."""
    return len(data) >= 8 and data[4:8] == b"TFL3"


def read_graph(data: bytes) -> Graph:
    """Read inputs and outputs of a model. `ModelError` if ``data`` is damaged or has not exactly one signature."""
    try:
        return _read(data)
    except (struct.error, UnicodeDecodeError, OverflowError) as error:
        raise ModelError(f"the flatbuffer is damaged: {error}", hint=HINT) from error


def _read(data: bytes) -> Graph:
    model = FlatbufferTable(data, _reference(data, 0))
    for buffer in model.tables(4):
        buffer.blob(0)  # weights are not read, but they must be there
    subgraph = subgraph_of(model)
    signature = model.tables(7)[0]
    tensors = subgraph.tables(0)

    def by_name(slot: int) -> dict[str, int]:
        return {entry.text(0): _index(entry.number(1, "I", 0), tensors) for entry in signature.tables(slot)}

    inputs, outputs = by_name(0), by_name(1)
    order = subgraph.numbers(2, "i")
    first = [name for name, index in outputs.items() if order and index == order[0]]
    return Graph(
        inputs={name: _tensor(tensors[index]) for name, index in inputs.items()},
        outputs={name: _tensor(tensors[index]) for name, index in outputs.items()},
        first_output=first[0] if first else "",
    )


def subgraph_of(model: FlatbufferTable) -> FlatbufferTable:
    """The subgraph that the model's one signature runs. Raises `ModelError` if there is not exactly one signature."""
    signatures, subgraphs = model.tables(7), model.tables(2)
    if len(signatures) != 1 or not subgraphs:
        raise ModelError(
            f"expected one signature in the model, got {len(signatures)}",
            hint="export the model with python -m export",
        )
    return subgraphs[_index(signatures[0].number(4, "I", 0), subgraphs)]


def _tensor(table: FlatbufferTable) -> TensorSpec:
    code = table.number(1, "b", 0)
    if code not in TYPES:
        raise ModelError(f"a tensor has the type {code}, which is not known", hint=HINT)
    scales: tuple[float, ...] = ()
    zeros: tuple[float, ...] = ()
    if quantisation := table.table(4):
        scales, zeros = quantisation.numbers(2, "f"), quantisation.numbers(3, "q")
    return TensorSpec(
        shape=tuple(int(n) for n in table.numbers(0, "i")),
        dtype=TYPES[code],
        scale=float(scales[0]) if scales else 1.0,
        zero_point=int(zeros[0]) if zeros else 0,
    )


class FlatbufferTable:
    """One flatbuffer table: reads fields by their number in the schema. Absent fields give the default."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self._at = data, at
        self._vtable = at - _unpack(data, "i", at)
        self._size = _unpack(data, "H", self._vtable)

    def _field(self, slot: int) -> int:
        """Where field ``slot`` lies; 0 if it is absent."""
        entry = 4 + 2 * slot
        if entry + 2 > self._size:
            return 0
        offset = int(_unpack(self._data, "H", self._vtable + entry))
        return self._at + offset if offset else 0

    def number(self, slot: int, kind: str, default: int) -> int:
        """Scalar field of struct's type ``kind``; ``default`` if absent."""
        at = self._field(slot)
        return int(_unpack(self._data, kind, at)) if at else default

    def numbers(self, slot: int, kind: str) -> tuple[float, ...]:
        """Vector field of scalars of struct's type ``kind``; empty if absent."""
        at = self._field(slot)
        if not at:
            return ()
        start, length = _vector(self._data, at, struct.calcsize(kind))
        return struct.unpack_from(f"<{length}{kind}", self._data, start)

    def blob(self, slot: int) -> bytes:
        """Vector field of bytes, copied; empty if absent."""
        at = self._field(slot)
        if not at:
            return b""
        start, length = _vector(self._data, at, 1)
        return self._data[start : start + length]

    def length(self, slot: int) -> int:
        """Length of a vector of bytes, which is not copied; 0 if absent."""
        at = self._field(slot)
        return _vector(self._data, at, 1)[1] if at else 0

    def text(self, slot: int) -> str:
        """String field, decoded from UTF-8; empty if absent."""
        return self.blob(slot).decode("utf-8")

    def table(self, slot: int) -> FlatbufferTable | None:
        """Field that is another table; None if absent."""
        at = self._field(slot)
        return FlatbufferTable(self._data, _reference(self._data, at)) if at else None

    def tables(self, slot: int) -> list[FlatbufferTable]:
        """Vector field of tables; empty if absent."""
        at = self._field(slot)
        if not at:
            return []
        start, length = _vector(self._data, at, 4)
        return [FlatbufferTable(self._data, _reference(self._data, start + 4 * i)) for i in range(length)]


def _unpack(data: bytes, kind: str, at: int) -> int:
    if at < 0:  # struct would count from the end
        raise ModelError("the flatbuffer is damaged: an offset points before its beginning", hint=HINT)
    value: int = struct.unpack_from("<" + kind, data, at)[0]
    return value


def _reference(data: bytes, at: int) -> int:
    return at + _unpack(data, "I", at)


def _vector(data: bytes, at: int, item: int) -> tuple[int, int]:
    """Where the items of a vector start, and how many there are."""
    start = _reference(data, at)
    length = _unpack(data, "I", start)
    if start + 4 + length * item > len(data):
        raise ModelError("the flatbuffer is damaged: a vector reaches beyond its end", hint=HINT)
    return start + 4, length


def _index(index: int, items: list[FlatbufferTable]) -> int:
    if not 0 <= index < len(items):
        raise ModelError(f"the flatbuffer is damaged: index {index} of {len(items)}", hint=HINT)
    return index
