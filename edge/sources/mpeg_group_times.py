"""Compares the time codes of MPEG-1 and MPEG-2 groups of pictures with how many frames each group holds.

Frames that are missing at the end of a group leave no gap in its numbers. What is shown before the next group's intra
frame is predicted from them, unless that group is closed (ISO/IEC 13818-2, section 6.3.8).
"""

from __future__ import annotations

_SEQUENCE, _GROUP = b"\0\0\1\xb3", b"\0\0\1\xb8"
_RATES = {1: 24, 2: 24, 3: 25, 4: 30, 5: 30, 6: 50, 7: 60, 8: 60}
"""Frames counted in a second of the time code, by frame_rate_code."""


class GroupTimeCodes:
    """Check of one stream. Time codes count for something where they fitted a group before, or fit the next."""

    def __init__(self) -> None:
        self._rate = 0
        self._began: int | None = None
        """Time code of the group, in frames."""
        self._highest = -1
        """Highest number of a frame in the group."""
        self._fits: bool | None = None
        """Whether the time code fitted the last group; None: not known yet."""
        self._suspect: int | None = None
        """Packets since the first group of which it seems that frames are missing before it."""

    def affected(self, packet: bytes, at: int, number: int) -> int | None:
        """Look at a frame: packets back to the first that may be predicted from a missing one; None: none is missing.

        Args:
            packet: its bytes.
            at: position of its picture header.
            number: its temporal reference.
        """
        if self._suspect is not None:
            self._suspect += 1
        found = None
        group = packet.find(_GROUP, 0, at)
        if group >= 0 and len(packet) >= group + 8:
            found = self._begin_group(packet, group)
        self._highest = max(self._highest, number)
        return found

    def _begin_group(self, packet: bytes, group: int) -> int | None:
        sequence = packet.find(_SEQUENCE, 0, group)
        if sequence >= 0:
            self._rate = _RATES.get(packet[sequence + 7] & 15, 0)
        began = self._frames(int.from_bytes(packet[group + 4 : group + 8], "big"))
        closed = bool(packet[group + 7] & 0x40)
        lacking = None if began is None or self._began is None else began - self._began - self._highest - 1
        self._began, self._highest = began, -1
        if lacking is None:
            return None
        before, self._fits = self._fits, lacking == 0 or (self._fits and lacking > 0)
        if before is None and lacking > 0:
            self._fits = None
            self._suspect = 0 if self._suspect is None and not closed else self._suspect
        if before and lacking > 0 and not closed:
            return 0
        return self._suspect if before is None and self._fits else None

    def _frames(self, header: int) -> int | None:
        """Time code of a group header in frames; None: the rate is not known, or numbers are dropped in between."""
        if not self._rate or header >> 31:
            return None
        hours, minutes, seconds, pictures = (header >> shift & 63 for shift in (26, 20, 13, 7))
        return (((hours & 31) * 60 + minutes) * 60 + seconds) * self._rate + pictures
