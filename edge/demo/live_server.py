"""Camera of the live demo: ffmpeg sends a phantom as MJPEG over HTTP, and can be switched off, frozen and on again."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from edge.broker.embedded_broker import DIE_WITH_PARENT
from edge.contracts.errors import DeviceError
from edge.phantom.scene import LOOP

if TYPE_CHECKING:
    from pathlib import Path

    from edge.phantom.scene import PhantomScene

FPS = 25
FRAMES = LOOP
"""Frames of the phantom that are sent again and again: its movement goes on without a jump."""
LISTEN_S = 10.0


class PhantomCamera:
    """An ffmpeg process that plays a phantom to whoever connects to ``uri``; ended by `close`, or with us."""

    def __init__(self, scene: PhantomScene, folder: Path) -> None:
        """Render the pictures into ``folder``; the camera is off. Raises `DeviceError` where ffmpeg is missing."""
        program = shutil.which("ffmpeg")
        if program is None:
            raise DeviceError("ffmpeg is not installed", hint="apt install ffmpeg")
        pictures = folder / "phantom.gray"
        with pictures.open("wb") as raw:
            for index in range(FRAMES):
                raw.write(scene.pixels(index).tobytes())
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.uri = f"http://127.0.0.1:{self.port}/phantom"
        size = f"{scene.spec.width}x{scene.spec.height}"
        self._command = [sys.executable, "-c", DIE_WITH_PARENT, program, "-nostdin", "-loglevel", "error"]
        self._command += ["-re", "-stream_loop", "-1", "-f", "rawvideo", "-pixel_format", "gray", "-video_size", size]
        self._command += ["-framerate", str(FPS), "-i", str(pictures), "-c:v", "mjpeg", "-q:v", "2"]
        self._command += ["-pix_fmt", "yuvj420p", "-f", "mpjpeg", "-listen", "1", self.uri]
        self._log_path = folder / "camera.log"
        self._process: subprocess.Popen[bytes] | None = None

    def switch_on(self) -> None:
        """Start it; raises `DeviceError` if it does not run. It takes connections a moment later."""
        self.switch_off()
        with self._log_path.open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the demo
            )
        deadline = time.monotonic() + LISTEN_S
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = self._log_path.read_text(errors="replace").strip().splitlines()
                raise DeviceError(f"ffmpeg does not send: {said[-1] if said else 'it says nothing'}")
            time.sleep(0.02)

    def switch_off(self) -> None:
        """End it at once, as a plug that is pulled. Nothing happens if it is off."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)

    def freeze(self) -> None:
        """Stop it, so that its connection stays and nothing more comes."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def keep_on(self) -> None:
        """Start it again if it has ended by itself: this ffmpeg serves one viewer, and ends when that goes."""
        if self._process is not None and self._process.poll() is not None:
            self.switch_on()

    def _listens(self) -> bool:
        """Whether somebody listens on the port; connecting would be taken for its one viewer."""
        wanted = f"0100007F:{self.port:04X}"
        with open("/proc/net/tcp", encoding="ascii") as table:
            return any(line.split()[1] == wanted and line.split()[3] in ("0A", "01") for line in list(table)[1:])

    def close(self) -> None:
        """Switch it off for good."""
        self.switch_off()


def ffmpeg_version() -> str | None:
    """Version of the ffmpeg on PATH, for the demo's first lines; None: there is none."""
    program = shutil.which("ffmpeg")
    if program is None:
        return None
    done = subprocess.run([program, "-version"], capture_output=True, text=True, check=False, env=dict(os.environ))
    words = done.stdout.split()
    return words[2] if len(words) > 2 else ""
