"""Servers of live streams for `benchmarks/live.py`: each kind is a rig that can be started, killed and stopped."""

from __future__ import annotations

import select
import signal as signals
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from clock_pixels import PictureClock, read_clock
from kernel_camera.vivid_controls import (
    NO_SIGNAL,
    SELECTED_SIGNAL,
    SMALL_SIGNAL,
    TIMINGS,
    TIMINGS_SIGNAL,
    UNPLUG,
    select_input,
    set_control,
)
from live_servers import RtspServer, free_port

from edge.sources.live import source as live_source
from edge.sources.live.camera import CameraSource
from edge.sources.live.http_mjpeg import HttpSource
from edge.sources.live.igtl import IgtlSource
from edge.sources.live.network import RtspSource
from edge.sources.live.v4l2.find_camera import find_camera

if TYPE_CHECKING:
    import signal

    from edge.contracts.frames import Frame

TESTS = Path(__file__).parents[1] / "tests"
FPS = 30
SIZE = (640, 480)
LARGE = (1920, 1080)
START_S = 30.0


WAIT_S = 30.0


class AbsentRigError(Exception):
    """What this kind of stream needs is not here; the message says what."""


def clock_in_pixels(frame: Frame) -> PictureClock | None:
    """The clock that a frame carries in its pixels."""
    return read_clock(frame.pixels)


class Rig(Protocol):
    """A server of one kind of live stream."""

    source: type
    uri: str
    patience_s: float
    """Longest wait for a frame or a loss."""

    def clock_of(self, frame: Frame) -> PictureClock | None:
        """The clock of a frame; None: it cannot be read."""

    def start(self) -> None:
        """Start it, and return when it is in reach."""

    def kill(self) -> None:
        """End it at once, as a power cut would."""

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""


class RtspRig:
    """GStreamer's RTSP server in a process of its own."""

    patience_s, clock_of = WAIT_S, staticmethod(clock_in_pixels)
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


class ScriptRig:
    """A server in Python, a script of the tests: it prints "ready", and ends with its stdin."""

    patience_s, clock_of = WAIT_S, staticmethod(clock_in_pixels)
    source: type
    uri: str

    def __init__(self, script: str, port: int, size: tuple[int, int], *more: str) -> None:
        self._command = [sys.executable, str(TESTS / script), str(port), *map(str, size), str(FPS), *more]
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


class HttpRig(ScriptRig):
    """An MJPEG server in Python. ``prepared``: its pictures are made before, so that it costs little."""

    source = HttpSource

    def __init__(self, size: tuple[int, int], *, prepared: bool = False) -> None:
        port = free_port()
        self.uri = f"http://127.0.0.1:{port}/live"
        super().__init__("mjpeg_server.py", port, size, *(["prepared"] if prepared else []))


class IgtlRig(ScriptRig):
    """An OpenIGTLink server in Python, which sends grey images with its clock."""

    source = IgtlSource

    def __init__(self, size: tuple[int, int]) -> None:
        port = free_port()
        self.uri = f"igtl://127.0.0.1:{port}?device=Image"
        super().__init__("igtl_clock_server.py", port, size)


class CameraRig:
    """The kernel's test camera (vivid) at its HDMI input: unplugged for a kill, without a signal for a stop.

    Its pictures carry no clock of ours: times are the kernel's own, and only their order and losses are checked.
    """

    source = CameraSource
    patience_s = 300.0
    """Its machine has no KVM: each instruction is computed."""

    def __init__(self) -> None:
        name = Path("/sys/class/video4linux/video0/name")
        if not name.exists() or not name.read_text().startswith("vivid"):
            raise AbsentRigError("no vivid device is here: make live-camera runs this in a virtual machine")
        live_source.START_S = 120.0
        self.uri = "camera://vivid-000-vid-cap?input=3"
        self.start()

    @staticmethod
    def clock_of(frame: Frame) -> PictureClock:
        """The kernel's time and the frame's number, in place of a clock in the picture."""
        return PictureClock(frame.captured_ns, frame.origin.frame_index or 0)

    def start(self) -> None:
        """Implement `Rig.start`: give the input a signal. Who was unplugged may open the device again."""
        node = find_camera("vivid-000-vid-cap")
        select_input(3, node)
        set_control(TIMINGS, SMALL_SIGNAL, node)
        set_control(TIMINGS_SIGNAL, SELECTED_SIGNAL, node)

    def kill(self) -> None:
        """Implement `Rig.kill`: unplug the device."""
        set_control(UNPLUG, 1, find_camera("vivid-000-vid-cap"))

    def signal(self, number: signal.Signals) -> None:
        """Implement `Rig.signal`: take the input's signal away, and give it back."""
        lost = number is signals.SIGSTOP
        set_control(TIMINGS_SIGNAL, NO_SIGNAL if lost else SELECTED_SIGNAL, find_camera("vivid-000-vid-cap"))


RIGS: dict[str, Any] = {
    "rtsp-mjpeg": lambda: RtspRig("mjpeg", SIZE),
    "rtsp-h264": lambda: RtspRig("h264", SIZE),
    "http": lambda: HttpRig(SIZE),
    "igtl": lambda: IgtlRig(SIZE),
    "camera": CameraRig,
}
