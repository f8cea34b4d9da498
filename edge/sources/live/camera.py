"""Camera source, ``camera://``: cameras and grabbers that the kernel serves as Video4Linux devices.

    camera://0?size=1920x1080&fps=30&format=mjpeg&input=1

What stands behind ``camera://`` is a number, a path (``/dev/video0``, ``/dev/v4l/by-id/…``) or a name; a name finds a
camera again that was plugged in anew and got another number. Without ``size`` and ``fps`` the largest mode of at
least 25 frames a second is taken.
"""

from __future__ import annotations

import errno
import time
from typing import TYPE_CHECKING, NoReturn

from edge.contracts.errors import SourceError, SourceSetupError, UsageError
from edge.sources.live.camera_setup import CameraRequest, SignalLostError, select_signal, set_mode
from edge.sources.live.deinterlace import one_field
from edge.sources.live.reader import FrameDamagedError, LiveFrame, StreamInfo
from edge.sources.live.source import LiveSource
from edge.sources.live.v4l2.buffers import BufferQueue
from edge.sources.live.v4l2.device import VideoDevice
from edge.sources.live.v4l2.find_camera import LIST_HINT, find_camera
from edge.sources.live.v4l2.kernel_clock import KernelClock
from edge.sources.live.v4l2.pixels import WrongPictureError, to_pixels

if TYPE_CHECKING:
    from edge.config.settings import StreamSettings
    from edge.config.uri import Uri
    from edge.sources.live.camera_setup import CameraSetup
    from edge.sources.live.reader import LiveOptions
    from edge.sources.live.v4l2.buffers import FilledBuffer

LOOK_S = 0.2
"""While no picture comes, the input's signal is looked at this often."""
TIMINGS_S = 0.5
"""How often a digital signal is asked for its size and rate while pictures come."""
FIRST_PICTURE_S = 4.0
"""Longest wait for the first picture: cameras take up to two seconds to set their exposure."""
NO_PICTURE_S = 10.0
"""After so long without a picture the reader gives up, if its parent did not before."""
INTERLACED = 2
"""Values of `CaptureLayout.field` from here on are fields, or pictures woven of two."""


class CameraSource(LiveSource):
    """Source of the frames of one camera or grabber, RGB or grey as the device gives them."""

    reader = "edge.sources.live.camera:CameraReader"
    parameters = ("size", "fps", "format", "input")

    def __init__(self, uri: Uri, stream: StreamSettings) -> None:
        CameraRequest.of(uri)
        if not uri.file:
            raise UsageError("camera:// names no camera", hint=f"for example camera://0; {LIST_HINT}")
        super().__init__(uri, stream)


