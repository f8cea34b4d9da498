"""Damage of a live stream's frames: which are not sound, told by packets, decoded frames and FFmpeg's log.

A decoder fills in what it could not decode, and gives the picture as a whole. What is predicted from such a picture, or
from one that never came, is as wrong: nothing is believed until the next key frame that is sound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.sources.frame_numbers import frame_numbers
from edge.sources.live.stamp_holes import StampHoles

if TYPE_CHECKING:
    from collections.abc import Sequence

ERROR = 16
"""FFmpeg's AV_LOG_ERROR."""
_CONCEALED = ("concealing", "overread", "Frame num gap", "Missing reference", "undecodable")
"""Parts of a decoder's lines below errors that tell of damage."""
_CORRUPT = ("Packet corrupt",)
_LOST_ON_THE_WAY = ("RTP: missed", *_CORRUPT, "max delay reached", "overrun", "Continuity check failed")
"""Parts of lines of what receives, at any level."""
_HARMLESS = ("SEI type", "unable to decode APP", "mmco: unref short failure", "co located POCs unavailable")
"""Parts of errors that tell of no wrong pixel, see `edge.sources.ffmpeg_log`."""
_MOST_KEPT = 64
DAMAGED = "a frame is damaged"
PREDICTED = "a frame is predicted from one that is damaged or missing"


class DamageWatch:
    """Judge of the frames of one connection: `before` each packet's decoding, then `of_frame` for what comes of it."""

    def __init__(
        self, codec: str, configuration: bytes, lines: list[tuple[int, str, str]], *, intra: bool = False
    ) -> None:
        """Begin a connection.

        Args:
            codec: FFmpeg's name of it.
            configuration: what the container says about the stream, beside its packets.
            lines: FFmpeg's log, (level, name, text), to which it is added; read and emptied here.
            intra: no frame is predicted from another.
        """
        self._codec, self._intra, self._lines = codec, intra, lines
        self._numbers = None if intra else frame_numbers(codec, configuration)
        self._holes = StampHoles(codec)
        self._waits_for_key = not intra
        self._has_begun = False
        self._hurt: list[int | None] = []
        """Time stamps of packets that are damaged."""
        self._stamp: int | None = None
        self._packets = 0
        self._order: dict[int | None, int] = {}
        """Number of each of the last packets, by time stamp: key frames may be shown long after they were decoded."""
        self._begin: int | None = None
        """Time stamp of the key frame that was waited for, until the next one: what is shown before it is predicted
        from what came before it, too, wherever it stands in the stream."""
        self._broken_at = -1
        """Number of the last packet that is not sound: only a key frame behind it is waited for."""

    def before(self, stamp: int | None, packet: bytes, *, corrupt: bool) -> None:
        """Look at a packet that is decoded next, and at what the receiver said of the way to it."""
        self._stamp = stamp
        self._packets += 1
        self._order[stamp] = self._packets
        if len(self._order) > _MOST_KEPT:
            del self._order[next(iter(self._order))]
        lost = _tells(self._lines, _LOST_ON_THE_WAY)
        # That of a packet which FFmpeg holds until the next one begins: the one that is decoded now is before it.
        next_corrupt = _tells(self._lines, _CORRUPT)
        self._lines.clear()
        missing = self._numbers is not None and self._numbers.affected(packet) is not None
        if corrupt:
            self._note_hurt()
        if next_corrupt:
            self._break(self._packets + 1)
        if lost or missing:
            self._break(self._packets if lost else self._packets - 1)

    def after(self) -> None:
        """Look at what the decoder said of the packet."""
        if self._lines and any(self._is_damage(*line) for line in self._lines):
            self._note_hurt()
        self._lines.clear()

    def failed(self) -> bool:
        """Note that the packet could not be decoded; whether that is worth telling: not before the first frame."""
        self._lines.clear()
        self._break(self._packets)
        return self._has_begun

    def of_frame(self, stamp: int | None, *, key: bool, corrupt: bool) -> str | None:
        """Why a decoded frame is not sound; None: it is."""
        self._waits_for_key |= self._holes.is_behind_hole(stamp)
        if corrupt or (self._hurt and stamp in self._hurt):
            self._break(self._order.get(stamp, self._broken_at))
            return DAMAGED
        if self._waits_for_key and not (key and self._order.get(stamp, 0) > self._broken_at):
            return PREDICTED
        if key:
            self._begin = stamp if self._waits_for_key else None
        elif self._begin is not None and stamp is not None and stamp < self._begin:
            return PREDICTED
        self._waits_for_key = False
        self._has_begun = True
        return None

    @property
    def has_begun(self) -> bool:
        """Whether a sound frame has come: what is before the first key frame is nobody's loss."""
        return self._has_begun

    def _note_hurt(self) -> None:
        self._hurt = [*self._hurt[-_MOST_KEPT:], self._stamp]
        self._break(self._packets)

    def _break(self, packet: int) -> None:
        """Believe no frame until a key frame comes whose packet is behind this one."""
        if not self._intra:
            self._waits_for_key = True
            self._broken_at = max(self._broken_at, packet)

    def _is_damage(self, level: int, name: str, text: str) -> bool:
        if not name.startswith((self._codec, "swscaler")):
            return False
        if any(part in text for part in _CONCEALED):
            return True
        return level <= ERROR and not any(part in text for part in _HARMLESS)


def _tells(lines: Sequence[tuple[int, str, str]], parts: Sequence[str]) -> bool:
    return bool(lines) and any(part in text for _, _, text in lines for part in parts)
