"""Spans of a clip in which frames may be predicted from one that is missing from the file, or a hole in it.

FFmpeg decodes such frames without a word: what is predicted from a frame that is not there is predicted from the one
before it. Numbers, times and zeros of the coded packets tell, which are read ahead of the decoder.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.contracts.errors import SourceError
from edge.sources.frame_numbers import MpegFrameNumbers, frame_numbers
from edge.sources.h264_headers import units_with_start_codes
from edge.sources.time_holes import TimeHoles
from edge.sources.zero_runs import can_be_checked, has_zeros_in_slice

if TYPE_CHECKING:
    from edge.sources.time_holes import Hole

_NEVER = 1 << 62
_MOST_BACK = 64
"""Packets that a missing frame is noticed late by."""
_FFMPEG_TELLS = ("hevc", "hvc1", "hev1", "h265")
"""Codecs whose frames name all that they need: FFmpeg's log tells what is missing."""
_BEGIN_SOUND = (*_FFMPEG_TELLS, "h264", "avc1", "avc3", "x264")
"""Codecs of which FFmpeg gives no frame before one that can be decoded by itself."""
_HIDDEN_VP8 = 0x10
_UNTIMED_REORDERED = 18
"""Frames that a decoder may give later than they come in a stream without times."""


@dataclass(slots=True)
class _Span:
    """Frames that may be predicted from a missing one: from ``begin`` on, until an intra frame at ``end`` or later."""

    begin: int
    end: int = _NEVER
    certain: bool = True
    """Whether a number is missing, not only a time."""

    def extend(self, at: int, key: bool) -> None:
        """Note a packet behind the missing frame; at the key frame it ends, but for what is shown before that."""
        if at < self.end:
            self.begin = min(self.begin, at)
            if key and self.end == _NEVER:
                self.end = at


class MissingFrames:
    """Check for missing frames of one clip, by its packets; then asked about each decoded frame."""

    def __init__(self, codec: str, configuration: bytes = b"", *, timed: bool = True) -> None:
        """Begin a clip.

        Args:
            codec: four-character code, such as ``h264``.
            configuration: what the container says about the stream, beside its packets.
            timed: whether its packets have times of their own.
        """
        self._codec = codec.lower()
        self._numbers = frame_numbers(codec, configuration)
        self._checks_zeros = can_be_checked(self._codec)
        self.needs_packets = self._numbers is not None or self._checks_zeros or self._codec == "vp80"
        """Whether `add_packet` wants the packets' bytes."""
        self._holes = TimeHoles()
        self._recent: deque[tuple[int, bool]] = deque(maxlen=_MOST_BACK)
        self._spans: deque[_Span] = deque()
        self._count = 0
        self.timed = timed
        """Whether frames can be found by their times; otherwise they are by their place in the stream."""
        self._last_key = -_NEVER

    def add_packet(self, at_ns: int, key: bool, packet: bytes) -> None:
        """Note the next packet: its time, whether it is a key frame, and its bytes if they are needed."""
        first_again = self._count == 1 and at_ns == self._recent[0][0]
        if self.timed and (first_again or (key and at_ns < self._last_key)):
            self._begin_untimed()
        if key:
            self._last_key = at_ns
        at = at_ns if self.timed else self._count
        self._count += 1
        if self.timed and not (self._codec == "vp80" and packet and not packet[0] & _HIDDEN_VP8):
            self._holes.add(at, key)
        if self._count == 1 and not key and self._codec not in _BEGIN_SOUND:
            self._spans.append(_Span(at))
        if self._checks_zeros:
            packet = units_with_start_codes(packet)
        back = None if self._numbers is None else self._numbers.affected(packet)
        if back is None and self._checks_zeros and has_zeros_in_slice(packet, self._codec):
            back = 0
            key = False  # it is none that others can be predicted from
        self._recent.append((at, key))
        if back is None:
            self._follow(at, key)
        else:
            self._begin_span(back)

    def look_for_holes(self, *, ended: bool) -> None:
        """Look for what shows only in many packets; call it after some hundreds of them, and at the end."""
        back = self._numbers.finish() if ended and self._numbers is not None else None
        if back is not None:
            self._begin_span(back)
        if self._last_key == -_NEVER and self._spans:  # a container that calls no frame a key frame
            self._spans[0].end = min(self._spans[0].end, self._spans[0].begin)
        holes = self._holes.find(ended=ended) if self.timed and self._codec not in _FFMPEG_TELLS else []
        for hole in holes:
            if self._is_told_by_times(hole):
                self._spans.append(_Span(hole.begin, _NEVER if hole.end is None else hole.end, certain=False))
        self._spans = deque(sorted(self._spans, key=lambda span: span.begin))

    def failure(self, at_ns: int, index: int, intra: bool) -> SourceError | None:
        """Say whether a decoded frame may be predicted from a missing one.

        Args:
            at_ns: its time.
            index: its place among the decoded frames.
            intra: whether it is predicted from no other, and was decoded without errors.
        """
        at = at_ns if self.timed else index
        while self._spans and intra and at >= self._spans[0].end:
            self._spans.popleft()
        if not self._spans or (at if self.timed else at + _UNTIMED_REORDERED) < self._spans[0].begin:
            return None
        if self._spans[0].certain:
            message = "damaged, or predicted from a frame that is damaged or missing from the file"
            return SourceError(message, hint="copy the file again")
        return SourceError(
            "perhaps predicted from a frame that is missing from the file: there is a hole in its times",
            hint="copy the file again; if it plays without faults: ffmpeg -i CLIP NEW.mp4",
        )

    def _is_told_by_times(self, hole: Hole) -> bool:
        """Whether frames are missing in a hole as far as the numbers of frames do not say otherwise."""
        numbers = self._numbers
        if numbers is None or not numbers.counts or numbers.may_fit(hole.missing):
            return True
        return hole.leading and isinstance(numbers, MpegFrameNumbers)  # the next group's numbers begin anew

    def _begin_untimed(self) -> None:
        self.timed = False
        self._spans.clear()

    def _begin_span(self, back: int) -> None:
        """Begin a span with the packet ``back`` packets before the last; not with the last if one is open."""
        recent = list(self._recent)[-1 - back :]
        is_open = any(span.certain and span.end == _NEVER for span in self._spans)
        self._follow(*recent[-1])
        if is_open and not back:
            return
        begun = _Span(recent[0][0])
        for at, key in recent:
            begun.extend(at, key)
        self._spans.append(begun)

    def _follow(self, at: int, key: bool) -> None:
        """Extend the spans by a packet, or end them at a key frame."""
        for span in self._spans:
            span.extend(at, key)
