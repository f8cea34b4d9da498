"""The boundary between patients: a new exam gets a new random id, and no lesion track crosses it."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.contracts.frames import Frame


class ExamTracker:
    """The current exam of one stream."""

    def __init__(self, idle_timeout_s: float) -> None:
        self._idle_ns = int(idle_timeout_s * 1e9)
        self._study: str | None = None
        self._last_judged_ns: int | None = None
        self._told: tuple[int, str] | None = None
        """(from when on, id) of an exam that was begun from outside, until a frame of it has come."""
        self.exam_id = str(uuid.uuid4())

    def starts_with(self, frame: Frame) -> bool:
        """Whether ``frame`` belongs to a new exam: begun from outside, another study, or after an idle time."""
        study = frame.origin.study
        new_study = study is not None and self._study is not None and study != self._study
        idle = self._last_judged_ns is not None and frame.captured_ns - self._last_judged_ns > self._idle_ns
        self._study = study if study is not None else self._study
        if self.crosses(frame.captured_ns):
            return True
        if new_study or idle:
            self.restart()
            return True
        return False

    def judged(self, captured_ns: int) -> None:
        """A frame was judged: the exam goes on."""
        self._last_judged_ns = captured_ns

    def begin(self, at_ns: int) -> str:
        """Told from outside: what is captured at ``at_ns`` or later belongs to a new exam, whose id this is.

        Frames that are still on their way belong to the one before.
        """
        self._told = (at_ns, str(uuid.uuid4()))
        return self._told[1]

    def crosses(self, at_ns: int) -> bool:
        """Whether ``at_ns`` is the first moment seen of an exam that was begun by `begin`; then that one holds."""
        if self._told is None or at_ns < self._told[0]:
            return False
        self.exam_id, self._told, self._last_judged_ns = self._told[1], None, None
        return True

    def restart(self) -> None:
        """Begin a new exam at once."""
        self.exam_id = str(uuid.uuid4())
        self._last_judged_ns = None
