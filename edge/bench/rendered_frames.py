"""Source of phantom frames that were rendered before the run, as a capture card gives them.

So rendering is no work within the measurement.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np

from edge.contracts.frames import Frame, FrameOrigin, SourceEvent
from edge.contracts.results import Reason
from edge.phantom.scene import PhantomScene
from edge.phantom.spec import PhantomSpec
from edge.sources.phantom import EQUIPMENT

PICTURES = 16
"""Different frames; then they come again. 15 MB as RGB."""
WIDTH, HEIGHT = 640, 480


@lru_cache(maxsize=1)
def phantom_frames() -> tuple[Frame, ...]:
    """`PICTURES` frames of one phantom with a lesion, each (480, 640, 3) uint8 RGB as a grabber gives them."""
    scene = PhantomScene(PhantomSpec(seed=1, width=WIDTH, height=HEIGHT, lesions=1))
    frames = []
    for index in range(PICTURES):
        picture = scene.render(index)
        pixels = np.asarray(cv2.cvtColor(picture.pixels, cv2.COLOR_GRAY2RGB), np.uint8)
        origin = FrameOrigin(frame_index=index, body_part="BREAST", equipment=EQUIPMENT)
        frames.append(Frame("", index, 0, None, pixels, (picture.region,), origin))
    return tuple(frames)


class RenderedFrames:
    """`Source` of ready frames, at a frame rate or as fast as they are asked for.

    At a rate, a frame's capture is the instant at which it is *due*: who reads late finds it older, and who reads so
    late that the next is due has lost it, as with a camera. So a stall shows in every frame that it held up.
    """

    def __init__(self, stream: str, fps: float, frames: int) -> None:
        """``fps`` 0: as fast as asked for. ``frames`` 0: without end."""
        self.live = fps > 0
        self.skipped = 0
        """Frames that were due and that nobody read in time."""
        self._stream, self._frames = stream, frames
        self._period_ns = round(1e9 / fps) if fps else 0
        self._pictures: tuple[Frame, ...] = ()
        self._began_ns = 0
        self._due = self._seq = 0
        self._closed = threading.Event()

    def open(self) -> None:
        """Implement `Source.open`: render what is not there yet, which takes some hundred milliseconds, once."""
        self._pictures = phantom_frames()
        self._began_ns = time.monotonic_ns() - self._due * self._period_ns
        self._closed.clear()

    def read(self, timeout_s: float) -> Frame | SourceEvent | None:
        """Implement `Source.read`: the next frame when it is due, (480, 640, 3) uint8 RGB."""
        if not self._pictures or self._closed.is_set():
            return None
        if self.live:
            late_ns = time.monotonic_ns() - self._due_ns(self._due)
            if late_ns >= self._period_ns:
                lost = late_ns // self._period_ns
                self._due += lost
                self.skipped += lost
            wait_s = (self._due_ns(self._due) - time.monotonic_ns()) / 1e9
            if wait_s > 0 and (self._closed.wait(min(wait_s, timeout_s)) or wait_s > timeout_s):
                return None
        if self._frames and self._due >= self._frames:
            return SourceEvent("ended", Reason.STREAM_ENDED)
        captured_ns = self._due_ns(self._due) if self.live else time.monotonic_ns()
        picture = self._pictures[self._due % PICTURES]
        frame = replace(picture, stream=self._stream, seq=self._seq, captured_ns=captured_ns)
        self._due += 1
        self._seq += 1
        return frame

    def close(self) -> None:
        """Implement `Source.close`: wake a `read` that waits."""
        self._closed.set()

    def _due_ns(self, number: int) -> int:
        return self._began_ns + number * self._period_ns
