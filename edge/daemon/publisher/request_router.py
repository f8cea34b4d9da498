"""Routes requests from all connections to one handler, and each response back to where it was asked for."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.contracts.frame_command import FrameCommandResult
    from edge.contracts.ports import Link, Outgoing
    from edge.daemon.publisher.requests import RequestHandler

RESPONSES_LIMIT = 500
"""Responses that wait for a connection; older ones are dropped, and whoever asked asks again."""


class RequestRouter:
    """Routes requests of all links to one `RequestHandler`, and the responses back."""

    def __init__(self, links: Sequence[Link], handler: RequestHandler) -> None:
        self._links = links
        self._handler = handler
        self._responses: deque[tuple[Link, Outgoing]] = deque(maxlen=RESPONSES_LIMIT)
        """Those that their link has no room for yet."""

    def work(self) -> None:
        """One turn: answer new requests and those whose frame command timed out; send what there is room for."""
        for link in self._links:
            for incoming in link.heard():
                response = self._handler.answer(incoming, link.name)
                if response is not None:
                    self._responses.append((link, response))
        for late in self._handler.timed_out():
            self._respond(late)
        for _ in range(len(self._responses)):
            link, response = self._responses.popleft()
            if not link.send(response):
                self._responses.append((link, response))

    def answer_command(self, result: FrameCommandResult) -> None:
        """Take the result of a frame command; whoever asked for it gets the response at the next turn."""
        self._respond(self._handler.answer_command(result))

    def _respond(self, answer: tuple[str, Outgoing] | None) -> None:
        for link in self._links:
            if answer is not None and link.name == answer[0]:
                self._responses.append((link, answer[1]))
