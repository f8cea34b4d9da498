"""Session of one browser: a WebSocket on which it asks for the newest frame, the history, and gives orders.

A picture is sent when the browser asks for one, so that a slow browser or a hidden tab has nothing to catch up.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import time
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from starlette.websockets import WebSocketDisconnect

from edge.contracts.decoding import UnreadableError, decode_json
from edge.contracts.feedback import Answer
from edge.viewer.occlusion_child import MapAnswer
from edge.viewer.page_message import frozen_message, live_message, pack

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

    from edge.viewer.device_view import DeviceView

log = logging.getLogger("edge.viewer")

MOST_BYTES = 2048
"""Of a message from a browser."""
NEWS_S = 0.25
"""A browser that asked is answered after so long at most, with the state alone if there is no new picture."""
SEND_S = 5.0
"""A browser that takes a message no faster is given up."""
SILENT_S = 30.0
"""A browser that asks for nothing for so long is given up; a hidden tab comes back by itself."""
MOST_A_SECOND = 120
PAUSE_S = 0.1
"""Whoever asks more often waits so long for each further answer."""
_numbers = itertools.count(1)


class PageRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the page asks for."""

    want: Literal["live", "freeze", "frame", "release", "why", "exam", "feedback"]
    stream: Annotated[str, msgspec.Meta(max_length=32)] = ""
    after: int = -1
    """``live``: the last number of the stream that the page has."""
    picture: bool = True
    """``live``: whether it wants the large picture."""
    seq: int = -1
    """``freeze``, ``frame``, ``feedback``: number of the frame."""
    finding: Annotated[str, msgspec.Meta(max_length=64)] = ""
    agrees: bool = True


class Session:
    """One browser's session, until it leaves."""

    def __init__(self, socket: WebSocket, device: DeviceView) -> None:
        """``socket``: accepted already."""
        self._socket, self._device = socket, device
        self._number = next(_numbers)
        self._sending = asyncio.Lock()
        self._live: asyncio.Task[None] | None = None
        self._why: asyncio.Task[None] | None = None
        self._asked: list[float] = []

    async def run(self) -> None:
        """Answer the browser until it leaves, is silent for too long, or asks for what makes no sense."""
        try:
            while True:
                text = await asyncio.wait_for(self._socket.receive_text(), SILENT_S)
                if len(text) > MOST_BYTES:
                    break
                if self._too_many():
                    await asyncio.sleep(PAUSE_S)
                await self._answer(decode_json(text, PageRequest))
        except (WebSocketDisconnect, UnreadableError, asyncio.TimeoutError, KeyError, RuntimeError):
            pass
        finally:
            for task in (self._live, self._why):
                if task is not None:
                    task.cancel()
            for stream in self._device.streams.values():
                stream.history.release(self._number)
            with contextlib.suppress(Exception):
                await self._socket.close(1008)

    def _too_many(self) -> bool:
        now = time.monotonic()
        self._asked = [at for at in self._asked if now - at < 1.0]
        self._asked.append(now)
        return len(self._asked) > MOST_A_SECOND

    async def _answer(self, request: PageRequest) -> None:
        stream = self._device.streams.get(request.stream)
        if stream is None:
            await self._send(pack({"kind": "streams", "streams": list(self._device.streams)}))
        elif request.want == "live":
            if self._live is None or self._live.done():
                self._live = asyncio.create_task(self._next(request))
        elif request.want == "release":
            stream.history.release(self._number)
        elif request.want in ("freeze", "frame"):
            await self._history(request)
        elif request.want == "why":
            if self._why is None or self._why.done():
                self._why = asyncio.create_task(self._explain(request))
        else:
            await self._order(request)

    async def _next(self, request: PageRequest) -> None:
        """Send the newest frame, as soon as there is another than the page has."""
        chosen = self._device.streams[request.stream]
        until = time.monotonic() + NEWS_S
        for stream in self._device.streams.values():
            stream.watch()
        while chosen.number == request.after and (left := until - time.monotonic()) > 0:
            await self._device.changed(left)
        new = chosen.number != request.after
        try:
            message = live_message(self._device, chosen, with_picture=new and request.picture)
        except Exception:  # a page that waits in vain would only say that there is no connection
            log.exception("a frame of %s cannot be shown", request.stream)
            message = pack({"kind": "failed", "stream": request.stream})
            await asyncio.sleep(NEWS_S)
        with contextlib.suppress(RuntimeError, WebSocketDisconnect, asyncio.TimeoutError):
            await self._send(message)

    async def _history(self, request: PageRequest) -> None:
        """Freeze what is there, or send one frame of it."""
        stream = self._device.streams[request.stream]
        if request.want == "freeze":
            shown = stream.shown()
            stream.history.hold(self._number, shown)
        seqs = stream.history.seqs()
        kept = stream.history.frame(request.seq)
        if kept is None and request.want == "freeze" and seqs:
            kept = stream.history.frame(seqs[-1])
        if kept is None:
            await self._send(pack({"kind": "gone", "stream": request.stream}))
            return
        await self._send(frozen_message(kept, seqs))

    async def _explain(self, request: PageRequest) -> None:
        """Send the occlusion map of a frame of the history, or say that there is none."""
        kept = self._device.streams[request.stream].history.frame(request.seq)
        maps = self._device.maps
        answer = MapAnswer(error="no_map") if kept is None or maps is None else await maps.make(kept)
        header = {"kind": "why", "stream": request.stream, "seq": request.seq, **msgspec.to_builtins(answer)}
        with contextlib.suppress(RuntimeError, WebSocketDisconnect, asyncio.TimeoutError):
            await self._send(pack(header))

    async def _order(self, request: PageRequest) -> None:
        """Have an order carried out, and say whether it was."""
        answer = None
        if request.want == "feedback":
            answer = self._feedback(request)
            if answer is None:
                await self._send_result(request, "unknown_finding")
                return
        result = await self._device.order("exam" if answer is None else "feedback", [request.stream], answer)
        await self._send_result(request, result.error)

    def _feedback(self, request: PageRequest) -> Answer | None:
        """What a person said of a finding that the page was shown; None: there is no such finding."""
        stream = self._device.streams[request.stream]
        exam_id = stream.exam_of(request.finding) if request.finding else None
        newest = stream.shown()
        if exam_id is None or newest is None or not 0 <= request.seq <= newest.note.seq:
            return None
        return Answer(exam_id=exam_id, finding_id=request.finding, frame_seq=request.seq, agrees=request.agrees)

    async def _send_result(self, request: PageRequest, error: str | None) -> None:
        header: dict[str, Any] = {"kind": "done", "want": request.want, "stream": request.stream, "error": error}
        await self._send(pack({**header, "finding": request.finding, "agrees": request.agrees}))

    async def _send(self, message: bytes) -> None:
        async with self._sending:
            await asyncio.wait_for(self._socket.send_bytes(message), SEND_S)
