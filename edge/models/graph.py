"""Inputs and outputs of a TFLite graph, read from its flatbuffer without a runtime.

A reader for the few tables that are needed, of the public schema (``schema.fbs``, version 3). Every offset is checked
before it is followed: a damaged file ends in `ModelError`, never in a read beyond its end. References may make a small
file look large without end (a thousand to one table, to one vector), so the work is limited as well: so many tables and
so many values, whatever the file says. Weights are never copied.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TypeAlias

from edge.contracts.errors import ModelError
from edge.contracts.tensors import TensorSpec

TYPES = {0: "float32", 1: "float16", 2: "int32", 3: "uint8", 4: "int64", 7: "int16", 9: "int8"}
"""TensorType of the schema, as numpy names it."""
HINT = "copy the file again, or export it anew"


class DamagedGraphError(ModelError):
    """A flatbuffer is cut short or damaged: what it refers to is not in it."""


Buffer: TypeAlias = "bytes | memoryview"
MAX_TABLES = 65_536
"""Most tables that are looked at in one file, counted each time; the shipped model has about 2,000."""
MAX_VALUES = 262_144
"""Most numbers of vectors, and 16-byte pieces of text, that are read from one file."""
MAX_RANK = 8
"""Most dimensions of a tensor."""
MAX_NAME = 1024
"""Most bytes of a name."""


@dataclass(frozen=True, slots=True)
class Graph:
    """Inputs and outputs of a TFLite graph, by the names of the model's one signature."""

    inputs: dict[str, TensorSpec]
    outputs: dict[str, TensorSpec]
    first_output: str
    """Name of the output that a classifier API reads: the subgraph's first. Empty: the signature does not name it."""


class ReadBudget:
    """Work that may still be done on one file: `MAX_TABLES` tables and `MAX_VALUES` values."""

    __slots__ = ("_tables", "_values")

    def __init__(self) -> None:
        self._tables, self._values = MAX_TABLES, MAX_VALUES

    def take_tables(self, number: int) -> None:
        """Take ``number`` tables from the budget. Raises `ModelError` if it is used up."""
        self._tables -= number
        if self._tables < 0:
            raise ModelError(f"the flatbuffer has over {MAX_TABLES} tables, more than any model here", hint=HINT)

    def take_values(self, number: int) -> None:
        """Take ``number`` values from the budget. Raises `ModelError` if it is used up."""
        self._values -= number
        if self._values < 0:
            raise ModelError(f"the flatbuffer has over {MAX_VALUES} values, more than any model here", hint=HINT)


def is_flatbuffer(data: Buffer) -> bool:
    """Whether ``data`` begins as a TFLite model does."""
    return len(data) >= 8 and data[4:8] == b"TFL3"


def read_graph(data: Buffer) -> Graph:
    """Read inputs and outputs of a model. `ModelError` if ``data`` is damaged or has not exactly one signature."""
    try:
        return _read(data)
    except (struct.error, UnicodeDecodeError, OverflowError) as error:
        raise DamagedGraphError(f"the flatbuffer is damaged: {error}", hint=HINT) from error


def check_whole(data: Buffer) -> None:
    """Check that a model is all there: buffers, subgraphs and their tensors, whatever it computes.

    Raises:
        DamagedGraphError: ``data`` is cut short or damaged.
        ModelError: it is larger than is looked at.
    """
    try:
        model = FlatbufferTable(data, _reference(data, 0))
        for buffer in model.tables(4):
            buffer.length(0)
        for subgraph in model.tables(2):
            subgraph.tables(0)
            subgraph.tables(3)
    except (struct.error, OverflowError) as error:
        raise DamagedGraphError(f"the flatbuffer is damaged: {error}", hint=HINT) from error


def _read(data: Buffer) -> Graph:
    model = FlatbufferTable(data, _reference(data, 0))
    for buffer in model.tables(4):
        buffer.length(0)  # weights are not read, but they must be there
    subgraph = subgraph_of(model)
    signature = model.tables(7)[0]
    tensors = subgraph.tables(0)

    def by_name(slot: int) -> dict[str, int]:
        return {entry.text(0): _index(entry.number(1, "I", 0), tensors) for entry in signature.tables(slot)}

    inputs, outputs = by_name(0), by_name(1)
    order = subgraph.first(2, "i", -1)
    first = [name for name, index in outputs.items() if index == order]
    return Graph(
        inputs={name: tensor_spec(tensors[index]) for name, index in inputs.items()},
        outputs={name: tensor_spec(tensors[index]) for name, index in outputs.items()},
        first_output=first[0] if first else "",
    )


def subgraph_of(model: FlatbufferTable) -> FlatbufferTable:
    """The subgraph that the model's one signature runs. Raises `ModelError` if there is not exactly one signature."""
    signatures, subgraphs = model.tables(7), model.tables(2)
    if len(signatures) != 1 or not subgraphs:
        raise ModelError(
            f"expected one signature in the model, got {len(signatures)}",
            hint="export the model with python -m export; one from elsewhere needs edge-cli model adopt",
        )
    return subgraphs[_index(signatures[0].number(4, "I", 0), subgraphs)]


def tensor_spec(table: FlatbufferTable) -> TensorSpec:
    """Shape, type and quantisation of a tensor's table. Raises `ModelError` for a type that is not known."""
    code = table.number(1, "b", 0)
    if code not in TYPES:
        raise ModelError(f"a tensor has the type {code}, which is not known", hint=HINT)
    quantisation = table.table(4)
    return TensorSpec(
        shape=shape_of(table),
        dtype=TYPES[code],
        scale=float(quantisation.first(2, "f", 1.0)) if quantisation else 1.0,
        zero_point=int(quantisation.first(3, "q", 0)) if quantisation else 0,
    )


