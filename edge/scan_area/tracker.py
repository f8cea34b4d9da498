"""Scan area of one stream over time: looked for anew each second and when the layout changes, else checked cheaply."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from edge.contracts.region import calibrated_region
from edge.scan_area.finder import find_scans, tighten
from edge.scan_area.layout_check import LayoutCheck
from edge.scan_area.texture import reduced, reduction

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edge.contracts.frames import Frame
    from edge.contracts.region import Box, Region
    from edge.scan_area.finder import FoundScan

log = logging.getLogger(__name__)

SEARCH_NS = 1_000_000_000
"""After so long the scans are looked for again, whatever the layout check says, until that was done `SETTLED` times."""
SETTLED_SEARCH_NS = 5_000_000_000
"""The same once it was done so often, something was found, and nothing but the scan changes."""
SETTLED = 5
EARLY_NS = 250_000_000
"""The same for the first `EARLY` times: one picture alone says less than several that move."""
EARLY = 2
SOONEST_NS = 250_000_000
"""A live stream's searches for another layout are at least so far apart; meanwhile no outline is known, nor shown."""
HISTORY_NS = 100_000_000
"""Distance of the earlier pictures that a search is given."""
HISTORY = 3
FRAME_NS = 33_000_000
"""Time that a frame of a file counts as, where the file gives none."""
MOVED = 0.03
"""Share of its size by which a side of a sharp scan must move to make another geometry."""
NO_HEIGHT = "the scan does not end sharply on all sides, so that its height in pixels is not known"
OTHER_DEPTH = "the scan area has changed since the stream began, and with it the depth that the configuration gives"


