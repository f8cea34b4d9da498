"""Phantom source, ``phantom://``: frames of the seeded B-mode phantom, for demos, tests and load.

    phantom://?seed=1&lesions=1&geometry=linear&width=640&height=480&frames=0&fps=25&pace=realtime&body_part=BREAST

``frames=0`` never ends. ``pace``: ``realtime`` gives ``fps`` frames a second, ``max`` as many as are asked for;
without it, what ends runs at ``max`` and what does not in ``realtime``.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Literal, cast

from edge.contracts.errors import UsageError
from edge.contracts.frames import Equipment, Frame, FrameOrigin, SourceEvent
from edge.contracts.results import Reason
from edge.phantom.scene import PhantomScene, PhantomSpec

if TYPE_CHECKING:
    from edge.config.settings import StreamSettings
    from edge.config.uri import Uri
    from edge.phantom.spec import Geometry

MAX_FPS = 1000.0
"""Highest frame rate that can be asked for."""
EQUIPMENT = Equipment(model="sonoedge phantom")
"""Equipment of all phantom frames, so that no one takes a phantom's findings for a patient's."""


class PhantomSource:
    """Source of the frames of one `PhantomScene`, (H, W) uint8 grey.

    Raises `UsageError` for parameters that make no phantom.
    """

    def __init__(self, uri: Uri, stream: StreamSettings) -> None:
        uri.expect("seed", "lesions", "geometry", "width", "height", "frames", "fps", "pace", "body_part")
        if uri.file:
            raise UsageError(f"phantom:// has no place, got {uri.file!r}", hint="write phantom://?seed=1&lesions=1")
        try:
            self.spec = PhantomSpec(
                seed=uri.get("seed", int, 1),
                width=uri.get("width", int, 640),
                height=uri.get("height", int, 480),
                geometry=cast("Geometry", uri.params.get("geometry", "linear")),
                lesions=uri.get("lesions", int, 1),
            )
        except ValueError as error:
            raise UsageError(f"phantom://: {error}", hint="for example phantom://?seed=1&lesions=1") from None
        self._stream = stream.name
        self._frames = uri.get("frames", _count, 0)
        self._period_ns = round(1e9 / uri.get("fps", _rate, 25.0))
        self._paced = uri.get("pace", _pace, "max" if self._frames else "realtime") == "realtime"
        self._body_part = uri.params.get("body_part", "BREAST").upper() or None
        self.live = self._paced and not self._frames
        self._scene: PhantomScene | None = None
        self._closed = threading.Event()
        self._seq = 0
        self._index = 0
        """Index of the next frame; runs ahead of seq where a live phantom was not read in time."""
        self._began_ns = 0

    def open(self) -> None:
        """Implement `Source.open`: make the scene, which takes some hundred ms. After a close, goes on where it was."""
        if self._scene is None:
            self._scene = PhantomScene(self.spec)
        self._began_ns = time.monotonic_ns() - self._index * self._period_ns
        self._closed.clear()

    def read(self, timeout_s: float) -> Frame | SourceEvent | None:
        """Implement `Source.read`: the next frame when it is due, None before, ``ended`` after the last."""
        scene = self._scene
        if scene is None or self._closed.is_set():
            return None
        if self._frames and self._seq >= self._frames:
            return SourceEvent("ended", Reason.STREAM_ENDED)
        if self._paced and not self._wait_until_due(timeout_s):
            return None
        frame = Frame(
            stream=self._stream,
            seq=self._seq,
            captured_ns=time.monotonic_ns(),
            media_ns=None if self.live else self._index * self._period_ns,
            pixels=scene.pixels(self._index),
            regions=(scene.region,),
            origin=FrameOrigin(frame_index=self._index, body_part=self._body_part, equipment=EQUIPMENT),
        )
        self._seq += 1
        self._index += 1
        return frame

    def close(self) -> None:
        """Implement `Source.close`: wake a `read` that waits."""
        self._closed.set()

    def _wait_until_due(self, timeout_s: float) -> bool:
        """Whether the next frame's time has come within ``timeout_s``, and no one closed the source before."""
        wait_ns = self._began_ns + self._index * self._period_ns - time.monotonic_ns()
        if wait_ns > 0:
            due = wait_ns <= timeout_s * 1e9
            return not self._closed.wait(min(wait_ns / 1e9, max(timeout_s, 0.0))) and due
        if self.live:  # a scanner does not wait for its viewer
            self._index += -wait_ns // self._period_ns
        return True


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError
    return number


def _rate(text: str) -> float:
    number = float(text)
    if not 0 < number <= MAX_FPS:
        raise ValueError
    return number


def _pace(text: str) -> Literal["realtime", "max"]:
    if text not in ("realtime", "max"):
        raise ValueError
    return cast("Literal['realtime', 'max']", text)