def shape_of(tensor: FlatbufferTable) -> tuple[int, ...]:
    """Shape of a tensor's table. Raises `ModelError` if it has more than `MAX_RANK` dimensions."""
    return tuple(int(n) for n in tensor.numbers(0, "i", MAX_RANK))


class FlatbufferTable:
    """One flatbuffer table: reads fields by their number in the schema. Absent fields give the default.

    All tables that are reached from one share its `ReadBudget`.
    """

    __slots__ = ("_at", "_budget", "_data", "_size", "_vtable")

    def __init__(self, data: Buffer, at: int, budget: ReadBudget | None = None) -> None:
        """The table at offset ``at``. struct.error or `ModelError` if there is none, or the budget is used up."""
        self._data, self._at = data, at
        self._budget = ReadBudget() if budget is None else budget
        self._budget.take_tables(1)
        self._vtable = at - _unpack(data, "i", at)
        self._size = _unpack(data, "H", self._vtable)

    def _field(self, slot: int) -> int:
        """Where field ``slot`` lies; 0 if it is absent."""
        entry = 4 + 2 * slot
        if entry + 2 > self._size:
            return 0
        offset = int(_unpack(self._data, "H", self._vtable + entry))
        return self._at + offset if offset else 0

    @property
    def at(self) -> int:
        """Offset of the table in the file."""
        return self._at

    @property
    def slots(self) -> int:
        """Number of fields that the table's schema had when it was written."""
        return max(0, (self._size - 4) // 2)

    def target(self, slot: int) -> int | None:
        """Offset of the table, vector or text that a field refers to; None if absent."""
        at = self._field(slot)
        return _reference(self._data, at) if at else None

    def number(self, slot: int, kind: str, default: int) -> int:
        """Scalar field of struct's type ``kind``; ``default`` if absent."""
        at = self._field(slot)
        return int(_unpack(self._data, kind, at)) if at else default

    def numbers(self, slot: int, kind: str, most: int = MAX_VALUES) -> tuple[float, ...]:
        """Vector field of scalars of struct's type ``kind``, empty if absent. `ModelError` if over ``most``."""
        start, length = self._vector(slot, struct.calcsize(kind))
        if length > most:
            raise DamagedGraphError(
                f"the flatbuffer is damaged: a list of {length}, expected at most {most}", hint=HINT
            )
        self._budget.take_values(length)
        return struct.unpack_from(f"<{length}{kind}", self._data, start)

    def first(self, slot: int, kind: str, default: float) -> float:
        """First item of a vector field of scalars; ``default`` if it is absent or empty."""
        start, length = self._vector(slot, struct.calcsize(kind))
        return float(_unpack(self._data, kind, start)) if length else default

    def blob(self, slot: int) -> bytes:
        """Vector field of bytes, copied; empty if absent."""
        start, length = self._vector(slot, 1)
        return bytes(self._data[start : start + length])

    def view(self, slot: int) -> memoryview:
        """Vector field of bytes, not copied; empty if absent."""
        start, length = self._vector(slot, 1)
        return memoryview(self._data)[start : start + length]

    def length(self, slot: int) -> int:
        """Length of a vector of bytes, which is not copied; 0 if absent."""
        return self._vector(slot, 1)[1]

    def text(self, slot: int) -> str:
        """String field, decoded from UTF-8; empty if absent. `ModelError` if it is longer than `MAX_NAME` bytes."""
        start, length = self._vector(slot, 1)
        if length > MAX_NAME:
            raise DamagedGraphError(f"the flatbuffer is damaged: a name of {length} bytes", hint=HINT)
        self._budget.take_values(1 + length // 16)
        return bytes(self._data[start : start + length]).decode("utf-8")

    def table(self, slot: int) -> FlatbufferTable | None:
        """Field that is another table; None if absent."""
        at = self._field(slot)
        return FlatbufferTable(self._data, _reference(self._data, at), self._budget) if at else None

    def tables(self, slot: int) -> list[FlatbufferTable]:
        """Vector field of tables; empty if absent."""
        start, length = self._vector(slot, 4)
        if length > MAX_TABLES:  # before a list of them is begun
            self._budget.take_tables(length)
        return [FlatbufferTable(self._data, _reference(self._data, start + 4 * i), self._budget) for i in range(length)]

    def _vector(self, slot: int, item: int) -> tuple[int, int]:
        """Where the items of a vector field start, and how many there are; (0, 0) if it is absent."""
        at = self._field(slot)
        if not at:
            return 0, 0
        start = _reference(self._data, at)
        length = _unpack(self._data, "I", start)
        if start + 4 + length * item > len(self._data):
            raise DamagedGraphError("the flatbuffer is damaged: a vector reaches beyond its end", hint=HINT)
        return start + 4, length


def _unpack(data: Buffer, kind: str, at: int) -> int:
    if at < 0:  # struct would count from the end
        raise DamagedGraphError("the flatbuffer is damaged: an offset points before its beginning", hint=HINT)
    value: int = struct.unpack_from("<" + kind, data, at)[0]
    return value


def _reference(data: Buffer, at: int) -> int:
    return at + _unpack(data, "I", at)


def _index(index: int, items: list[FlatbufferTable]) -> int:
    if not 0 <= index < len(items):
        raise DamagedGraphError(f"the flatbuffer is damaged: index {index} of {len(items)}", hint=HINT)
    return index
