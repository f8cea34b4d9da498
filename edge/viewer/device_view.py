"""View of the device: all streams, and how frame process and publisher are; wakes who waits for something new."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from typing import TYPE_CHECKING, Literal

from edge.tap.messages import OrderResult, TapEvent, TapReport, ViewerOrder
from edge.viewer.history import TOTAL_BYTES
from edge.viewer.occlusion import OcclusionMaps
from edge.viewer.stream_view import StreamView

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.contracts.feedback import Answer
    from edge.tap.reader import TapReader
    from edge.tap.viewer_job import ViewerJob

DOWN_S = 0.6
"""A frame process whose loop has not turned for so long is told as one that does not judge."""
PUBLISHER_DOWN_S = 3.0
CHECK_S = 0.15
ORDER_S = 2.0
"""An order that is not carried out within so long is told as one that failed."""


class DeviceView:
    """What the viewer knows of the device. Used by one event loop."""

    def __init__(self, tap: TapReader, job: ViewerJob, heartbeat: Callable[[], None] = lambda: None) -> None:
        """``heartbeat`` is called a few times a second."""
        self.job = job
        self._tap, self._heartbeat = tap, heartbeat
        each = TOTAL_BYTES // max(1, len(job.streams))
        self.streams = {name: StreamView(name, each, job.view.quality) for name in job.streams}
        self.maps = None if job.model is None else OcclusionMaps(job.model)
        self.report: TapReport | None = None
        self._publisher: tuple[int, list[str]] = (0, [])
        self._began_ns = time.monotonic_ns()
        self._changed = asyncio.Event()
        self._orders: dict[str, asyncio.Future[OrderResult]] = {}
        self._checking: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to listen to the channel, in the running loop."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._tap.ready_fd, self._take_frames)
        loop.add_reader(self._tap.link_fd, self._take_messages)
        self._take_frames()
        self._checking = loop.create_task(self._check())

    async def stop(self) -> None:
        """Stop to listen to the channel."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._tap.ready_fd)
        loop.remove_reader(self._tap.link_fd)
        if self._checking is not None:
            self._checking.cancel()
        if self.maps is not None:
            self.maps.close()

    async def changed(self, timeout_s: float) -> None:
        """Wait until something has changed, or the time is over."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._changed.wait(), timeout_s)

    @property
    def down(self) -> bool:
        """Whether the frame process is not there or hangs: nothing is judged."""
        alive_ns = self._tap.alive_ns()
        return time.monotonic_ns() - max(alive_ns, self._began_ns if alive_ns == 0 else 0) > DOWN_S * 1e9

    @property
    def starting(self) -> bool:
        """Whether the frame process has never judged yet."""
        return self._tap.alive_ns() == 0

    def reasons(self) -> list[str]:
        """Why the device is not well, one word each (``mqtt://broker:unreachable``)."""
        own = [] if self.report is None else self.report.reasons
        at_ns, publisher = self._publisher
        late = at_ns and time.monotonic_ns() - at_ns > PUBLISHER_DOWN_S * 1e9
        return list(dict.fromkeys([*own, *publisher, *(["publisher_down"] if late else [])]))

    async def order(
        self, name: Literal["exam", "feedback"], streams: list[str], answer: Answer | None = None
    ) -> OrderResult:
        """Have the frame process carry out an order; its answer, ``unavailable`` if none came in time."""
        now = time.monotonic_ns()
        order = ViewerOrder(
            id=uuid.uuid4().hex,
            name=name,
            streams=streams,
            at_ns=now,
            until_ns=now + int(ORDER_S * 1e9),
            answer=answer,
        )
        waiting: asyncio.Future[OrderResult] = asyncio.get_running_loop().create_future()
        self._orders[order.id] = waiting
        try:
            if not self._tap.order(order):
                return OrderResult(id=order.id, error="unavailable")
            return await asyncio.wait_for(waiting, ORDER_S + 0.2)
        except asyncio.TimeoutError:
            return OrderResult(id=order.id, error="unavailable")
        finally:
            self._orders.pop(order.id, None)

    def _take_frames(self) -> None:
        for frame in self._tap.newest():
            stream = self.streams.get(frame.note.stream)
            if stream is not None:
                stream.take_frame(frame)
        self._tell()

    def _take_messages(self) -> None:
        self._take_frames()  # what was captured before an event comes before it
        for message in self._tap.messages():
            if isinstance(message, TapReport):
                self.report = message
                for each in message.streams:
                    if each.name in self.streams:
                        self.streams[each.name].take_report(each)
            elif isinstance(message, TapEvent):
                if message.stream in self.streams:
                    self.streams[message.stream].take_event(message)
            elif message.id in self._orders and not self._orders[message.id].done():
                self._orders[message.id].set_result(message)
        self._tell()

    def _tell(self) -> None:
        """Wake all who wait."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def _check(self) -> None:
        before: object = None
        while True:
            self._heartbeat()
            note = self._tap.publisher_note()
            if note is not None:
                self._publisher = (note.at_ns, note.reasons)
            state = (self.down, self.reasons())
            if state != before:
                before = state
                self._tell()
            await asyncio.sleep(CHECK_S)
