"""Freeze detection for live streams: finds a picture that never changes, and a source that gives nothing at all.

A grabber whose cable was pulled may repeat its last picture for ever, and a frozen scanner shows one on purpose: either
way it is not what the probe sees now, and must not be judged again and again.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from edge.contracts.frames import Frame, SourceEvent
from edge.contracts.results import Reason

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.config.settings import StreamSettings


SAMPLED_ROWS = 64
"""One of so many rows is compared first: pictures that move differ there, and all of one takes milliseconds."""


class LivenessMonitor:
    """Freeze and silence detector of one live stream.

    `check` is called by its capture thread, `check_silence` by the loop.
    """

    def __init__(self, settings: StreamSettings) -> None:
        self._frozen_s, self._silent_s = settings.frozen_after_s, settings.silent_after_s
        self._last: Frame | None = None
        self._changed_ns = 0
        self._frozen = False
        self._item_at = time.monotonic()
        self._away = False

    def check(self, item: Frame | SourceEvent) -> Frame | SourceEvent | None:
        """The frame or event to pass on instead of ``item``; None while a frozen picture that was told once stays.

        Two pictures are the same if all their pixels are equal.
        """
        self._item_at = time.monotonic()
        if not isinstance(item, Frame):
            self._away, self._last = item.kind != "skipped", None
            return item
        self._away = False
        if self._last is None or not _is_same(item.pixels, self._last.pixels):
            self._last, self._changed_ns, self._frozen = item, item.captured_ns, False
            return item
        still_s = (item.captured_ns - self._changed_ns) / 1e9
        if not self._frozen_s or still_s < self._frozen_s:
            return item
        told, self._frozen = self._frozen, True
        return None if told else SourceEvent("skipped", Reason.FROZEN, f"the same picture for {still_s:.0f} s")

    def check_silence(self) -> SourceEvent | None:
        """Event to report when nothing has come for too long; None if something has, or if it was reported already."""
        silent_s = time.monotonic() - self._item_at
        if not self._silent_s or self._away or silent_s < self._silent_s:
            return None
        self._away = True
        return SourceEvent("lost", Reason.SOURCE_LOST, f"nothing came for {silent_s:.0f} s")


def _is_same(pixels: NDArray[np.uint8], others: NDArray[np.uint8]) -> bool:
    """Whether two pictures are equal in all their pixels."""
    return np.array_equal(pixels[::SAMPLED_ROWS], others[::SAMPLED_ROWS]) and np.array_equal(pixels, others)
