"""Makes the durable messages of one stream and hands them over; one without room becomes a gap in the coverage."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from edge.contracts import topics

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.config.settings import StreamSettings
    from edge.contracts.envelope import Durable
    from edge.contracts.feedback import Answer
    from edge.contracts.frames import Frame
    from edge.contracts.ports import FrameLink
    from edge.pipeline.coverage import CoverageChange
    from edge.pipeline.label_tracker import LabelEvent
    from edge.pipeline.messages import Messages
    from edge.pipeline.tracker import TrackEvent

log = logging.getLogger(__name__)


class StreamMessages:
    """Durable messages of one stream. After one that found no room, none is handed over until the gap has been."""

    def __init__(
        self,
        settings: StreamSettings,
        messages: Messages,
        frame_link: FrameLink,
        on_no_room: Callable[[], CoverageChange],
    ) -> None:
        """``on_no_room`` is called when a message was lost; it returns the gap in the coverage that begins there."""
        self._settings, self._messages, self._frame_link, self._on_no_room = settings, messages, frame_link, on_no_room
        self._gap: CoverageChange | None = None
        """There was no room for a message of this stream: this comes first when there is room again."""

    @property
    def has_gap(self) -> bool:
        """Whether a message was lost and the gap has not been handed over yet."""
        return self._gap is not None

    def finding(self, event: TrackEvent, frame: Frame, exam_id: str) -> None:
        """Hand over a lifecycle event of a lesion."""
        message = self._messages.finding(event, frame, self._settings, exam_id)
        self._keep(topics.findings(self._settings.name), message)

    def label(self, event: LabelEvent, frame: Frame, exam_id: str) -> None:
        """Hand over a lifecycle event of a label."""
        message = self._messages.label(event, frame, self._settings, exam_id)
        self._keep(topics.labels(self._settings.name), message)

    def coverage(self, change: CoverageChange, exam_id: str) -> None:
        """Hand over a change of the stream's result state."""
        name = self._settings.name
        self._keep(topics.coverage(name), self._messages.coverage(change, name, exam_id))

    def feedback(self, answer: Answer) -> bool:
        """Hand over a person's word on a finding; False: there is no room, and whoever said it is to be told so."""
        name = self._settings.name
        return self._gap is None and self._frame_link.durable(
            topics.feedback(name), self._messages.feedback(answer, name)
        )

    def has_room(self, exam_id: str) -> bool:
        """Whether messages of this stream are taken; hands over the gap once they are again."""
        if self._gap is not None:
            name = self._settings.name
            gap = self._messages.coverage(self._gap, name, exam_id)
            if self._frame_link.durable(topics.coverage(name), gap):
                self._gap = None
        return self._gap is None

    def _keep(self, suffix: str, message: Durable) -> None:
        """Hand over what must not be lost. No room: from here on nothing is known, and that will be the next word."""
        if self._gap is None and not self._frame_link.durable(suffix, message):
            log.error("stream %s: no room for what was found; it is told as not_recorded", self._settings.name)
            self._gap = self._on_no_room()
