"""Exam tracking: the boundary between patients, where a new random exam id begins and every lesion track ends."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.contracts.frames import Frame


class ExamTracker:
    """Current exam of one stream, and when the next one begins."""

    def __init__(self, idle_timeout_s: float) -> None:
        self._idle_ns = int(idle_timeout_s * 1e9)
        self._study: str | None = None
        self._last_judged_ns: int | None = None
        self._begun: tuple[int, str] | None = None
        """(from when on, id) of an exam that was begun on request, until a frame of it has come."""
        self.exam_id = str(uuid.uuid4())

    def starts_new_exam(self, frame: Frame) -> bool:
        """Whether ``frame`` is the first of a new exam: begun on request, another study, or after an idle time.

        The new exam holds from here on: ask once for each frame, in order.
        """
        study = frame.origin.study
        new_study = study is not None and self._study is not None and study != self._study
        idle = self._last_judged_ns is not None and frame.captured_ns - self._last_judged_ns > self._idle_ns
        self._study = study if study is not None else self._study
        if self.enter_begun_exam(frame.captured_ns):
            return True
        if new_study or idle:
            self.restart()
            return True
        return False

    def note_judged(self, captured_ns: int) -> None:
        """Note that a frame was judged at this time of the monotonic clock: the exam goes on."""
        self._last_judged_ns = captured_ns

    def begin(self, at_ns: int) -> str:
        """Begin an exam on request with what is captured at ``at_ns`` or later; the id of the new exam.

        Frames that are still on their way belong to the one before.
        """
        self._begun = (at_ns, str(uuid.uuid4()))
        return self._begun[1]

    def enter_begun_exam(self, at_ns: int) -> bool:
        """Switch to the exam that `begin` announced, if ``at_ns`` has reached its start; whether it did."""
        if self._begun is None or at_ns < self._begun[0]:
            return False
        self.exam_id, self._begun, self._last_judged_ns = self._begun[1], None, None
        return True

    def restart(self) -> None:
        """Begin a new exam at once, with a new random id."""
        self.exam_id = str(uuid.uuid4())
        self._last_judged_ns = None
