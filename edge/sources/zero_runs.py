"""Finds zeros in coded slices of H.264 and HEVC that no encoder writes: where a file has a hole filled with them.

Three bytes 00 00 00 to 00 00 02 cannot stand within a slice, since start codes begin so (ISO/IEC 14496-10 section
7.4.1, 23008-2 section 7.4.2). FFmpeg takes them for the slice's end and often goes on without a word.
"""

from __future__ import annotations

import re

_START = b"\0\0\1"
_FORBIDDEN = re.compile(rb"\0\0(?:\x02|\x00+[^\x00\x01])")
_SLICES_H264 = frozenset(range(1, 6))
_MOST_SLICE_HEVC = 31
_H264, _HEVC = ("h264", "avc1", "avc3", "x264"), ("hevc", "hvc1", "hev1", "h265")


def can_be_checked(codec: str) -> bool:
    """Whether a codec, by its four-character code in lower case, has such a rule."""
    return codec in _H264 or codec in _HEVC


def has_zeros_in_slice(packet: bytes, codec: str) -> bool:
    """Whether a packet with start codes has zeros where there can be none; what is no slice may be badly written."""
    found = _FORBIDDEN.search(packet)
    while found is not None:
        at = packet.rfind(_START, 0, found.start())
        header = packet[at + 3] if at >= 0 else 0
        if at >= 0 and (header & 0x1F in _SLICES_H264 if codec in _H264 else header >> 1 & 0x3F <= _MOST_SLICE_HEVC):
            return True
        found = _FORBIDDEN.search(packet, found.end())
    return False
