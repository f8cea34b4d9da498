"""A video device that does what a test says: takes the kernel's place below the camera reader."""

from __future__ import annotations

import errno
import os
import time

from edge.sources.live.v4l2.buffers import BROKEN, CLOCK_MONOTONIC, FilledBuffer
from edge.sources.live.v4l2.device import CaptureLayout, DeviceCapability, SignalTimings, VideoInput
from edge.sources.live.v4l2.modes import READABLE, CameraMode, FrameSizes

CAPTURES = 0x04000001
IDLE = "idle"
"""Entry of a script: nothing is there within the wait."""


class ScriptedCamera:
    """State of the device, for `VideoDevice` and `BufferQueue` alike; ``script`` says what its buffers hold."""

    def __init__(self, script=(), *, driver="vivid", modes=None, flags=CAPTURES):
        self.script = list(script)
        self.driver, self.flags = driver, flags
        self.modes_listed = [CameraMode("GREY", (4, 2), 30.0)] if modes is None else modes
        self.formats = list(dict.fromkeys(mode.pixel_format for mode in self.modes_listed))
        self.all_inputs = [VideoInput(0, "Camera 1", 0, 0), VideoInput(1, "HDMI 0", 0, 2)]
        self.selected = 0
        self.signal: SignalTimings | int = SignalTimings(4, 2, False, 60.0, ())
        """Timings of the signal, or the errno with which they are refused."""
        self.now = CaptureLayout(4, 2, "GREY", 1, 4, 8, 0)
        self.opened = self.closed = self.asked_for_signal = self.given_back = 0
        self.fails: dict[str, int] = {}
        """errno by the name of a method that is to fail."""
        self.gives: tuple[str, tuple[int, int]] | None = None
        """What is given whatever is asked for. None: what is asked for."""
        self.field = 1
        self.sequence = 0
        self.rate = None

    # --- as VideoDevice ----------------------------------------------------------------------------------------------

    def __call__(self, path):
        self._may_fail("open")
        self.path, self.opened, self.fd = path, self.opened + 1, os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        return self

    def close(self):
        if self.fd >= 0:
            os.close(self.fd)
        self.fd, self.closed = -1, self.closed + 1

    def capability(self):
        return DeviceCapability(self.driver, "HD Webcam", "usb-1", self.flags)

    def input_now(self):
        self.asked_for_signal += 1
        self._may_fail("input_now")
        return self.all_inputs[self.selected] if self.all_inputs else None

    def inputs(self):
        return self.all_inputs

    def select_input(self, index):
        self.selected = index

    def timings(self):
        if isinstance(self.signal, int):
            raise OSError(self.signal, "no timings")
        return self.signal

    def set_timings(self, timings):
        self._may_fail("set_timings")

    def pixel_formats(self):
        return self.formats

    def frame_sizes(self, code):
        return FrameSizes(tuple({mode.size: 0 for mode in self.modes_listed if mode.pixel_format == code}))

    def frame_rates(self, code, size):
        return [mode.fps for mode in self.modes_listed if (mode.pixel_format, mode.size) == (code, size) and mode.fps]

    def modes(self):
        return [mode for mode in self.modes_listed if mode.pixel_format in READABLE]

    def layout_now(self):
        return self.now

    def set_layout(self, code, size):
        self._may_fail("set_layout")
        code, size = self.gives or (code, size)
        each = {"GREY": 1, "YUYV": 2}.get(code, 0)
        self.now = CaptureLayout(*size, code, self.field, size[0] * each, size[0] * size[1] * each, 0)
        return self.now

    def set_rate(self, fps):
        self.rate = fps
        return fps

    # --- as BufferQueue ----------------------------------------------------------------------------------------------

    def queue_of(self, device):
        return self

    def start(self):
        self._may_fail("start")

    def stop(self):
        pass

    def take(self, timeout_s):
        if not self.script or self.script[0] == IDLE:
            if timeout_s and self.script:
                self.script.pop(0)
            return None
        step = self.script.pop(0)
        if callable(step):
            step()
            return self.take(timeout_s)
        if isinstance(step, int):
            raise OSError(step, os.strerror(step))
        data, changes = step if isinstance(step, tuple) else (step, {})
        self.sequence += 1 + changes.get("dropped", 0)
        flags = CLOCK_MONOTONIC | (BROKEN if changes.get("broken") else 0)
        return FilledBuffer(0, memoryview(data), self.sequence, time.monotonic_ns(), flags, True)

    def give_back(self, buffer):
        self.given_back += 1
        buffer.data.release()

    def _may_fail(self, name):
        if name in self.fails:
            number = self.fails.pop(name)
            raise OSError(number, os.strerror(number))


GONE = errno.ENODEV
