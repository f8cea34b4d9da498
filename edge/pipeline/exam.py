"""The boundary between patients: a new exam gets a new random id, and no lesion track crosses it."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.contracts.frames import Frame


class ExamKeeper:
    """The current exam of one stream."""

    def __init__(self, idle_timeout_s: float) -> None:
        self._idle_ns = int(idle_timeout_s * 1e9)
        self._study: str | None = None
        self._last_judged_ns: int | None = None
        self.exam_id = str(uuid.uuid4())

    def starts_with(self, frame: Frame) -> bool:
        """Whether ``frame`` belongs to a new exam: another study in DICOM, or the first after an idle time."""
        study = frame.origin.study
        new_study = study is not None and self._study is not None and study != self._study
        idle = self._last_judged_ns is not None and frame.captured_ns - self._last_judged_ns > self._idle_ns
        self._study = study if study is not None else self._study
        if new_study or idle:
            self.restart()
            return True
        return False

    def judged(self, captured_ns: int) -> None:
        """A frame was judged: the exam goes on."""
        self._last_judged_ns = captured_ns

    def restart(self) -> None:
        """Begin a new exam, as told from outside."""
        self.exam_id = str(uuid.uuid4())
        self._last_judged_ns = None
