"""Scan area of one stream over time: looked for anew each second and when the layout changes, else checked cheaply."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass, replace
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
MOVED_UNSHARP = 0.15
"""The same where a side is not sharp in one of the two: what is dark at a side moves it. The lower one does not count
then, for where a scan fades is another place with each gain."""
NO_HEIGHT = "the scan does not end sharply on all sides, so that its height in pixels is not known"
NOT_FOUND_YET = "the screen has just changed, and the scan was not looked for since"
OTHER_DEPTH = "the scan area has changed since the stream began, and with it the depth that the configuration gives"


class ScanAreaTracker:
    """Finds and keeps the scan areas of one stream. Its frames are given in order, from one thread.

    Equal frames at equal times give equal regions, so that a file is the same whoever reads it.
    """

    def __init__(self, depth_mm: float | None = None) -> None:
        """``depth_mm``: of the scan, as the configuration has it; it holds for the first geometry that is seen.

        Of files: for the first of each file.
        """
        self._depth_mm = depth_mm
        self._clip: tuple[object, ...] = ()
        self._file: tuple[object, ...] | None = None
        self._geometry = 0
        self._begin_file()
        self._begin_clip()

    def _begin_file(self) -> None:
        """Forget the geometry from before: another file is another examination, and is the same whoever reads it."""
        self._last: _Place | None = None
        self._first: _Place | None = None
        self._other_depth = False
        self._spacing: tuple[object, ...] | None = None

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
        file = None if frame.origin.path is None else (frame.origin.path, frame.origin.clip)
        if file != self._file:  # a live stream is one geometry, however often it is connected anew
            self._geometry += self._file is not None
            self._file = file
            self._begin_file()
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
        regions = self._regions(frame) if known else tuple(map(_unmeasured, frame.regions))
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
        """Count another geometry, where scans lie elsewhere than the last ones did; compare it with the first, too."""
        found = [each for each in self._found if each is not None]
        if not found:
            return
        place = _Place(tuple(_outline_box(each.region) for each in found), all(each.sharp for each in found))
        if self._first is None or self._last is None:
            self._first = self._last = place
            return
        if self._last.differs(place):
            self._geometry += 1
            self._last = place
        elif place.sharp or not self._last.sharp:
            self._last = place
        self._other_depth = self._first.differs(place)
        if place.sharp and not self._first.sharp and not self._other_depth:
            self._first = place

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
        """A region with its outline, and with the millimetres that the configured depth gives, or why it gives none.

        An outline that it has already (of the configuration) stays as it is.
        """
        if found is not None and region.outline is None:
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


def _unmeasured(region: Region) -> Region:
    """A region without the millimetres of the configuration, if it has them."""
    if region.source != "config" or not region.calibrated:
        return region
    return msgspec.structs.replace(region, mm_x=None, mm_y=None, uncalibrated=NOT_FOUND_YET)


def _time_ns(frame: Frame) -> int:
    """Time of a frame on its stream's own clock: the file's, where there is one, so that equal files are equal."""
    if frame.media_ns is not None:
        return frame.media_ns
    return frame.captured_ns if frame.origin.path is None else frame.origin.frame_index * FRAME_NS


def _outline_box(region: Region) -> Box:
    """Box around the outline of a region that has one."""
    xs, ys = zip(*(region.outline or ((0, 0),)), strict=True)
    return min(xs), min(ys), max(xs) - min(xs) + 1, max(ys) - min(ys) + 1


@dataclass(frozen=True, slots=True)
class _Place:
    """Boxes of the scans that were found at once, and whether all of their sides are sharp."""

    boxes: tuple[Box, ...]
    sharp: bool

    def differs(self, other: _Place) -> bool:
        """Whether scans are others in number, or one of their sides has moved: by little only where all are sharp."""
        sharp = self.sharp and other.sharp
        if len(self.boxes) != len(other.boxes):
            return sharp
        share = MOVED if sharp else MOVED_UNSHARP
        pairs = zip(sorted(self.boxes), sorted(other.boxes), strict=True)
        return any(
            abs(before - now) > share * max(old[2:])
            for old, new in pairs
            for before, now in zip(_sides(old)[: 4 if sharp else 3], _sides(new), strict=False)
        )


def _sides(box: Box) -> tuple[int, int, int, int]:
    """Left, right, top and bottom of a box."""
    x, y, w, h = box
    return x, x + w, y, y + h
