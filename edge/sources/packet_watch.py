"""Reads a clip's coded packets ahead of its decoder: where the picture's format changes, and which frames are missing.

The decoder tells neither. Reading the packets costs a hundredth of decoding them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2

from edge.sources.clip_decoder import FAILURES, codec_of
from edge.sources.clip_parts import open_packets
from edge.sources.missing_frames import MissingFrames
from edge.sources.stream_format import format_reader, is_elementary

if TYPE_CHECKING:
    from pathlib import Path

AHEAD = 256
"""Packets by which the search is ahead of the frames given: decoders leave out up to a group of pictures unasked."""


class PacketWatch:
    """Search in the packets ahead of the frame being decoded for changes of the format and for missing frames."""

    def __init__(self, path: Path | str, *, timed: bool = True) -> None:
        """Open the file beside the decoder. ``timed``: whether its packets have times."""
        self._capture = open_packets(path)
        codec = codec_of(self._capture)
        self._read_format = format_reader(codec)
        self.can_split = is_elementary(codec)
        self.missing = MissingFrames(codec, self._configuration(), timed=timed)
        self._packets = 0
        self._format = b""
        self._ended = False
        self.has_changed = False
        """The format changes within what was searched."""

    def close(self) -> None:
        """Close the file that is read."""
        self._capture.release()

    def has_changed_before(self, frame: int) -> bool:
        """Whether the format changes before the packet that is `AHEAD` of ``frame``; reads up to there."""
        if self._ended or self._packets > frame + AHEAD:
            return False
        while self._packets <= frame + 2 * AHEAD and not self._ended:
            if not any(self._capture.grab() for _ in range(FAILURES)):
                self._ended = True
            elif self._packet_changes_format():
                self.has_changed = True
                break
            else:
                self._packets += 1
        self.missing.look_for_holes(ended=self._ended)
        return self.has_changed

    def _configuration(self) -> bytes:
        """What the container says about the stream beside its packets, such as parameter sets."""
        place = int(self._capture.get(cv2.CAP_PROP_CODEC_EXTRADATA_INDEX))
        there, found = self._capture.retrieve(flag=place) if place > 0 else (False, None)
        return found.tobytes() if there and found is not None else b""

    def _packet_changes_format(self) -> bool:
        """Look at the packet that was grabbed."""
        key = bool(self._capture.get(cv2.CAP_PROP_LRF_HAS_KEY_FRAME))
        reads_format = key and self._read_format is not None
        packet = b""
        if reads_format or self.missing.needs_packets:
            there, coded = self._capture.retrieve()
            packet = coded.tobytes() if there else b""
        found = self._read_format(packet) if reads_format and self._read_format is not None else b""
        changes = bool(found and self._format and found != self._format)
        self._format = found or self._format
        if not changes:
            self.missing.add_packet(round(self._capture.get(cv2.CAP_PROP_POS_MSEC) * 1e6), key, packet)
        return changes
