"""Write standard TFLite metadata: a ModelMetadata flatbuffer, written table by table.

Slots and types are those of the public ``metadata_schema.fbs`` (identifier M001). Only what readers use is written:
name, version, licence, the image input (RGB, mean 0, standard deviation 1), and the outputs with the label file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import flatbuffers

if TYPE_CHECKING:
    from collections.abc import Sequence

LABELS = "labels.txt"
MIN_PARSER = "1.0.0"
"""Oldest metadata parser that knows all that is written here."""
RGB, IMAGE, NORMALISATION, AXIS_LABELS = 1, 2, 1, 2
"""ColorSpaceType, ContentProperties, ProcessUnitOptions, AssociatedFileType."""


def write_metadata(
    *, name: str, description: str, version: str, author: str, licence: str, outputs: Sequence[tuple[str, str]]
) -> bytes:
    """Write a ModelMetadata flatbuffer for a model with one image input.

    Args:
        name: of the model.
        description: of the model, for people.
        version: of the model.
        author: of the model.
        licence: of the model.
        outputs: (name, description) in the graph's order; the first has the labels.
    """
    w = FlatbufferWriter()
    image = w.table(
        7,
        {
            0: w.text("image"),
            1: w.text("Grey values 0 to 255, repeated in three channels."),
            3: _image(w),
            4: _identity(w),
        },
    )
    labels = w.table(5, {0: w.text(LABELS), 1: w.text("One class a line."), 2: ("int8", AXIS_LABELS)})
    heads = []
    for i, (head, text) in enumerate(outputs):
        files = {6: w.vector([labels])} if i == 0 else {}
        heads.append(w.table(7, {0: w.text(head), 1: w.text(text), **files}))
    subgraph = w.table(10, {2: w.vector([image]), 3: w.vector(heads)})
    fields = {0: name, 1: description, 2: version, 4: author, 5: licence, 7: MIN_PARSER}
    root = w.table(8, {3: w.vector([subgraph]), **{slot: w.text(value) for slot, value in fields.items()}})
    return w.finish(root)


def _image(w: FlatbufferWriter) -> int:
    """Content: an RGB image."""
    properties = w.table(2, {0: ("int8", RGB)})
    return w.table(3, {0: ("uint8", IMAGE), 1: properties})


def _identity(w: FlatbufferWriter) -> int:
    """Process units: normalisation that changes nothing; the grey value is what the model takes."""
    options = w.table(2, {0: w.floats([0.0]), 1: w.floats([1.0])})
    return w.vector([w.table(2, {0: ("uint8", NORMALISATION), 1: options})])


class FlatbufferWriter:
    """Writer of flatbuffer tables by slot number; children are written before their parents."""

    def __init__(self) -> None:
        self._b = flatbuffers.Builder(1024)

    def text(self, value: str) -> int:
        """Write a string; return its offset."""
        return int(self._b.CreateString(value))

    def floats(self, values: Sequence[float]) -> int:
        """Write a vector of float32; return its offset."""
        self._b.StartVector(4, len(values), 4)
        for value in reversed(values):
            self._b.PrependFloat32(value)
        return int(self._b.EndVector())

    def vector(self, tables: Sequence[int]) -> int:
        """Write a vector of tables, given by their offsets; return its own offset."""
        self._b.StartVector(4, len(tables), 4)
        for table in reversed(tables):
            self._b.PrependUOffsetTRelative(table)
        return int(self._b.EndVector())

    def table(self, slots: int, fields: dict[int, int | tuple[str, int]]) -> int:
        """Write a table of ``slots`` fields, each an offset or ("int8" | "uint8", value); return its offset."""
        self._b.StartObject(slots)
        for slot, value in sorted(fields.items()):
            if isinstance(value, tuple):
                add = self._b.PrependInt8Slot if value[0] == "int8" else self._b.PrependUint8Slot
                add(slot, value[1], 0)
            else:
                self._b.PrependUOffsetTRelativeSlot(slot, value, 0)
        return int(self._b.EndObject())

    def finish(self, root: int) -> bytes:
        """Finish the flatbuffer with its root table; return its bytes."""
        self._b.Finish(root, file_identifier=b"M001")
        return bytes(self._b.Output())
