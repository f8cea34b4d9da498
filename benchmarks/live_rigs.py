"""Servers of live streams for `benchmarks/live.py`: each kind is a rig that can be started, killed and stopped."""

from __future__ import annotations

import select
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from live_servers import RtspServer, free_port

from edge.sources.live.http_mjpeg import HttpSource
from edge.sources.live.network import RtspSource

if TYPE_CHECKING:
    import signal

TESTS = Path(__file__).parents[1] / "tests"
FPS = 30
SIZE = (640, 480)
LARGE = (1920, 1080)
START_S = 30.0


class Rig(Protocol):
    """A server of one kind of live stream."""

    source: type
    uri: str

    def start(self) -> None:
        """Start it, and return when it is in reach."""

    def kill(self) -> None:
        """End it at once, as a power cut would."""

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""


class RtspRig:
    """GStreamer's RTSP server in a process of its own."""

    source = RtspSource

    def __init__(self, codec: str, size: tuple[int, int]) -> None:
        self._server = RtspServer(codec, *size, FPS)
        self.uri = self._server.uri

    def start(self) -> None:
        """Implement `Rig.start`: wait until it is ready."""
        self._server.start()

    def kill(self) -> None:
        """Implement `Rig.kill` by SIGKILL."""
        self._server.close()

    def signal(self, number: signal.Signals) -> None:
        """Implement `Rig.signal`: to the server alone."""
        self._server.send_signal(number)


class HttpRig:
    """An MJPEG server in Python. ``prepared``: its pictures are made before, so that it costs little."""

    source = HttpSource

    def __init__(self, size: tuple[int, int], *, prepared: bool = False) -> None:
        port = free_port()
        self.uri = f"http://127.0.0.1:{port}/live"
        more = ["prepared"] if prepared else []
        self._command = [sys.executable, str(TESTS / "mjpeg_server.py"), str(port), *map(str, size), str(FPS), *more]
        self._process: subprocess.Popen[str] | None = None
        self.start()

    def start(self) -> None:
        """Implement `Rig.start`: wait until it is ready."""
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(self._command, stdin=pipe, stdout=pipe, text=True)
        assert self._process.stdout is not None
        assert select.select([self._process.stdout], [], [], START_S)[0], "the server does not start"
        assert self._process.stdout.readline() == "ready\n"

    def kill(self) -> None:
        """Implement `Rig.kill` by SIGKILL."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def signal(self, number: signal.Signals) -> None:
        """Implement `Rig.signal`: to the server alone."""
        assert self._process is not None
        self._process.send_signal(number)


RIGS: dict[str, Any] = {
    "rtsp-mjpeg": lambda: RtspRig("mjpeg", SIZE),
    "rtsp-h264": lambda: RtspRig("h264", SIZE),
    "http": lambda: HttpRig(SIZE),
}
