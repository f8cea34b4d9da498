"""Time of an occlusion map, for `benchmarks/view.py`: the first, for which its process starts, and further ones."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import cv2
from view_daemon import summary


def measure_maps(further: int = 10) -> dict[str, Any]:
    """Seconds for the map of a phantom of 480 x 360, by the model that ships."""
    from edge.config.settings import Settings
    from edge.contracts.results import Status
    from edge.phantom.scene import PhantomScene
    from edge.phantom.spec import PhantomSpec
    from edge.tap.messages import SeenFrame
    from edge.viewer.history import KeptFrame
    from edge.viewer.occlusion import OcclusionMaps

    pixels = PhantomScene(PhantomSpec(seed=1, width=480, height=360, lesions=1)).pixels(0)
    note = SeenFrame(
        stream="cart", seq=1, captured_ns=1, exam_id="e", size=(480, 360), box=(0, 0, 480, 360), status=Status.CLEAR
    )
    kept = KeptFrame(note, bytes(cv2.imencode(".jpg", pixels)[1]))

    async def run() -> list[float]:
        maps, times = OcclusionMaps(Settings()), []
        for _ in range(1 + further):
            began = time.monotonic()
            answer = await maps.make(kept)
            assert answer.error is None
            times.append(time.monotonic() - began)
        child = maps._child
        maps.close()
        if child is not None:
            await child.wait()
        return times

    first, *rest = asyncio.run(run())
    return {"first_s": round(first, 2), "further_s": summary(rest)}
