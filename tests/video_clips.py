"""Clips for tests of the video source: written with OpenCV, or made byte by byte where it has no encoder for them."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from edge.config.settings import StreamSettings
from edge.config.uri import parse_uri
from edge.contracts.frames import Frame, SourceEvent
from edge.sources.video import VideoSource

if TYPE_CHECKING:
    from collections.abc import Set
    from pathlib import Path

    from numpy.typing import NDArray

FRAMES = 20
_START = "00000100000ffff8"  # header of an intra picture
_ROWS = {200: "137bca529110", 64: "13786a529110"}
"""Coded rows of macroblocks of one grey, by its brightness."""


def source(path: Path, query: str = "") -> VideoSource:
    uri = f"video://{path}{query}"
    return VideoSource(parse_uri(uri), StreamSettings(name="x", source=uri))


def read_all(path: Path, query: str = "") -> tuple[list[Frame], list[SourceEvent]]:
    """Frames and events but the last, which must be ``ended``."""
    opened = source(path, query)
    opened.open()
    frames: list[Frame] = []
    events: list[SourceEvent] = []
    for _ in range(2000):
        item = opened.read(1.0)
        if isinstance(item, Frame):
            frames.append(item)
        elif item is not None and item.kind == "ended":
            opened.close()
            return frames, events
        elif item is not None:
            events.append(item)
    pytest.fail("it does not end")


def picture(number: int) -> NDArray[np.uint8]:
    """(48, 64, 3) RGB: the number in bars of black and white, on red."""
    rgb = np.zeros((48, 64, 3), np.uint8)
    rgb[24:, :, 0] = 200
    for bit in range(8):
        rgb[:24, bit * 8 : bit * 8 + 8] = 255 * (number >> bit & 1)
    return rgb


def number_of(pixels: NDArray[np.uint8]) -> int:
    return sum((pixels[4:20, bit * 8 + 2 : bit * 8 + 6].mean() > 128) << bit for bit in range(8))


def write(path: Path, frames: int = FRAMES, fps: float = 25.0, code: str = "MJPG", first: int = 0) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*code), fps, (64, 48))
    assert writer.isOpened()
    for number in range(frames):
        writer.write(picture(first + number)[:, :, ::-1])
    writer.release()
    return path


def mpeg_2(*greys: int, interlaced: Set[int] = frozenset(), damaged: Set[int] = frozenset()) -> bytes:
    """An MPEG-2 stream of 16 x 16 pixels, each frame of one grey (200 or 64); in sets: by index."""
    stream = ""
    for index, grey in enumerate(greys):
        stream += "000001b301001013ffffe018 000001b5148200010000 000001b800080040"
        stream += f"{_START} 000001b58ffff300{'00' if index in interlaced else '80'}"
        first = "130000" if index in damaged else _ROWS[grey]
        stream += f"00000101{first} 00000102{_ROWS[grey]}"
    return bytes.fromhex(stream)


def jpegs(*sizes: tuple[int, int], grey: int = 90, sampling: int | None = None) -> bytes:
    """A Motion JPEG stream: one frame for each (width, height), of one grey."""
    flags = [] if sampling is None else [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
    return b"".join(
        cv2.imencode(".jpg", np.full((height, width, 3), grey, np.uint8), flags)[1].tobytes() for width, height in sizes
    )


def show_from_to(mp4: bytes, begin_s: float, duration_s: float) -> bytes:
    """The MP4 with its edit list changed, as programs do that trim without encoding anew."""
    data = bytearray(mp4)
    movie = struct.unpack_from(">I", data, data.index(b"mvhd") + 16)[0]
    media = struct.unpack_from(">I", data, data.index(b"mdhd") + 16)[0]
    edits = data.index(b"elst")
    assert struct.unpack_from(">II", data, edits + 4) == (0, 1), "version 0, one edit"
    struct.pack_into(">Ii", data, edits + 12, round(duration_s * movie), round(begin_s * media))
    return bytes(data)
