"""Freeze and silence detection for live streams: a scan that stands still, and a source that gives nothing at all.

A grabber whose cable was pulled may repeat its last picture for ever, and a frozen scanner shows one on purpose: either
way it is not what the probe sees now, and must not be judged again and again.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from edge.contracts.frames import Frame, SourceEvent
from edge.contracts.results import Reason
from edge.pipeline.freeze import FreezeDetector

if TYPE_CHECKING:
    from edge.config.settings import StreamSettings


class LivenessMonitor:
    """Freeze and silence detector of one live stream.

    `check` is called by its capture thread, `check_silence` by the loop.
    """

    def __init__(self, settings: StreamSettings) -> None:
        self._frozen_s, self._silent_s = settings.frozen_after_s, settings.silent_after_s
        self._freeze = FreezeDetector(self._frozen_s)
        self._frozen = False
        self._item_at = time.monotonic()
        self._away = False

    def check(self, item: Frame | SourceEvent) -> Frame | SourceEvent | None:
        """The frame or event to pass on instead of ``item``; None while a frozen picture that was told once stays."""
        self._item_at = time.monotonic()
        if not isinstance(item, Frame):
            self._away, self._freeze = item.kind != "skipped", FreezeDetector(self._frozen_s)
            return item
        self._away = False
        if not self._frozen_s:
            return item
        told, self._frozen = self._frozen, self._freeze.add(item)
        if not self._frozen:
            return item
        return None if told else SourceEvent("skipped", Reason.FROZEN, f"the scan stood still for {self._frozen_s:g} s")

    def check_silence(self) -> SourceEvent | None:
        """Event to report when nothing has come for too long; None if something has, or if it was reported already."""
        silent_s = time.monotonic() - self._item_at
        if not self._silent_s or self._away or silent_s < self._silent_s:
            return None
        self._away = True
        return SourceEvent("lost", Reason.SOURCE_LOST, f"nothing came for {silent_s:.0f} s")
