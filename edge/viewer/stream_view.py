"""View of one stream: its newest frame as JPEG, what happened since, and the history of its present exam."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import cv2

from edge.viewer.history import History, KeptFrame

if TYPE_CHECKING:
    from edge.tap.messages import StreamReport, TapEvent
    from edge.tap.reader import TappedFrame

WATCHED_S = 2.0
"""A browser that has asked for nothing for so long does not look: nothing is encoded for it."""
MOST_FINDINGS = 200
"""Ids that are kept of an exam, of which a person may say something."""
THUMB_WIDTH = 200
THUMB_EVERY_NS = 200_000_000


class StreamView:
    """What the viewer knows of one stream, of the present exam only."""

    def __init__(self, name: str, history_bytes: int, quality: int) -> None:
        """``quality``: of JPEG; ``history_bytes``: see `History`."""
        self.name = name
        self.history = History(history_bytes)
        self.frame: TappedFrame | None = None
        """Newest frame; None: none of the present exam."""
        self.event: TapEvent | None = None
        """What the source gave instead of a frame, since the newest one."""
        self.report: StreamReport | None = None
        self.exam_id = ""
        self.number = 0
        """Counts whatever changes what is shown."""
        self._quality = [cv2.IMWRITE_JPEG_QUALITY, quality]
        self._not_before_ns = 0
        self._kept: KeptFrame | None = None
        self._thumb: tuple[int, bytes | None] = (0, None)
        self._watched_at = 0.0
        self._findings: dict[str, None] = {}
        """Ids of the findings of this exam, the newest last."""

    def watch(self) -> None:
        """Note that somebody looks now."""
        self._watched_at = time.monotonic()

    def take_frame(self, frame: TappedFrame) -> None:
        """Take a new frame; one of an exam that has ended is left out."""
        if frame.note.captured_ns < self._not_before_ns:
            return
        if frame.note.exam_id != self.exam_id:
            self.wipe(frame.note.exam_id)
        self.frame, self._kept = frame, None
        if self.event is not None and self.event.at_ns <= time.monotonic_ns():
            self.event = None
        self.number += 1
        for finding in frame.note.track_ids:
            if finding is not None:
                self._findings[finding] = self._findings.pop(finding, None)
        while len(self._findings) > MOST_FINDINGS:
            del self._findings[next(iter(self._findings))]
        if time.monotonic() - self._watched_at < WATCHED_S:
            self.history.add(self.shown_frame(frame))

    def take_event(self, event: TapEvent) -> None:
        """Take note of what the source gave instead of a frame, or that another exam begins."""
        self.number += 1
        if event.kind == "exam":
            self._not_before_ns = max(self._not_before_ns, event.at_ns)
            self.wipe(event.exam_id)
        elif event.kind != "skipped" or self.frame is None or self.frame.note.captured_ns < event.at_ns:
            self.event = event

    def take_report(self, report: StreamReport) -> None:
        """Take the stream's part of a report."""
        if report != self.report:
            self.number += 1
        if self.event is not None and self.event.kind == "lost" and not report.lost and self.frame is not None:
            self.event = None
        self.report = report

    def wipe(self, exam_id: str) -> None:
        """Forget picture, results and history: the exam has ended."""
        self.frame = self._kept = None
        self._thumb = (0, None)
        self.history.wipe()
        self._findings = {}
        self.exam_id = exam_id

    def exam_of(self, finding_id: str) -> str | None:
        """Exam of a finding that the page was shown lately; None: there is none of this id."""
        return self.exam_id if finding_id in self._findings else None

    def shown(self) -> KeptFrame | None:
        """Newest frame with its JPEG, encoded once for all; None: there is no frame."""
        return None if self.frame is None else self.shown_frame(self.frame)

    def shown_frame(self, frame: TappedFrame) -> KeptFrame:
        """The newest frame with its JPEG, encoded when first asked for."""
        if self._kept is None:
            self._kept = KeptFrame(frame.note, self._encode(frame))
        return self._kept

    def thumb(self) -> bytes | None:
        """Small JPEG of the newest frame, of a moment ago at most; None: there is no picture."""
        if self.frame is None or self.frame.pixels is None:
            return None
        captured_ns = self.frame.note.captured_ns
        if captured_ns - self._thumb[0] >= THUMB_EVERY_NS or self._thumb[1] is None:
            pixels = self.frame.pixels
            height = max(1, round(pixels.shape[0] * THUMB_WIDTH / pixels.shape[1]))
            small = cv2.resize(pixels, (THUMB_WIDTH, height), interpolation=cv2.INTER_AREA)
            self._thumb = (captured_ns, _jpeg(small, [cv2.IMWRITE_JPEG_QUALITY, 70]))
        return self._thumb[1]

    def _encode(self, frame: TappedFrame) -> bytes | None:
        return None if frame.pixels is None else _jpeg(frame.pixels, self._quality)


def _jpeg(pixels: object, options: list[int]) -> bytes | None:
    picture = pixels if getattr(pixels, "ndim", 2) == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".jpg", picture, options)
    return bytes(data) if done else None