class CameraReader:
    """Reader of one video device, by the kernel's own buffers and times."""

    def __init__(self, uri: Uri, options: LiveOptions) -> None:
        self._wanted = uri.file
        self._wishes = CameraRequest.of(uri)
        self._device: VideoDevice | None = None
        self._queue: BufferQueue | None = None
        self._setup: CameraSetup | None = None
        self._clock = KernelClock(0)
        self._first: FilledBuffer | None = None
        self._captured_ns = 0
        self._sequence = -1
        self._left_out = 0
        self._next_look = 0.0

    def open(self) -> StreamInfo:
        """Implement `LiveReader.open`: find the camera, set its mode, and wait for its first picture."""
        self.close()
        node = find_camera(self._wanted)
        try:
            device = self._device = VideoDevice(node)
            self._setup = setup = set_mode(device, self._wishes)
            queue = self._queue = BufferQueue(device)
            self._clock, self._sequence = KernelClock(time.monotonic_ns()), -1
            queue.start()
            self._first = self._take(FIRST_PICTURE_S)
        except OSError as error:
            _refuse(error)
        if self._first is None:
            raise SourceError(
                f"the camera gives no picture within {FIRST_PICTURE_S:.0f} s",
                hint="is its lens or signal there? Plug it in again, or choose another mode",
                reason="source_lost",
            )
        return self._info(setup)

    def read(self) -> LiveFrame:
        """Implement `LiveReader.read`: the next picture, converted or decoded."""
        queue, setup = self._queue, self._setup
        if queue is None or setup is None:
            raise SourceError("the camera is not open", reason="source_lost")
        try:
            buffer, self._first = self._first or self._take(NO_PICTURE_S), None
            if buffer is None:
                raise SourceError("no picture came from the camera", hint="plug it in again", reason="source_lost")
            captured_ns = self._captured_ns
            try:
                if buffer.broken:
                    raise FrameDamagedError("the camera's driver says that this picture is damaged")
                pixels = to_pixels(buffer.data, setup.layout)
                if setup.layout.field >= INTERLACED:
                    pixels = one_field(pixels)
            except WrongPictureError as error:
                raise FrameDamagedError(f"the camera gave {error}") from None
            finally:
                queue.give_back(buffer)
        except OSError as error:
            _refuse(error)
        left_out, self._left_out = self._left_out, 0
        return LiveFrame(pixels, captured_ns, left_out=left_out)

    def close(self) -> None:
        """Implement `LiveReader.close`: stop and close the device, so that its number is free again."""
        self._first = None
        queue, self._queue = self._queue, None
        if queue is not None:
            queue.stop()
        device, self._device = self._device, None
        if device is not None:
            device.close()

    def _take(self, limit_s: float) -> FilledBuffer | None:
        """The next filled buffer, looked at the signal after it was filled; None if none comes within ``limit_s``."""
        assert self._queue is not None  # noqa: S101  (it is set where this is called)
        deadline = time.monotonic() + limit_s
        while (left := deadline - time.monotonic()) > 0:
            buffer = self._newest(self._queue, min(left, LOOK_S))
            now_ns = time.monotonic_ns()
            try:
                self._look_at_signal(waiting=buffer is None)
            except SignalLostError as error:
                raise SourceError(str(error), hint="is the cable plugged in at both ends, and the scanner on?",
                                  reason="source_lost") from None  # fmt: skip
            if buffer is not None:
                self._captured_ns = self._clock.captured_ns(buffer, now_ns)
                return buffer
        return None

    def _newest(self, queue: BufferQueue, timeout_s: float) -> FilledBuffer | None:
        """The newest filled buffer: who decodes more slowly than pictures come must not fall behind."""
        buffer = queue.take(timeout_s)
        while buffer is not None and (newer := queue.take(0.0)) is not None:
            queue.give_back(buffer)
            buffer = newer
        if buffer is not None:
            # The driver numbers its frames, those included that it found no buffer for.
            self._left_out += max(0, buffer.sequence - self._sequence - 1) if self._sequence >= 0 else 0
            self._sequence = buffer.sequence
        return buffer

    def _look_at_signal(self, *, waiting: bool) -> None:
        """Raise `SignalLostError` if there is no signal now: many devices give pictures all the same."""
        setup, device = self._setup, self._device
        if setup is None or device is None or not setup.tells_signal:
            return
        timings_due = setup.timings is not None and (waiting or time.monotonic() >= self._next_look)
        if timings_due:
            self._next_look = time.monotonic() + TIMINGS_S
        found = select_signal(device, with_timings=timings_due)
        was, now = setup.timings, found.timings
        if was is not None and now is not None and not now.same_signal(was):
            raise SignalLostError(
                f"the signal changed from {was.width} x {was.height} to {now.width} x {now.height} pixels"
            )

    def _info(self, setup: CameraSetup) -> StreamInfo:
        details = {"camera": setup.card, "driver": setup.driver, "time stamps": self._clock.source, **setup.notes}
        if setup.layout.field >= INTERLACED:
            details["field order"] = "interlaced"
        return StreamInfo(
            width=setup.layout.width,
            height=setup.layout.height,
            fps=setup.fps,
            format=setup.layout.pixel_format.strip().lower(),
            decoder="OpenCV" if setup.layout.pixel_format in ("MJPG", "JPEG") else "",
            details=details,
        )


def _refuse(error: OSError) -> NoReturn:
    """Raise the `SourceError` for what the kernel answered."""
    told = {
        errno.ENODEV: ("the camera is gone", "plug it in again"),
        errno.ENXIO: ("the camera is gone", "plug it in again"),
        errno.ENOENT: ("the camera is gone", "plug it in again"),
        errno.EBUSY: ("the camera is in use by another program", "end that program; edge-cli doctor names the camera"),
        errno.EACCES: ("no permission to use the camera", "sudo usermod -aG video $USER, and log in anew"),
        errno.EPERM: ("no permission to use the camera", "sudo usermod -aG video $USER, and log in anew"),
        errno.ENOSPC: ("the USB bus has no room for this mode", "give the camera a bus of its own, or format=mjpeg"),
        errno.EIO: ("the camera failed", "plug it in again; a shorter cable or another port may help"),
        errno.ENOTTY: ("it is no video device", LIST_HINT),
    }
    message, hint = told.get(error.errno or 0, (f"the camera's driver refuses: {error.strerror}", LIST_HINT))
    kind = SourceSetupError if error.errno in (errno.EACCES, errno.EPERM, errno.ENOTTY) else SourceError
    raise kind(message, hint=hint, reason="source_lost") from error
