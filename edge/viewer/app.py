"""Web application of the viewer: the page's files, the WebSocket, reports and the login."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute

from edge.contracts.decoding import UnreadableError, decode_json
from edge.viewer.access import COOKIE, HEADERS
from edge.viewer.report import REPORTS
from edge.viewer.session import Session
from edge.viewer.texts import PAGE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from starlette.websockets import WebSocket

    from edge.viewer.access import Access
    from edge.viewer.device_view import DeviceView

MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
FILES = tuple(path for path in PAGE.iterdir() if path.suffix in MEDIA_TYPES)
OPEN_PATHS = frozenset({"/", "/login", *(f"/{path.name}" for path in FILES)})
"""What a browser gets that has not shown the token: the page itself, which holds nothing of a patient."""
LOGIN_BYTES = 512
LOGIN_S = 5.0


class Guard:
    """Middleware that refuses foreign hosts, origins and browsers, and sets the security headers."""

    def __init__(self, app: Callable[..., Awaitable[None]], access: Access) -> None:
        """``app``: what answers those who may ask."""
        self._app, self._access = app, access

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        why = self._refused(scope)
        if why is None:
            await self._app(scope, receive, send_guarded)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await PlainTextResponse(why[1], why[0])(scope, receive, send_guarded)

    def _refused(self, scope: Any) -> tuple[int, str] | None:
        """Status and words of a refusal; None: the request is answered."""
        request = HTTPConnection(scope)
        if not self._access.host_allowed(request.headers.get("host", "")):
            return 421, "This page is not served under this name: see view.names.\n"
        asks = scope["type"] == "websocket" or scope["method"] not in ("GET", "HEAD")
        entering = scope["path"] == "/" and request.headers.get("sec-fetch-mode") == "navigate"
        if not entering and not self._access.origin_allowed(request.headers, required=asks):
            return 403, "Only the page itself may ask this.\n"
        if scope["path"] not in OPEN_PATHS and not self._access.known(request.cookies):
            return 401, "The token is asked for on the page.\n"
        return None


def make_app(device: DeviceView, access: Access, clients: int) -> Guard:
    """Make the application. ``clients``: most browsers that watch at once."""
    sessions: set[Session] = set()

    async def websocket(socket: WebSocket) -> None:
        if len(sessions) >= clients:
            await socket.close(1013)
            return
        await socket.accept()
        session = Session(socket, device)
        sessions.add(session)
        try:
            await session.run()
        finally:
            sessions.discard(session)

    async def login(request: Request) -> Response:
        if request.method == "GET":
            return JSONResponse({"known": access.known(request.cookies)})
        try:
            body = await asyncio.wait_for(_body(request), LOGIN_S)
            token = decode_json(body, dict[str, str]).get("token", "")
        except (UnreadableError, asyncio.TimeoutError):
            return PlainTextResponse("A token is expected.\n", 400)
        if not access.token_right(token):
            return PlainTextResponse("This token is wrong, or too many were.\n", 403)
        answer = JSONResponse({"known": True})
        answer.set_cookie(COOKIE, access.cookie(), httponly=True, samesite="strict", secure=access.secure)
        return answer

    files = [Route(f"/{path.name}", _file(path)) for path in FILES]
    reports = [Route(f"/report.{suffix}", partial(_report, device, suffix)) for suffix in REPORTS]
    routes = [
        Route("/", _file(PAGE / "index.html")),
        Route("/login", login, methods=["GET", "POST"]),
        WebSocketRoute("/live", websocket),
        *files,
        *reports,
    ]
    return Guard(Starlette(routes=routes), access)


def _file(path: Path) -> Callable[[Request], Awaitable[Response]]:
    """Endpoint that gives one file of the page, read now."""
    content, media_type = path.read_bytes(), MEDIA_TYPES[path.suffix]

    async def answer(request: Request) -> Response:
        return Response(content, media_type=media_type)

    return answer


async def _report(device: DeviceView, suffix: str, request: Request) -> Response:
    """Report on one frame of the present exam; nothing of it is kept here."""
    stream = device.streams.get(request.query_params.get("stream", ""))
    seq = request.query_params.get("seq", "")
    kept = None
    if stream is not None and seq.isdecimal() and len(seq) < 19:
        kept = stream.history.frame(int(seq))
        newest = stream.shown()
        kept = newest if kept is None and newest is not None and newest.note.seq == int(seq) else kept
    if kept is None:
        return PlainTextResponse("This frame is not there any more: freeze it first.\n", 404)
    make, media_type = REPORTS[suffix]
    language = "zh" if request.query_params.get("language") == "zh" else "en"
    headers = {
        "Content-Disposition": f'attachment; filename="report-{kept.note.stream}-{kept.note.seq}.{suffix}"',
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox",
    }
    return Response(make(device, kept, language), media_type=media_type, headers=headers)


async def _body(request: Request) -> bytes:
    """Body of a request, if it is small. Raises `UnreadableError` if not."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LOGIN_BYTES:
            raise UnreadableError("too long")
    return body
