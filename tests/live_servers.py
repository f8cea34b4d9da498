"""Servers of live streams for tests: an HTTP camera that does what a test wants, and GStreamer's RTSP server.

Their frames carry their clock (`clock_pixels`).
"""

from __future__ import annotations

import contextlib
import functools
import select
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from clock_pixels import draw_frame

if TYPE_CHECKING:
    import signal
    import ssl
    from collections.abc import Callable, Iterator

DEBIAN_PYTHON = "/usr/bin/python3"
HERE = Path(__file__).parent
BOUNDARY = "frame"


def clock_jpeg(number: int, width: int = 640, height: int = 96, at_ns: int | None = None) -> bytes:
    """A JPEG that carries its clock."""
    grey = np.frombuffer(draw_frame(width, height, number, at_ns), np.uint8).reshape(height, width)
    colour = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    return cv2.imencode(".jpg", colour, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()


class Connection:
    """One client of an `HttpCamera`: what a test's behaviour answers to."""

    def __init__(self, handler: BaseHTTPRequestHandler, camera: HttpCamera) -> None:
        self._handler, self._camera = handler, camera
        self.path = handler.path
        self.headers = handler.headers

    @property
    def is_wanted(self) -> bool:
        return not self._camera.stopped.is_set()

    def head(self, status: int = 200, **headers: str) -> None:
        self._handler.send_response(status)
        for name, value in headers.items():
            self._handler.send_header(name.replace("_", "-"), value)
        self._handler.end_headers()

    def stream_head(self, boundary: str = BOUNDARY) -> None:
        self.head(Content_Type=f"multipart/x-mixed-replace; boundary={boundary}")

    def send(self, data: bytes) -> None:
        self._handler.wfile.write(data)

    def part(self, body: bytes, *, length: int | None = -1, kind: str = "image/jpeg", boundary: str = BOUNDARY) -> None:
        """Send a part; ``length``: what its header says, -1 for the truth, None for nothing."""
        said = len(body) if length == -1 else length
        lines = [f"--{boundary}", f"Content-Type: {kind}"]
        if said is not None:
            lines.append(f"Content-Length: {said}")
        self.send("\r\n".join([*lines, "", ""]).encode() + body + b"\r\n")

    def frames(self, count: int | None = None, fps: float = 50.0, **size: int) -> None:
        """Send frames with their clock at a rate, until the test ends or ``count`` were sent."""
        due = time.monotonic()
        sent = 0
        while self.is_wanted and (count is None or sent < count):
            self._camera.stopped.wait(max(0.0, due - time.monotonic()))
            due = max(due + 1 / fps, time.monotonic())
            self.part(clock_jpeg(self._camera.next_number(), **size))
            sent += 1

    def wait(self, seconds: float) -> None:
        self._camera.stopped.wait(seconds)


class HttpCamera:
    """An MJPEG server on 127.0.0.1 whose answers are a test's own."""

    def __init__(self, behave: Callable[[Connection], None], port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.behave = behave
        self.stopped = threading.Event()
        self.requests: list[tuple[str, str | None]] = []
        """(path, Authorization header) of each."""
        self._number = 0
        self._lock = threading.Lock()
        camera = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.0"

            def do_GET(self) -> None:
                camera.requests.append((self.path, self.headers.get("Authorization")))
                self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with contextlib.suppress(OSError):
                    camera.behave(Connection(self, camera))

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, *_: object) -> None:
                pass

        self._server = Server(("127.0.0.1", port), Handler)
        self._scheme = "http"
        if tls is not None:
            self._scheme = "https"
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def uri(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}/live"

    def next_number(self) -> int:
        with self._lock:
            self._number += 1
            return self._number - 1

    def close(self) -> None:
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextlib.contextmanager
def http_camera(behave: Callable[[Connection], None], tls: ssl.SSLContext | None = None) -> Iterator[HttpCamera]:
    camera = HttpCamera(behave, tls=tls)
    try:
        yield camera
    finally:
        camera.close()


def steady(connection: Connection) -> None:
    """A camera that is well."""
    connection.stream_head()
    connection.frames()


# --- RTSP ------------------------------------------------------------------------------------------------------------


@functools.cache
def _why_no_rtsp_server() -> str:
    probe = (
        "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import Gst, GstRtspServer;"
        "Gst.init(None); [Gst.ElementFactory.find(n) or exit(n) for n in ('x264enc', 'jpegenc', 'rtph264pay')]"
    )
    try:
        done = subprocess.run([DEBIAN_PYTHON, "-c", probe], capture_output=True, text=True, timeout=60, check=False)
    except OSError as error:
        return str(error)
    return done.stderr.strip()[-200:] if done.returncode else ""


def need_rtsp_server() -> None:
    """Skip the test, with words, where GStreamer's RTSP server is not installed."""
    if _why_no_rtsp_server():
        pytest.skip(
            "needs Debian's gir1.2-gst-rtsp-server-1.0, gstreamer1.0-plugins-good, -bad, -ugly and python3-gi: "
            + _why_no_rtsp_server()
        )


class RtspServer:
    """GStreamer's RTSP server as a process of its own, to be stopped, killed and started again on the same port."""

    def __init__(self, kind: str = "h264", width: int = 640, height: int = 96, fps: int = 30, *login: str) -> None:
        need_rtsp_server()
        self._arguments = [kind, str(width), str(height), str(fps), *login]
        self.port = free_port()
        self._process: subprocess.Popen[str] | None = None
        self.start()

    @property
    def uri(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}/live"

    def start(self, *, wait: bool = True) -> None:
        script = str(HERE / "rtsp_server.py")
        self._process = subprocess.Popen(
            [DEBIAN_PYTHON, script, str(self.port), *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={"PATH": "/usr/bin:/bin"},
        )
        assert self._process.stdout is not None
        if wait:
            assert select.select([self._process.stdout], [], [], 60)[0], "the RTSP server does not start"
            assert self._process.stdout.readline() == "ready\n"

    def send_signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()


@contextlib.contextmanager
def rtsp_server(*arguments: object) -> Iterator[RtspServer]:
    server = RtspServer(*arguments)  # type: ignore[arg-type]
    try:
        yield server
    finally:
        server.close()


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
