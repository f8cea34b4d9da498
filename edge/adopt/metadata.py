"""Standard TFLite metadata: what a foreign file says of itself, and what an adopted one is given.

Slots are those of the public ``metadata_schema.fbs`` (identifier M001), as far as they are used here.
"""

from __future__ import annotations

import math
import struct
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge.adopt.flatbuffer_front import NewTable, NewVector, floats, put_in_front, text
from edge.contracts.errors import ModelError
from edge.models.bundle_file import MAX_MEMBERS
from edge.models.graph import FlatbufferTable
from edge.models.zip_directory import open_zip

if TYPE_CHECKING:
    from edge.contracts.picture_recipe import PictureRecipe

NAME = "TFLITE_METADATA"
"""Name by which a model refers to it."""
RGB, GREY, IMAGE, NORMALISATION, AXIS_LABELS = 1, 2, 2, 1, 2
"""ColorSpaceType, ContentProperties, ProcessUnitOptions, AssociatedFileType."""
LABELS_LIMIT = 2**18
"""Most bytes of a labels file."""
HINT = "correct the metadata, or say it by an option: --labels, --input-range"


@dataclass(frozen=True, slots=True)
class ForeignMetadata:
    """What a file says of itself; None and empty: nothing."""

    name: str = ""
    version: str = ""
    description: str = ""
    licence: str = ""
    mean: tuple[float, ...] = ()
    """Of the normalisation: pixel values that become 0."""
    std: tuple[float, ...] = ()
    colour: str = ""
    """``rgb`` or ``grey``."""
    labels: tuple[str, ...] = ()
    problems: dict[str, str] = field(default_factory=dict)
    """Why ``labels`` or ``mean`` are not there though the metadata have some; an option may take their place."""

    def require_sound(self, name: str) -> None:
        """Raise `ModelError` if the metadata have a field ``name`` that cannot be true."""
        if name in self.problems:
            raise ModelError(f"its metadata cannot be true: {self.problems[name]}", hint=HINT)


def read_metadata(data: bytes, graph_size: int) -> ForeignMetadata:
    """Read what a file says of itself; ``graph_size``: bytes of the flatbuffer, before an appended ZIP.

    Raises `ModelError` for metadata that are damaged, or contradict themselves.
    """
    try:
        body = metadata_buffer(data[:graph_size])
        if body is None:
            return ForeignMetadata()
        return _read(body, data)
    except (struct.error, ValueError, OverflowError, ModelError) as error:
        reason = error.message if isinstance(error, ModelError) else str(error)
        raise ModelError(f"its metadata cannot be read: {reason}", hint=HINT) from error


def metadata_buffer(graph: bytes) -> bytes | None:
    """Bytes of the metadata in a model's flatbuffer; None: it has none."""
    model = FlatbufferTable(graph, struct.unpack_from("<I", graph, 0)[0])
    buffers = model.tables(4)
    for entry in model.tables(6):
        number = entry.number(1, "I", 0)
        if entry.text(0) == NAME and number < len(buffers):
            return buffers[number].blob(0)
    return None


def _read(body: bytes, whole: bytes) -> ForeignMetadata:
    root = FlatbufferTable(body, struct.unpack_from("<I", body, 0)[0])
    subgraphs = root.tables(3)
    inputs = subgraphs[0].tables(2) if subgraphs else []
    outputs = subgraphs[0].tables(3) if subgraphs else []
    problems: dict[str, str] = {}
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()
    if inputs:
        try:
            mean, std = _normalisation(inputs[0])
        except ModelError as error:
            problems["mean"] = error.message
    if outputs:
        try:
            labels = _labels(outputs[0], whole)
        except ModelError as error:
            problems["labels"] = error.message
    return ForeignMetadata(
        name=root.text(0),
        version=root.text(2),
        description=root.text(1),
        licence=root.text(5),
        mean=mean,
        std=std,
        colour=_colour(inputs[0]) if inputs else "",
        labels=labels,
        problems=problems,
    )


def _colour(tensor: FlatbufferTable) -> str:
    """Colour of the input: ``rgb`` or ``grey``; empty: not said."""
    content = tensor.table(3)
    if content is None or content.number(0, "B", 0) != IMAGE:
        return ""
    properties = content.table(1)
    space = 0 if properties is None else properties.number(0, "b", 0)
    return {RGB: "rgb", GREY: "grey"}.get(space, "")


