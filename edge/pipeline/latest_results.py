"""Sends the latest result of each stream (`results/{stream}`), at most N a second; keeps none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.contracts import topics

if TYPE_CHECKING:
    from edge.contracts.frame_result import Result
    from edge.contracts.ports import FrameLink
    from edge.pipeline.messages import Messages


class LatestResultSender:
    """Rate limiter in front of the latest results; each stream has a limit of its own."""

    def __init__(self, messages: Messages, frame_link: FrameLink, results_per_s: float) -> None:
        self._messages, self._frame_link = messages, frame_link
        self._interval_ns = int(1e9 / results_per_s)
        self._not_before_ns: dict[str, int] = {}
        """Capture time of the next frame whose result is sent, by stream."""

    def offer(self, result: Result, exam_id: str) -> None:
        """Send ``result`` unless one of a frame captured shortly before was sent."""
        if result.captured_ns >= self._not_before_ns.get(result.stream, 0):
            self._not_before_ns[result.stream] = result.captured_ns + self._interval_ns
            self._frame_link.latest(topics.results(result.stream), self._messages.latest_result(result, exam_id))
