"""Handles the packets of the frame process: reports, results of frame commands, and unstored messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.contracts.frame_command import FrameCommandResult
from edge.contracts.frame_report import FrameReport
from edge.contracts.ports import Outgoing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.app.frame_link import UnstoredMessage
    from edge.contracts.ports import Sink
    from edge.daemon.publisher.request_router import RequestRouter
    from edge.daemon.publisher.state_and_health import StateAndHealth


class FramePacketHandler:
    """Passes each packet of the frame process on: to `state` and `health`, to a waiting request, or to the sinks."""

    def __init__(self, state_and_health: StateAndHealth, request_router: RequestRouter, sinks: Sequence[Sink]) -> None:
        self._state_and_health, self._request_router, self._sinks = state_and_health, request_router, sinks

    def handle(self, packet: FrameReport | FrameCommandResult | UnstoredMessage) -> None:
        """Pass on one decoded packet; an unstored message is dropped where a sink has no connection."""
        if isinstance(packet, FrameReport):
            self._state_and_health.set_report(packet)
        elif isinstance(packet, FrameCommandResult):
            self._request_router.answer_command(packet)
        else:
            for sink in self._sinks:
                if sink.session:
                    sink.send(Outgoing(packet.suffix, packet.body, None, qos=0))
