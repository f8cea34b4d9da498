"""Picture files made by hand, and what the `images` source reads of a file or folder, for its tests."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from edge.config.settings import StreamSettings
from edge.config.uri import parse_uri
from edge.contracts.frames import Frame, SourceEvent
from edge.sources.images import ImagesSource

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def images_source(path: Path) -> ImagesSource:
    uri = f"images://{path}"
    made = ImagesSource(parse_uri(uri), StreamSettings(name="x", source=uri))
    made.open()
    return made


def read_all(path: Path) -> tuple[list[Frame], list[SourceEvent]]:
    """Frames and events but the last, which must be ``ended``."""
    frames: list[Frame] = []
    events: list[SourceEvent] = []
    opened = images_source(path)
    for _ in range(1000):
        item = opened.read(1.0)
        assert item is not None
        if isinstance(item, Frame):
            frames.append(item)
        elif item.kind == "ended":
            opened.close()
            return frames, events
        else:
            events.append(item)
    pytest.fail("it does not end")


def only(path: Path) -> Frame:
    (frame,), events = read_all(path)
    assert events == []
    return frame


def skip_of(path: Path) -> SourceEvent:
    frames, (event,) = read_all(path)
    assert frames == []
    assert event.kind == "skipped"
    assert event.path == str(path)
    assert event.detail
    return event


def encode(suffix: str, image: NDArray[Any], *params: int) -> bytes:
    done, data = cv2.imencode(suffix, image, list(params))
    assert done
    return data.tobytes()


def smooth_rgb() -> NDArray[np.uint8]:
    """(60, 80, 3) smooth: red to the right, green downwards."""
    y, x = np.mgrid[0:60, 0:80]
    return np.stack([x * 3, y * 4, 120 - x], axis=-1).astype(np.uint8)


def png(colour: int, rows: bytes, width: int, height: int) -> bytes:
    """A PNG of 8-bit samples by hand, for what OpenCV does not write; ``rows`` without filter bytes."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">L", len(data)) + name + data + struct.pack(">L", zlib.crc32(name + data))

    stride = len(rows) // height
    lines = b"".join(b"\0" + rows[at : at + stride] for at in range(0, len(rows), stride))
    head = struct.pack(">LLBBBBB", width, height, 8, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
