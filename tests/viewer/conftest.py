"""Viewer processes for tests, and a browser's side of the WebSocket without a browser."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("starlette", reason="the extra viewer is not installed")
pytest.importorskip("uvicorn", reason="the extra viewer is not installed")
pytest.importorskip("websockets", reason="the extra viewer is not installed")

from viewer_rig import LIMIT_S, ViewerRig
from websockets.sync.client import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from websockets.sync.client import ClientConnection


@pytest.fixture(scope="module")
def rig() -> Iterator[ViewerRig]:
    """A viewer process with the streams cart and second; tests leave them as they found them."""
    made = ViewerRig(streams=("cart", "second"))
    yield made
    made.close()


class Page:
    """A page without a browser: asks, and takes the messages apart."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    def ask(self, want: str, **more: Any) -> None:
        self.socket.send(json.dumps({"want": want, "stream": "cart", **more}))

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

    def live(self, stream: str = "cart", **more: Any) -> tuple[dict[str, Any], list[bytes]]:
        self.ask("live", stream=stream, **more)
        while True:
            header, pictures = self.answer()
            if header["kind"] in ("live", "state"):
                return header, pictures

    def until(self, condition: Callable[[dict[str, Any]], bool], stream: str = "cart") -> tuple[dict[str, Any], list[bytes]]:
        until = time.monotonic() + LIMIT_S
        number = -1
        while time.monotonic() < until:
            header, pictures = self.live(stream, after=number)
            number = header["stream"]["number"]
            if condition(header):
                return header, pictures
        raise AssertionError("waited in vain")


@pytest.fixture
def page(rig: ViewerRig) -> Iterator[Page]:
    with connect(f"ws://127.0.0.1:{rig.port}/live", origin=rig.address.rstrip("/"), max_size=None) as socket:  # type: ignore[arg-type]
        yield Page(socket)
