"""Gives a model the signature and metadata of a bundle, by which runtimes find its input and its head."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from edge.adopt.flatbuffer_front import Existing, NewTable, NewVector, buffer_bytes, number, put_in_front, text
from edge.adopt.metadata import NAME
from edge.contracts.errors import ModelError
from edge.models.graph import FlatbufferTable

if TYPE_CHECKING:
    from edge.adopt.foreign_model import ForeignModel

INPUT = "image"
"""Name of the input in the signature."""
VERSION, OPERATOR_CODES, SUBGRAPHS, DESCRIPTION, BUFFERS, OLD_METADATA, METADATA, SIGNATURES = range(8)
"""Fields of a model in the schema."""


def with_signature(model: ForeignModel, heads: dict[str, int], metadata: bytes) -> bytes:
    """Flatbuffer of ``model`` with one signature in place of what it had, and ``metadata`` in place of the old ones.

    Weights, operators and their order stay byte for byte. ``heads``: number of a head's tensor by the head's name.
    Raises `ModelError` for a damaged one.
    """
    try:
        return _with_signature(model, heads, metadata)
    except (struct.error, ValueError, OverflowError, IndexError) as error:
        raise ModelError(f"the flatbuffer is damaged: {error}", hint="copy the file again") from error


def _with_signature(model: ForeignModel, heads: dict[str, int], metadata: bytes) -> bytes:
    root = FlatbufferTable(model.data, struct.unpack_from("<I", model.data, 0)[0])
    buffers = root.tables(BUFFERS)
    entry = NewTable({0: text(NAME), 1: number(len(buffers))})
    others = [each for each in root.tables(METADATA) if each.text(0) != NAME]
    fields: dict[int, NewTable | NewVector | Existing | bytes] = {
        VERSION: number(root.number(VERSION, "I", 3)),
        BUFFERS: NewVector([*(Existing(each.at) for each in buffers), NewTable({0: buffer_bytes(metadata)})]),
        METADATA: NewVector([*(Existing(each.at) for each in others), entry]),
        SIGNATURES: NewVector([_signature(model, heads)]),
    }
    for slot in (OPERATOR_CODES, SUBGRAPHS, DESCRIPTION, OLD_METADATA):
        target = root.target(slot)
        if target is not None:
            fields[slot] = Existing(target)
    return put_in_front(NewTable(dict(fields)), b"TFL3", model.data)


def _signature(model: ForeignModel, heads: dict[str, int]) -> NewTable:
    """Signature: input and heads by name, and the subgraph that runs."""

    def entries(tensors: dict[str, int]) -> NewVector:
        return NewVector([NewTable({0: text(name), 1: number(index)}) for name, index in tensors.items()])

    return NewTable(
        {
            0: entries({INPUT: model.input_index}),
            1: entries(heads),
            2: text("serving_default"),
            4: number(model.subgraph),
        }
    )