def _normalisation(tensor: FlatbufferTable) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of the input."""
    for unit in tensor.tables(4):
        options = unit.table(1)
        if unit.number(0, "B", 0) != NORMALISATION or options is None:
            continue
        mean, std = options.numbers(0, "f", 4), options.numbers(1, "f", 4)
        if not mean or len(mean) != len(std) or not all(math.isfinite(v) for v in (*mean, *std)) or min(std) <= 0:
            raise ModelError(f"its normalisation is impossible: mean {list(mean)}, std {list(std)}")
        return mean, std
    return (), ()


def _labels(tensor: FlatbufferTable, whole: bytes) -> tuple[str, ...]:
    """Labels of the first output: the lines of the file that the metadata name, in the appended ZIP."""
    for entry in tensor.tables(6):
        if entry.number(2, "b", 0) != AXIS_LABELS:
            continue
        name = entry.text(0)
        try:
            with open_zip(whole, MAX_MEMBERS, "the appended ZIP") as archive:
                if archive.getinfo(name).file_size > LABELS_LIMIT:
                    raise ModelError(f"{name} has over {LABELS_LIMIT} bytes")
                return parse_labels(archive.read(name))
        except (KeyError, zipfile.BadZipFile, ModelError) as error:
            raise ModelError(f"it names {name!r} for its labels, which is not in the file: {error}") from error
    return ()


def parse_labels(body: bytes) -> tuple[str, ...]:
    """Labels of a text file: one a line, in the order of the output. Empty lines at the end do not count.

    ``0 name`` (number and name, as Teachable Machine writes them) is read as ``name`` where all lines are so.
    Raises `ModelError` if it is not UTF-8.
    """
    try:
        lines = [line.strip() for line in body.decode("utf-8-sig").splitlines()]
    except UnicodeDecodeError as error:
        raise ModelError(f"the labels are not UTF-8: {error}", hint="save the file as UTF-8") from error
    while lines and not lines[-1]:
        lines.pop()
    parts = [line.split(maxsplit=1) for line in lines]
    if parts and all(len(p) == 2 and p[0] == str(number) for number, p in enumerate(parts)):
        return tuple(p[1] for p in parts)
    return tuple(lines)


def graph_size(data: bytes) -> int:
    """Bytes of the flatbuffer: all before the first member of an appended ZIP; all, where there is none.

    Raises `ModelError` for a ZIP that cannot be read.
    """
    if data[-22:-18] != b"PK\x05\x06":
        return len(data)
    try:
        with open_zip(data, MAX_MEMBERS, "the appended ZIP") as archive:
            return min((info.header_offset for info in archive.infolist()), default=len(data))
    except Exception as error:  # zipfile raises half a dozen kinds for damaged input, some of them undocumented
        raise ModelError(f"the appended ZIP is damaged: {error}", hint="copy the file again") from error


def write_metadata(
    name: str,
    description: str,
    version: str,
    licence: str,
    recipe: PictureRecipe,
    more_heads: tuple[str, ...] = (),
    head: str = "labels",
) -> bytes:
    """Write the metadata of a model: its input as MediaPipe normalises it, its output's labels.

    ``head``: name of the output with the labels. ``more_heads``: names of those after it, in the order of the graph.
    """
    process = NewTable({0: b"\1", 1: NewTable({0: floats(recipe.mean), 1: floats(recipe.std)})})
    space = GREY if recipe.channels == 1 else RGB
    content = NewTable({0: bytes([IMAGE]), 1: NewTable({0: bytes([space])})})
    image = NewTable({0: text("image"), 3: content, 4: NewVector([process])})
    labels = NewTable({0: text("labels.txt"), 2: bytes([AXIS_LABELS])})
    first = NewTable({0: text(head), 6: NewVector([labels])})
    subgraph = NewTable(
        {2: NewVector([image]), 3: NewVector([first, *(NewTable({0: text(each)}) for each in more_heads)])}
    )
    root = NewTable({0: text(name), 1: text(description), 2: text(version), 3: NewVector([subgraph])})
    root.fields[5] = text(licence)
    root.fields[7] = text("1.0.0")
    return put_in_front(root, b"M001")