class ScanAreaTracker:
    """Finds and keeps the scan areas of one stream. Its frames are given in order, from one thread.

    Equal frames at equal times give equal regions, so that a file is the same whoever reads it.
    """

    def __init__(self, depth_mm: float | None = None) -> None:
        """``depth_mm``: of the scan, as the configuration has it; it holds for the first geometry that is seen."""
        self._depth_mm = depth_mm
        self._clip: tuple[object, ...] = ()
        self._geometry = 0
        self._sharp: tuple[Box, ...] | None = None
        self._first_sharp: tuple[Box, ...] | None = None
        self._other_depth = False
        self._spacing: tuple[object, ...] | None = None
        self._begin_clip()

    def _begin_clip(self) -> None:
        self._found: list[FoundScan | None] = []
        self._check: LayoutCheck | None = None
        self._searches = 0
        self._searched_ns = 0
        self._smalls: deque[tuple[int, NDArray[np.uint8]]] = deque(maxlen=HISTORY)

    def __call__(self, frame: Frame) -> Frame:
        """The frame with outlines in its regions, or with the regions that were found; and its geometry's number."""
        try:
            return self._with_outlines(frame)
        except Exception:  # it costs the outline, and nothing else: without one a frame is judged and not shown
            log.exception("stream %s: its scan area could not be looked for", frame.stream)
            self._begin_clip()
            return replace(frame, geometry=self._geometry)

    def _with_outlines(self, frame: Frame) -> Frame:
        now = _time_ns(frame)
        clip = (frame.origin.clip, frame.pixels.shape, tuple(region.box for region in frame.regions))
        if clip != self._clip:
            self._clip = clip
            self._begin_clip()
        self._note_picture(frame.pixels, now)
        known = self._check is not None and not self._check.is_another(frame.pixels)
        since = now - self._searched_ns
        soonest = SOONEST_NS if frame.origin.path is None else 0
        if self._check is None or since < 0 or since >= (self._pause_ns() if known else soonest):
            if not known:
                self._smalls.clear()  # of another layout: what differs from it is no noise
            self._search(frame, now)
            known = True
        regions = self._regions(frame) if known else frame.regions
        self._note_spacing(frame.regions)
        return replace(frame, regions=regions, geometry=self._geometry)

    def _pause_ns(self) -> int:
        """Time after a search at which the next one is due, while the layout is the same."""
        if self._searches <= EARLY:
            return EARLY_NS
        settled = self._searches >= SETTLED and any(each is not None for each in self._found)
        return SETTLED_SEARCH_NS if settled else SEARCH_NS

    def _note_picture(self, pixels: NDArray[np.uint8], now: int) -> None:
        """Keep a reduced picture now and then, for the next search."""
        if not self._smalls or not 0 <= now - self._smalls[-1][0] < HISTORY_NS:
            self._smalls.append((now, reduced(pixels, reduction(*pixels.shape[:2]))))

    def _search(self, frame: Frame, now: int) -> None:
        pixels = frame.pixels
        earlier = [small for at, small in self._smalls if at != now]
        smalls = [*earlier, reduced(pixels, reduction(*pixels.shape[:2]))]
        if frame.regions:
            self._found = [tighten(pixels, smalls, region) for region in frame.regions]
        else:
            self._found = [*find_scans(pixels, smalls)]
        self._searches, self._searched_ns = self._searches + 1, now
        self._check = LayoutCheck(pixels, tuple(each.region for each in self._found if each is not None))
        self._note_geometry()

    def _note_geometry(self) -> None:
        """Count another geometry, where scans whose sides are all sharp lie elsewhere than the last such ones."""
        found = [each for each in self._found if each is not None]
        if not found or not all(each.sharp for each in found):
            return
        boxes = tuple(_outline_box(each.region) for each in found)
        if self._sharp is not None and _moved(self._sharp, boxes):
            self._geometry += 1
        self._sharp = boxes
        self._first_sharp = self._first_sharp or boxes
        self._other_depth = _moved(self._first_sharp, boxes)

    def _note_spacing(self, regions: tuple[Region, ...]) -> None:
        """Count another geometry, where the source gives another size of its pixels: another depth."""
        spacing = tuple((region.mm_x, region.mm_y) for region in regions)
        if self._spacing is not None and spacing != self._spacing and len(spacing) == len(self._spacing):
            self._geometry += 1
        self._spacing = spacing

    def _regions(self, frame: Frame) -> tuple[Region, ...]:
        given = frame.regions or tuple(each.region for each in self._found if each is not None)
        return tuple(self._completed(region, found) for region, found in zip(given, self._found, strict=True))

    def _completed(self, region: Region, found: FoundScan | None) -> Region:
        """A region with its outline, and with the millimetres that the configured depth gives, or why it gives none."""
        if found is not None:
            region = msgspec.structs.replace(region, outline=found.region.outline, shape=found.region.shape)
        from_config = region.source == "config" if region.calibrated else self._depth_mm is not None
        if not from_config:
            return region
        if self._other_depth:
            return msgspec.structs.replace(region, mm_x=None, mm_y=None, uncalibrated=OTHER_DEPTH)
        if region.calibrated or self._depth_mm is None:
            return region
        if found is None or not found.sharp or not found.depth_px:
            return msgspec.structs.replace(region, uncalibrated=NO_HEIGHT)
        mm = self._depth_mm / found.depth_px
        measured = calibrated_region(region.box, mm, mm, region.source)
        return msgspec.structs.replace(measured, outline=region.outline, shape=region.shape)


def _time_ns(frame: Frame) -> int:
    """Time of a frame on its stream's own clock: the file's, where there is one, so that equal files are equal."""
    if frame.media_ns is not None:
        return frame.media_ns
    return frame.captured_ns if frame.origin.path is None else frame.origin.frame_index * FRAME_NS


def _outline_box(region: Region) -> Box:
    """Box around the outline of a region that has one."""
    xs, ys = zip(*(region.outline or ((0, 0),)), strict=True)
    return min(xs), min(ys), max(xs) - min(xs) + 1, max(ys) - min(ys) + 1


def _moved(before: tuple[Box, ...], after: tuple[Box, ...]) -> bool:
    """Whether scans are others in number, or one of their sides has moved."""
    if len(before) != len(after):
        return True
    pairs = zip(sorted(before), sorted(after), strict=True)
    return any(
        abs(a - b) > MOVED * max(old[2], old[3]) or abs(a + c - b - d) > MOVED * max(old[2], old[3])
        for old, new in pairs
        for a, b, c, d in ((old[0], new[0], old[2], new[2]), (old[1], new[1], old[3], new[3]))
    )
