"""Synthetic live source for tests: frames with their number as grey level, and every fault that a reader may have.

    synthetic://?frames=4&fps=50&width=160&height=120&fault=crash&at=2

It has no entry point: tests make it by its class.
"""

from __future__ import annotations

import ctypes
import time
from typing import TYPE_CHECKING

import numpy as np

from edge.contracts.errors import SourceError, UsageError
from edge.sources.live.reader import FrameDamagedError, LiveFrame, StreamEndedError, StreamInfo
from edge.sources.live.source import LiveSource

if TYPE_CHECKING:
    from edge.config.uri import Uri
    from edge.sources.live.reader import LiveOptions

FOREVER_S = 3600.0
FAULTS = ("none", "crash", "hang", "lost", "damaged", "bug", "memory", "huge", "refused", "grow", "unsound")


class SyntheticSource(LiveSource):
    """Live source whose child process makes its frames itself, for tests of what all live sources share."""

    reader = "edge.sources.live.synthetic:SyntheticReader"
    parameters = ("frames", "fps", "width", "height", "fault", "at")


class SyntheticReader:
    """Reader of frames that are made here, with one fault at one frame."""

    def __init__(self, uri: Uri, options: LiveOptions) -> None:
        self._frames = uri.get("frames", int, 0)
        self._period_ns = round(1e9 / uri.get("fps", float, 50.0))
        self._size = (uri.get("height", int, 120), uri.get("width", int, 160))
        self._fault, self._at = uri.params.get("fault", "none"), uri.get("at", int, -1)
        if self._fault not in FAULTS:
            raise UsageError(f"synthetic:// has no fault {self._fault!r}", hint=f"there are: {', '.join(FAULTS)}")
        self._index = 0
        self._due_ns = 0

    def open(self) -> StreamInfo:
        """Implement `LiveReader.open`: begin now."""
        if self._fault == "refused":
            raise SourceError("the synthetic stream is refused", hint="as it was asked to", reason="source_lost")
        self._due_ns = time.monotonic_ns()
        return StreamInfo(width=self._size[1], height=self._size[0], fps=1e9 / self._period_ns, format="synthetic")

    def read(self) -> LiveFrame:
        """Implement `LiveReader.read`: the next frame when it is due."""
        if self._frames and self._index >= self._frames:
            raise StreamEndedError
        time.sleep(max(0, self._due_ns - time.monotonic_ns()) / 1e9)
        captured_ns, index = self._due_ns, self._index
        self._due_ns = max(self._due_ns + self._period_ns, time.monotonic_ns() - self._period_ns)
        self._index += 1
        if index == self._at or (self._fault == "unsound" and index > self._at):
            self._fail()
        y, x = np.ogrid[: self._size[0], : self._size[1]]
        return LiveFrame(((x + y + 16 * index) % 256).astype(np.uint8), captured_ns)

    def close(self) -> None:
        """Implement `LiveReader.close`: there is nothing to release."""

    def _fail(self) -> None:
        if self._fault == "crash":
            ctypes.string_at(0)
        elif self._fault == "hang":
            time.sleep(FOREVER_S)
        elif self._fault == "lost":
            raise SourceError("the synthetic stream is lost", reason="source_lost")
        elif self._fault in ("damaged", "unsound"):
            raise FrameDamagedError("the synthetic frame is damaged")
        elif self._fault == "bug":
            raise ZeroDivisionError
        elif self._fault == "memory":
            np.ones(4 << 30, np.uint8)
        elif self._fault == "huge":
            self._size = (20_000, 20_000)
        elif self._fault == "grow":
            self._size = (2 * self._size[0], 2 * self._size[1])
