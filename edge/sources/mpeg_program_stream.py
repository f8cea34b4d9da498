"""Detects MPEG program streams (.mpg, .mpeg) that are cut within a packet. They hold no length or count to tell by.

ISO/IEC 13818-1 section 2.5 (MPEG-2) and 11172-1 (MPEG-1): packs of packets, each with its length. A stream cut between
two packets looks like one that was recorded for less long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_PACK = b"\0\0\1\xba"
_TAIL = 1 << 18
"""Bytes read from the end of the file; packs are far shorter, the longest packet is 64 KiB."""


def ends_within_a_packet(path: Path) -> bool:
    """Whether the file at ``path`` is a program stream and its last packet is not whole. Raises OSError."""
    with path.open("rb") as stream:
        if stream.read(4) != _PACK:
            return False
        size = stream.seek(0, 2)
        stream.seek(max(0, size - _TAIL))
        tail = stream.read()
    at = tail.rfind(_PACK)
    if at < 0:
        return False
    pack = tail[at : at + 14]
    mpeg_2 = pack[4:5] and pack[4] >> 6 == 1
    at += 14 + (pack[-1] & 7) if mpeg_2 else 12  # MPEG-2: up to seven bytes of stuffing
    while tail[at : at + 3] == b"\0\0\1" and tail[at + 3 : at + 4] != b"\xb9":  # the end code has no length
        at += 6 + int.from_bytes(tail[at + 4 : at + 6], "big")
    return at > len(tail)
