"""Ways in which a file is swapped behind a program's back, and a model with other weights to swap for."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.models.graph import FlatbufferTable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True)
class Swap:
    """How a file is put there, and how it is swapped for another."""

    prepare: Callable[[Path, bytes], object]
    swap: Callable[[Path, bytes], object]


def _rewrite(path: Path, data: bytes) -> None:
    with path.open("r+b") as file:
        file.write(data)
        file.truncate()


def _rename(path: Path, data: bytes) -> None:
    other = path.with_name("other")
    other.write_bytes(data)
    os.replace(other, path)


def _link(path: Path, data: bytes) -> None:
    target = path.with_name(f"target-{len(list(path.parent.iterdir()))}")
    target.write_bytes(data)
    fresh = path.with_name("link")
    fresh.symlink_to(target)
    os.replace(fresh, path)


SWAPS = {
    "written over": Swap(lambda path, data: path.write_bytes(data), _rewrite),
    "renamed": Swap(lambda path, data: path.write_bytes(data), _rename),
    "link turned": Swap(_link, _link),
}


def other_weights(model: bytes) -> bytes:
    """The same model, with the constants of its largest buffers inverted."""
    changed = bytearray(model)
    buffers = FlatbufferTable(model, struct.unpack_from("<I", model, 0)[0]).tables(4)
    for blob in sorted((buffer.blob(0) for buffer in buffers), key=len)[-3:]:
        at = model.index(blob)
        changed[at : at + len(blob)] = bytes(value ^ 0x55 for value in blob)
    return bytes(changed)
