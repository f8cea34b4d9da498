"""Finds frames that are missing from a stream by the numbers that H.264, MPEG-1 and MPEG-2 give their frames.

H.264: ``frame_num`` (ISO/IEC 14496-10, 7.4.3) counts the frames that others are predicted from. MPEG-1 and MPEG-2:
``temporal_reference`` (11172-2, 13818-2) counts all frames of a group in the order in which they are shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from edge.sources.h264_headers import H264Headers, with_start_codes
from edge.sources.mpeg_group_times import GroupTimeCodes

if TYPE_CHECKING:
    from edge.sources.h264_headers import SliceHeader

_PICTURE, _GROUP = b"\0\0\1\0", b"\0\0\1\xb8"
_INTRA, _BIDIRECTIONAL = 1, 3
_NUMBERS = 1 << 10
"""Temporal references begin again after so many."""
_MOST_BETWEEN = 64
"""Numbers in a row that may be missing and are still looked for one by one."""


class FrameNumberCheck(Protocol):
    """Check of the numbers of a stream's frames, packet by packet in the order of the file."""

    counts: bool
    """Whether this stream's numbers tell of missing frames at all."""

    def may_fit(self, missing: int) -> bool:
        """Whether the numbers would be as they are if so many frames were missing in a row."""

    def affected(self, packet: bytes) -> int | None:
        """Packets back, 0 for this one, to the first that may be predicted from a missing frame.

        None: no frame is missing.
        """

    def finish(self) -> int | None:
        """The same at the end of the stream."""


def frame_numbers(codec: str, configuration: bytes = b"") -> FrameNumberCheck | None:
    """Choose the check for a codec.

    Args:
        codec: its four-character code, or FFmpeg's name.
        configuration: what the container says about the stream, beside its packets.

    Returns:
        The check; None: the codec's frames have no numbers.
    """
    kind = _KINDS.get(codec.lower())
    check = None if kind is None else kind()
    if isinstance(check, H264FrameNumbers):
        check.affected(with_start_codes(configuration))
    return check


class H264FrameNumbers:
    """Check of ``frame_num``: one more than that of the last frame that others are predicted from."""

    def __init__(self) -> None:
        self.counts = True
        self._headers = H264Headers()
        self._last: SliceHeader | None = None
        """Of the last frame that others are predicted from."""
        self._leaves_out = False
        """There are frames that no other is predicted from; they do not count."""

    def affected(self, packet: bytes) -> int | None:
        """Implement `FrameNumberCheck.affected` by the slice header."""
        header = self._headers.first_slice(packet)
        if header is None:
            return None
        last = self._last
        if header.reference:
            self._last = header
        else:
            self._leaves_out = True
        # What a stream of several layers leaves out on purpose looks the same as what is lost.
        self.counts = not header.numbering.may_have_gaps
        if last is None or header.idr or not self.counts or header.numbering != last.numbering:
            return None
        step = (header.frame_num - last.frame_num) % (1 << header.numbering.bits)
        # An intra frame that is no IDR may begin the numbers anew (memory_management_control_operation 5).
        begun_anew = last.intra and header.frame_num == 1
        return None if step <= 1 or begun_anew else 0

    def may_fit(self, missing: int) -> bool:
        """Implement `FrameNumberCheck.may_fit`: every frame is numbered, and the numbers began again."""
        if self._last is None or self._leaves_out:
            return False
        return missing % (1 << self._last.numbering.bits) == 0

    def finish(self) -> int | None:
        """Implement `FrameNumberCheck.finish`: nothing is left to be told."""
        return None


class MpegFrameNumbers:
    """Check of ``temporal_reference``: each number of a group once.

    A frame that others are predicted from comes before those that are shown before it. So whether a number is missing
    between two such frames is known when the next one comes.
    """

    def __init__(self) -> None:
        self.counts = True
        self._before: int | None = None
        """Number of the last frame but one that others are predicted from; None: there is none in this group."""
        self._last: int | None = None
        """Number of the last frame that others are predicted from."""
        self._between: set[int] = set()
        """Numbers that came since."""
        self._since = 0
        """Packets since the last such frame."""
        self._times = GroupTimeCodes()
        self._reorders = False
        """There are frames that come later than one that is shown after them."""

    def affected(self, packet: bytes) -> int | None:
        """Implement `FrameNumberCheck.affected` by the picture header."""
        at = packet.find(_PICTURE)
        if at < 0 or len(packet) < at + 6:
            return None
        self._since += 1
        number = packet[at + 4] << 2 | packet[at + 5] >> 6
        kind = packet[at + 5] >> 3 & 7
        lacking = self._times.affected(packet, at, number)
        if kind == _BIDIRECTIONAL:
            self._between.add(number)
            self._reorders = True
            later = self._last is not None and _difference(number, self._last) > 0
            earlier = self._before is not None and _difference(number, self._before) < 0
            return 0 if later or earlier else None
        ahead = None if self._last is None else _difference(number, self._last)
        found = self._missing_between()
        if packet.find(_GROUP, 0, at) >= 0 or (kind == _INTRA and ahead is not None and ahead <= 0):
            self._last = None
        elif ahead is not None and ahead < 0:
            found = 0 if found is None else found
        self._before, self._last = self._last, number
        self._between.clear()
        self._since = 0
        return lacking if found is None else found

    def may_fit(self, missing: int) -> bool:
        """Implement `FrameNumberCheck.may_fit`: no, each group is too short."""
        return False

    def finish(self) -> int | None:
        """Implement `FrameNumberCheck.finish`: a clip that was trimmed lacks only frames that come last in the file."""
        return None if self._reorders else self._missing_between()

    def _missing_between(self) -> int | None:
        """Whether a number is missing between the last two frames that others are predicted from; as `affected`."""
        if self._before is None or self._last is None:
            return None
        distance = _difference(self._last, self._before)
        if distance > _MOST_BETWEEN:
            return self._since
        between = {(self._before + step) % _NUMBERS for step in range(1, distance)}
        return None if between <= self._between else self._since


def _difference(number: int, other: int) -> int:
    """Signed distance of two numbers that begin again."""
    return (number - other + _NUMBERS // 2) % _NUMBERS - _NUMBERS // 2


_KINDS: dict[str, type[H264FrameNumbers] | type[MpegFrameNumbers]] = {
    **dict.fromkeys(("h264", "avc1", "avc3", "x264"), H264FrameNumbers),
    **dict.fromkeys(("mpg1", "mpg2", "mpeg", "m2v1", "mx5p", "mpeg1video", "mpeg2video"), MpegFrameNumbers),
}
