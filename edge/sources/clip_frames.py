"""Frames of one clip with their times, what was skipped, and what the file promised but does not hold."""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2

from edge.contracts.errors import SourceError
from edge.contracts.frames import FrameOrigin
from edge.sources.clip_decoder import ClipDecoder
from edge.sources.clip_parts import split_by_format
from edge.sources.file_source import FilePicture, printable_path, skipped_event
from edge.sources.mp4_boxes import read_video_track
from edge.sources.mpeg_program_stream import ends_within_a_packet
from edge.sources.packet_watch import PacketWatch

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from edge.contracts.frames import SourceEvent

MISSING_FRAMES = 3
"""Frames fewer than the file promises, from which on they are reported; containers are often wrong by one or two."""


def clip_pictures(path: Path) -> Generator[FilePicture | SourceEvent]:
    """Yield the frames of one video file, (H, W, 3) uint8 RGB, and an event for each frame that is not given.

    Raises:
        SourceError: no video, too large, or of several sizes that cannot be told apart.
    """
    track = read_video_track(path)
    if track is not None and len(track.sizes) > 1:
        raise SourceError("pictures of several sizes in one clip", hint="split the clip where its size changes")
    clip = _Clip(path, printable_path(path))
    with closing(ClipDecoder(path)) as decoder:
        promised = decoder.capture.get(cv2.CAP_PROP_FRAME_COUNT)
        if track is not None and 0 < track.shown < promised:
            promised = track.shown
        clip.step_ns = _frame_interval_ns(decoder)
        with closing(PacketWatch(path)) as watch:
            yield from clip.frames_until_change(decoder, watch)
    if watch.has_changed:
        # Frames that an edit list hides would be counted among the others.
        yield from clip.parts(watch.can_split and (track is None or track.shown == track.frames))
        return
    yield from _shortage(path, clip, promised)


@dataclass(slots=True)
class _Clip:
    """Progress through one file."""

    path: Path
    name: str
    """The path as text."""
    step_ns: int = 0
    """From one frame to the next, as the container says; 0: it does not."""
    count: int = 0
    """Frames so far, whether given or refused."""
    media_ns: int = -1
    """Time of the last frame."""
    holes_ns: int = 0
    """Time in which frames should have been."""

    def frames_until_change(self, decoder: ClipDecoder, watch: PacketWatch) -> Generator[FilePicture | SourceEvent]:
        """Yield frames to the end, or to where the picture's format may change soon."""
        while not watch.has_changed_before(self.count):
            if not self.count:
                decoder.forget_log()  # lines about packets that were read ahead
            decoded = decoder.read()
            if decoded is None:
                return
            if not self.count and self.step_ns and decoded.at_ns >= MISSING_FRAMES * self.step_ns:
                yield skipped_event(self.path, _begins_late(decoded.at_ns // self.step_ns))
            self._advance_to(decoded.at_ns)
            missing = watch.missing.failure(self.media_ns, self.count, decoded.intra)
            if decoded.image is None or missing:
                yield skipped_event(self.path, decoded.failure or missing or SourceError("no picture"))
            else:
                pixels = cv2.cvtColor(decoded.image, cv2.COLOR_BGR2RGB)
                yield FilePicture(pixels, self.media_ns, origin=self._origin())
            self.count += 1

    def parts(self, can_split: bool) -> Generator[FilePicture | SourceEvent]:
        """Yield the rest of a clip whose format changes: each part decoded by itself, as a clip in its own size."""
        if not can_split:
            yield skipped_event(
                self.path,
                SourceError(
                    f"the size of the picture changes; after {self.count} frames the rest is left out",
                    hint="split the clip where its size changes",
                ),
            )
            return
        given = self.count
        for number, part in enumerate(split_by_format(self.path)):
            if number or not given:
                self.media_ns = -self.step_ns
            file = f"/proc/self/fd/{part}"
            try:
                decoder = ClipDecoder(file)
            except SourceError as error:
                yield skipped_event(self.path, error)
                continue
            with closing(decoder), closing(PacketWatch(file, timed=False)) as watch:
                skipped = 0
                while skipped < given and decoder.skip():
                    skipped += 1
                given -= skipped
                yield from self._frames_of_part(decoder, watch, skipped, begins_clip=number > 0)

    def _frames_of_part(
        self, decoder: ClipDecoder, watch: PacketWatch, skipped: int, *, begins_clip: bool
    ) -> Generator[FilePicture | SourceEvent]:
        first = self.count - skipped
        while (decoded := decoder.read()) is not None:
            self.media_ns += self.step_ns  # an elementary stream has no times
            watch.has_changed_before(self.count - first)
            missing = watch.missing.failure(0, self.count - first, decoded.intra)
            if decoded.image is None or missing:
                yield skipped_event(self.path, decoded.failure or missing or SourceError("no picture"))
            else:
                pixels = cv2.cvtColor(decoded.image, cv2.COLOR_BGR2RGB)
                yield FilePicture(pixels, self.media_ns, origin=self._origin(), begins_clip=begins_clip)
                begins_clip = False
            self.count += 1

    def _origin(self) -> FrameOrigin:
        return FrameOrigin(path=self.name, frame_index=self.count)

    def _advance_to(self, at_ns: int) -> None:
        """Set the time of the next frame to ``at_ns``, or a step later: FFmpeg loses the times of some last frames."""
        if self.count and self.step_ns and at_ns - self.media_ns > MISSING_FRAMES * self.step_ns:
            self.holes_ns += at_ns - self.media_ns - self.step_ns
        self.media_ns = at_ns if at_ns > self.media_ns else self.media_ns + max(self.step_ns, 1)


def _begins_late(frames: int) -> SourceError:
    return SourceError(
        f"cut before its first key frame: about {frames} frames cannot be decoded", hint="cut the clip at a key frame"
    )


def _frame_interval_ns(decoder: ClipDecoder) -> int:
    fps = decoder.capture.get(cv2.CAP_PROP_FPS)
    return round(1e9 / fps) if math.isfinite(fps) and fps > 0 else 0


def _shortage(path: Path, clip: _Clip, promised: float) -> Generator[SourceEvent]:
    """An event if the clip is empty, or has less than its container says, both in frames and in time shown.

    Less in both: frames may last longer than others (then none is missing), and counts are often guessed from times.
    """
    if clip.count == 0:
        yield skipped_event(path, SourceError("no frame of it can be decoded", hint="convert it to MP4 with H.264"))
        return
    step_ns, holes_ns = clip.step_ns, clip.holes_ns
    if promised <= 0 and step_ns:  # not said: what the jumps in time leave room for
        promised = clip.count + holes_ns / step_ns
    missing_ns = promised * step_ns - (clip.media_ns + step_ns - holes_ns)
    if promised - clip.count >= MISSING_FRAMES and missing_ns >= MISSING_FRAMES * step_ns:
        what = "frames are missing in the middle" if holes_ns else "cut short"
        message = f"{what}: {clip.count} of about {promised:.0f} frames can be decoded"
    elif ends_within_a_packet(path):
        message = f"cut short after {clip.count} frames"
    else:
        return
    yield skipped_event(path, SourceError(message, hint="copy the file again"))
