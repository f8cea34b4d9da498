"""Finds where a clip's picture format changes, and makes each part before and after a clip of its own.

The packets are read beside the decoder, which does not tell. Reading them costs a hundredth of decoding them.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import cv2

from edge.contracts.errors import SourceError
from edge.process.native_path import native_path
from edge.sources.clip_decoder import codec_of
from edge.sources.stream_format import format_reader, is_elementary

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

AHEAD = 256
"""Packets by which the search is ahead of the frames given: decoders leave out up to a group of pictures unasked."""
MAX_PART = 1 << 28
"""Largest part in bytes that is kept in memory to be decoded."""
MAX_PARTS = 100
"""Most parts of one clip that are told apart."""


class FormatWatch:
    """Search for changes of the format in the packets ahead of the frame being decoded."""

    def __init__(self, path: Path) -> None:
        """Open the file beside the decoder."""
        self._capture = open_packets(path)
        codec = codec_of(self._capture)
        self._read_format = format_reader(codec)
        self.can_split = is_elementary(codec)
        self._packets = 0
        self._format = b""
        self._ended = self._read_format is None
        self.has_changed = False
        """The format changes within what was searched."""

    def close(self) -> None:
        """Close the file that is read."""
        self._capture.release()

    def has_changed_before(self, frame: int) -> bool:
        """Whether the format changes before the packet that is `AHEAD` of ``frame``."""
        if self._ended or self._packets > frame + AHEAD:
            return False
        while self._packets <= frame + 2 * AHEAD:
            if not self._capture.grab():
                self._ended = True
                return False
            self._packets += 1
            found = self._format_of_packet()
            if found and self._format and found != self._format:
                self.has_changed = True
                return True
            self._format = found or self._format
        return False

    def _format_of_packet(self) -> bytes:
        if self._read_format is None or not self._capture.get(cv2.CAP_PROP_LRF_HAS_KEY_FRAME):
            return b""
        there, packet = self._capture.retrieve()
        return self._read_format(packet.tobytes()) if there else b""


def open_packets(path: Path) -> cv2.VideoCapture:
    """Open a clip to read its coded packets, (1, bytes) uint8 each. H.264 and HEVC come with start codes."""
    with native_path(path) as place:
        return cv2.VideoCapture(place, cv2.CAP_FFMPEG, [cv2.CAP_PROP_FORMAT, -1])


def split_by_format(path: Path) -> Generator[int]:
    """Yield a file descriptor for each part of one format: an elementary stream in memory, closed when asked for more.

    Raises:
        SourceError: a part is too large, or there are too many.
    """
    capture = open_packets(path)
    read_format = format_reader(codec_of(capture))
    part, current, parts = _new_part(), b"", 1
    try:
        while read_format is not None and capture.grab():
            there, coded = capture.retrieve()
            packet = coded.tobytes() if there else b""
            found = read_format(packet) if capture.get(cv2.CAP_PROP_LRF_HAS_KEY_FRAME) else b""
            if found and current and found != current:
                yield part
                os.close(part)
                part, parts = _new_part(), parts + 1
            current = found or current
            if parts > MAX_PARTS or os.fstat(part).st_size + len(packet) > MAX_PART:
                raise SourceError(
                    "the size of the picture changes too often, or in too long a clip; the rest is left out",
                    hint="split the clip where its size changes",
                )
            os.write(part, packet)
        yield part
    finally:
        capture.release()
        os.close(part)


def _new_part() -> int:
    return os.memfd_create("clip-part", os.MFD_CLOEXEC)
