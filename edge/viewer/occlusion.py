"""Occlusion maps for the page: asks the child process that computes them, one map at a time, and ends it when idle."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from typing import TYPE_CHECKING, Any

import cv2
import msgspec
import numpy as np

from edge.contracts.decoding import UnreadableError, decode_json
from edge.contracts.region import Region
from edge.viewer.occlusion_child import MapAnswer, MapRequest

if TYPE_CHECKING:
    from edge.config.settings import Settings
    from edge.viewer.history import KeptFrame

log = logging.getLogger("edge.viewer")

LIMIT_S = 20.0
"""Longest wait for a map, the loading of the model included: at idle priority it may take its time."""
IDLE_S = 60.0
"""The child ends after so long without a request: it takes the memory of a second model."""
MOST_LINE = 1 << 20


class OcclusionMaps:
    """Occlusion maps of frames that were kept, by a child process that is started when first asked for."""

    def __init__(self, settings: Settings) -> None:
        """``settings``: of the model; nothing is loaded yet."""
        self._settings = settings
        self._child: asyncio.subprocess.Process | None = None
        self._one = asyncio.Lock()
        self._idle: asyncio.TimerHandle | None = None

    async def make(self, kept: KeptFrame) -> MapAnswer:
        """Make the map of a frame, in pixels of the source picture."""
        if kept.jpeg is None or kept.note.box is None:
            return MapAnswer(error="no_picture")
        async with self._one:
            if self._idle is not None:
                self._idle.cancel()
            try:
                answer = await asyncio.wait_for(self._ask(kept), LIMIT_S)
            except (OSError, UnreadableError, asyncio.TimeoutError, ValueError) as error:
                log.warning("no occlusion map: %r", error)
                self.close()
                return MapAnswer(error="failed")
            self._idle = asyncio.get_running_loop().call_later(IDLE_S, self.close)
        x, y, w, h = answer.box
        step, origin = kept.note.step, kept.note.box
        box = (x * step + origin[0], y * step + origin[1], w * step, h * step)
        return msgspec.structs.replace(answer, box=box)

    def close(self) -> None:
        """End the child, if there is one."""
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError):
                self._child.kill()
        self._child = None

    async def _ask(self, kept: KeptFrame) -> MapAnswer:
        child = self._child
        if child is None or child.returncode is not None:
            child = self._child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "edge.viewer.occlusion_child",
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=MOST_LINE,
            )  # fmt: skip
            self._write(child, msgspec.json.encode(self._settings))
        pixels: Any = cv2.imdecode(np.frombuffer(kept.jpeg or b"", np.uint8), cv2.IMREAD_UNCHANGED)
        if pixels.ndim == 3:
            pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
        whole = Region(box=(0, 0, pixels.shape[1], pixels.shape[0]), source="config")
        self._write(child, msgspec.json.encode(MapRequest(shape=pixels.shape, region=whole)), pixels.tobytes())
        assert child.stdin is not None  # noqa: S101  (it was asked for)
        assert child.stdout is not None  # noqa: S101  (as above)
        await child.stdin.drain()
        line = await child.stdout.readline()
        if not line:
            raise OSError("the child has ended")
        return decode_json(line, MapAnswer)

    def _write(self, child: asyncio.subprocess.Process, head: bytes, rest: bytes = b"") -> None:
        assert child.stdin is not None  # noqa: S101  (it was asked for)
        child.stdin.write(len(head).to_bytes(4, "big") + head + rest)
