"""Publisher process of the daemon, started for a benchmark run, and the broker that it sends to."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import msgspec

from edge.config.uri import parse_uri
from edge.contracts.errors import SinkError
from edge.process.child import Child

if TYPE_CHECKING:
    from types import TracebackType

    from edge.bench.stage_timing import TimedFrameLink
    from edge.config.settings import AffinitySettings, Settings

MODULE = "edge.daemon.publisher.process"
CONNECT_S = 10.0
DRAIN_S = 5.0
"""At the end, for the broker to acknowledge what is still on its way."""
STOP_S = 5.0


class PublisherProcess:
    """Context manager of the daemon's publisher process: it runs until the end of the ``with`` block.

    ``frame_socket`` is the frame process' end of the socket pair.
    """

    def __init__(self, settings: Settings, run_id: str, affinity: AffinitySettings) -> None:
        """Not started yet. ``settings`` name state directory, device and sinks; no sink: nothing is ever started."""
        self.frame_socket, self._publisher_socket = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # As edge.daemon.job has it, which stands beside us: the publisher is told when messages arrive to tell it on.
        job = {"settings": settings, "run_id": run_id, "affinity": affinity, "tell_acks": True}
        self._job = msgspec.json.encode(job)
        self._wanted = bool(settings.sinks)
        self._broker = parse_uri(settings.sinks[0].uri).redacted() if settings.sinks else ""
        self._child: Child | None = None

    def __enter__(self) -> PublisherProcess:
        if self._wanted:
            self._child = Child(MODULE, self._job, (self._publisher_socket.fileno(),))
        return self

    def wait_for_broker(self, frame_link: TimedFrameLink) -> None:
        """Wait until the broker has acknowledged what was handed over so far.

        Raises `SinkError` if it does not within `CONNECT_S`, or if the publisher gives up.
        """
        if self._wanted and frame_link.message_count and not self._wait(frame_link, CONNECT_S):
            raise SinkError(
                f"{self._broker} has acknowledged nothing within {CONNECT_S:.0f} s",
                hint="is the broker running, and may device benchmark publish there?",
            )

    def drain(self, frame_link: TimedFrameLink) -> None:
        """Wait at most `DRAIN_S` for acknowledgements of what is still on its way."""
        if self._wanted:
            self._wait(frame_link, DRAIN_S)

    def _wait(self, frame_link: TimedFrameLink, limit_s: float) -> bool:
        deadline = time.monotonic() + limit_s
        while frame_link.unacknowledged and time.monotonic() < deadline:
            if self._child is None or self._child.poll() is not None:
                return False
            frame_link.read_acknowledgements()
            time.sleep(0.01)
        frame_link.read_acknowledgements()
        return not frame_link.unacknowledged

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._child is not None:
            self._child.terminate()
            self._child.wait(STOP_S)
            self._child.kill()
        self.frame_socket.close()
        self._publisher_socket.close()
