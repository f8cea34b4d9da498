"""ViewerPage without a browser: the browser's side of the viewer's WebSocket, for tests."""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING, Any

from websockets.sync.client import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from websockets.sync.client import ClientConnection

LIMIT_S = 60.0
"""Of everything that is waited for: a loaded machine."""


@contextlib.contextmanager
def connected(address: str, **headers: str) -> Iterator[ViewerPage]:
    """A page that is connected to the viewer at ``address`` (http://127.0.0.1:PORT/)."""
    origin = address.rstrip("/")
    place = f"ws{origin.removeprefix('http')}/live"
    with connect(place, origin=origin, additional_headers=headers, max_size=None) as socket:  # type: ignore[arg-type]
        yield ViewerPage(socket)


class ViewerPage:
    """A page without a browser: asks, and takes the messages apart."""

    def __init__(self, socket: ClientConnection, stream: str = "cart") -> None:
        self.socket, self.stream = socket, stream

    def ask(self, want: str, **more: Any) -> None:
        self.socket.send(json.dumps({"want": want, "stream": self.stream, **more}))

    def answer(self) -> tuple[dict[str, Any], list[bytes]]:
        message = self.socket.recv(LIMIT_S)
        assert isinstance(message, bytes)
        length = int.from_bytes(message[:4], "big")
        header, rest = json.loads(message[4 : 4 + length]), message[4 + length :]
        pictures = []
        for size in header["pictures"]:
            pictures.append(rest[:size])
            rest = rest[size:]
        assert rest == b""
        return header, pictures

    def of_kind(self, kind: str) -> tuple[dict[str, Any], list[bytes]]:
        while True:
            header, pictures = self.answer()
            if header["kind"] == kind:
                return header, pictures

    def live(self, stream: str = "", **more: Any) -> tuple[dict[str, Any], list[bytes]]:
        self.ask("live", stream=stream or self.stream, **more)
        while True:
            header, pictures = self.answer()
            if header["kind"] in ("live", "state"):
                return header, pictures

    def until(
        self, condition: Callable[[dict[str, Any]], bool], stream: str = ""
    ) -> tuple[dict[str, Any], list[bytes]]:
        until = time.monotonic() + LIMIT_S
        number = -1
        while time.monotonic() < until:
            header, pictures = self.live(stream, after=number)
            number = header["stream"]["number"]
            if condition(header):
                return header, pictures
        raise AssertionError("waited in vain")
