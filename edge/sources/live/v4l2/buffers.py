"""Buffers that a video device fills with pictures, mapped into this process: queued, filled, taken, queued again."""

from __future__ import annotations

import contextlib
import errno
import mmap
import select
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge.sources.live.v4l2.device import CAPTURE
from edge.sources.live.v4l2.layouts import BUFFER_FIELDS, CALLS

if TYPE_CHECKING:
    from edge.sources.live.v4l2.device import VideoDevice
    from edge.sources.live.v4l2.layouts import Call

MAPPED = 1
"""Buffers are the driver's own memory, mapped (V4L2_MEMORY_MMAP)."""
BROKEN = 0x40
"""Flag of a buffer whose picture was damaged on its way: it may be half there, or an older one."""
CLOCK_MASK, CLOCK_MONOTONIC = 0xE000, 0x2000
"""Flags that say which clock a buffer's time is of."""
AT_START = 0x10000
"""Flag: the time is that of the start of exposure; else that of the end of the frame."""
BUFFERS = 4
"""Enough that the driver has room while one is decoded; of more the oldest would only grow older."""


@dataclass(frozen=True, slots=True)
class FilledBuffer:
    """A buffer that the driver has filled, until it is given back."""

    index: int
    data: memoryview
    """What the driver wrote."""
    sequence: int
    """The driver's own count of frames: where it leaps, the driver had none left to fill."""
    stamp_ns: int
    """The kernel's time of the picture, of the clock that ``flags`` name."""
    flags: int
    waited: bool
    """Whether it was filled while we were waiting for it: its picture is then new."""

    @property
    def broken(self) -> bool:
        """Whether the driver says that the picture is damaged."""
        return bool(self.flags & BROKEN)

    @property
    def is_monotonic(self) -> bool:
        """Whether the driver says that the time is of the monotonic clock."""
        return self.flags & CLOCK_MASK == CLOCK_MONOTONIC


class BufferQueue:
    """The mapped buffers of one open device, streaming from `start` to `stop`. Methods raise `OSError`."""

    def __init__(self, device: VideoDevice) -> None:
        self._device = device
        self._maps: list[mmap.mmap] = []
        self._poll = select.poll()
        self._poll.register(device.fd, select.POLLIN)

    def start(self) -> None:
        """Have the driver make its buffers, map and queue them all, and begin to stream."""
        made = self._device.call(CALLS.request_buffers, BUFFERS, CAPTURE, MAPPED, 0, 0)[0]
        if not made:
            raise OSError(errno.ENOMEM, "the driver has no memory for buffers")
        for index in range(made):
            found = self._call(CALLS.query_buffer, index)
            writable = mmap.PROT_READ | mmap.PROT_WRITE  # some drivers refuse to map for reading alone
            self._maps.append(mmap.mmap(self._device.fd, found["length"], prot=writable, offset=found["offset"]))
            self._call(CALLS.queue_buffer, index)
        self._device.call(CALLS.stream_on, CAPTURE)

    def take(self, timeout_s: float) -> FilledBuffer | None:
        """The oldest buffer that is filled; None if there is none within ``timeout_s``. It must be given back."""
        deadline = time.monotonic() + timeout_s
        waited = False
        while True:
            try:
                found = self._call(CALLS.dequeue_buffer, 0)
                break
            except BlockingIOError:  # none is filled yet
                left_ms = (deadline - time.monotonic()) * 1000
                if left_ms <= 0:
                    return None
                waited = True
                self._poll.poll(left_ms)
        index, used = found["index"], found["bytes_used"]
        return FilledBuffer(
            index=index,
            data=memoryview(self._maps[index])[:used],
            sequence=found["sequence"],
            stamp_ns=found["seconds"] * 1_000_000_000 + found["microseconds"] * 1000,
            flags=found["flags"],
            waited=waited,
        )

    def give_back(self, buffer: FilledBuffer) -> None:
        """Let the driver fill a buffer again; its data is not to be read any more."""
        with contextlib.suppress(BufferError):  # an error's traceback may still hold an array that looks into it
            buffer.data.release()
        self._call(CALLS.queue_buffer, buffer.index)

    def stop(self) -> None:
        """End the stream and give the driver its memory back. Raises nothing: the device may be gone."""
        with contextlib.suppress(OSError):
            self._device.call(CALLS.stream_off, CAPTURE)
        for mapped in self._maps:
            with contextlib.suppress(BufferError):  # an array still looks into it: it goes with the array
                mapped.close()
        self._maps.clear()
        with contextlib.suppress(OSError):
            self._device.call(CALLS.request_buffers, 0, CAPTURE, MAPPED, 0, 0)

    def _call(self, call: Call, index: int) -> dict[str, Any]:
        values = self._device.call(call, index, CAPTURE, 0, 0, 0, 0, 0, b"", 0, MAPPED, 0, 0, 0, 0)
        return dict(zip(BUFFER_FIELDS, values, strict=True))
