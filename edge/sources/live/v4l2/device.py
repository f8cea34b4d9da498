"""Open video device: asks the kernel what it is, which inputs and modes it has, and sets them."""

from __future__ import annotations

import errno
import fcntl
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge.sources.live.v4l2.layouts import CALLS
from edge.sources.live.v4l2.modes import READABLE, CameraMode, FrameSizes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.sources.live.v4l2.layouts import Call

CAPTURE = 1
"""Type of buffers that hold pictures from the device (V4L2_BUF_TYPE_VIDEO_CAPTURE)."""
CAN_CAPTURE, CAN_CAPTURE_PLANES, CAN_STREAM, TELLS_NODE = 0x1, 0x1000, 0x04000000, 0x80000000
"""Capabilities: pictures; pictures in several planes only; by mapped memory; whether the node's own are told."""
CAN_SET_TIMINGS = 0x2
"""Capability of an input (HDMI, DVI, SDI) whose signal has timings."""
JPEG_COLOURS = 7
"""Number of the colour space of JPEG pictures, whose brightness goes from 0 to 255."""
SPLIT_FIELDS = (2, 3, 5, 6, 7)
"""Field orders of which a buffer is no whole picture: top, bottom, one below the other (two ways), alternating."""
DISCRETE = 1
"""Type of a list of sizes or rates; others are a minimum, a maximum and a step."""
MOST_ENTRIES = 256
"""Entries of a list that are asked for at most: a driver that never says "no more" must not hold us."""
SIGNAL_PROBLEMS = {
    0x1: "no power",
    0x2: "no signal",
    0x100: "no lock on the signal's lines",
    0x10000: "no lock on the signal",
    0x20000: "no equaliser lock",
    0x40000: "no carrier",
}
"""Bits of an input's status, and what each says for people."""
TIMING_PROBLEMS = {
    errno.ENOLINK: "no signal",
    errno.ENOLCK: "no lock on the signal",
    errno.ERANGE: "a signal outside of what the device can receive",
}
"""Errors with which a driver answers that there are no timings to be told."""


@dataclass(frozen=True, slots=True)
class DeviceCapability:
    """What a node says of itself."""

    driver: str
    card: str
    """Name for people: that of the camera."""
    bus: str
    """Where it is plugged in: ``usb-0000:00:14.0-2``."""
    flags: int
    """Capabilities of this node."""

    @property
    def captures(self) -> bool:
        """Whether the node gives pictures by mapped memory, in one plane."""
        return bool(self.flags & CAN_CAPTURE) and bool(self.flags & CAN_STREAM)


@dataclass(frozen=True, slots=True)
class VideoInput:
    """One input of a device: a connector, or the sensor itself."""

    index: int
    name: str
    status: int
    capabilities: int

    @property
    def problem(self) -> str:
        """Why no picture can be had of it now; empty: the driver knows of nothing."""
        return next((text for bit, text in SIGNAL_PROBLEMS.items() if self.status & bit), "")

    @property
    def has_timings(self) -> bool:
        """Whether its signal has timings that can be asked for (HDMI, DVI, SDI)."""
        return bool(self.capabilities & CAN_SET_TIMINGS)


@dataclass(frozen=True, slots=True)
class SignalTimings:
    """Timings of a digital signal: its size and rate, and the structure that sets them."""

    width: int
    height: int
    interlaced: bool
    fps: float
    values: tuple[Any, ...]

    def same_signal(self, other: SignalTimings) -> bool:
        """Whether both are of one signal: drivers measure the clock anew each time, and never quite alike."""
        return (self.width, self.height, self.interlaced) == (other.width, other.height, other.interlaced)


@dataclass(frozen=True, slots=True)
class CaptureLayout:
    """What the driver really gives: size, pixel format, and how lines lie in memory."""

    width: int
    height: int
    pixel_format: str
    """Four characters: ``YUYV``."""
    field: int
    """1: whole pictures; 4 and above: fields of an interlaced signal."""
    line_bytes: int
    """Bytes from one line to the next, padding included; 0 for compressed formats."""
    image_bytes: int
    colour_space: int
    quantisation: int = 0
    """1: brightness from 0 to 255; 2: from 16 to 235; 0: as is usual for the colour space."""

    @property
    def is_full_range(self) -> bool:
        """Whether brightness goes from 0 to 255, and not, as for most YUV formats, from 16 to 235."""
        return self.quantisation == 1 or (self.quantisation == 0 and self.colour_space == JPEG_COLOURS)

    @property
    def is_whole_picture(self) -> bool:
        """Whether a buffer holds a whole picture, and not one field of it, or two fields one below the other."""
        return self.field not in SPLIT_FIELDS


class VideoDevice:
    """An open node, ``/dev/videoN``. All methods raise `OSError` if the device is gone or refuses."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def close(self) -> None:
        """Close the node; until then its number is not free, even if the device is unplugged."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def call(self, call: Call, *values: Any) -> tuple[Any, ...]:
        """Make one system call with ``values``; what the kernel wrote into the structure."""
        memory = bytearray(call.layout.pack(*values))
        fcntl.ioctl(self.fd, call.number, memory)
        return call.layout.unpack(memory)

    def capability(self) -> DeviceCapability:
        """What the node says of itself."""
        driver, card, bus, _, flags, node = self.call(CALLS.capability, b"", b"", b"", 0, 0, 0)
        return DeviceCapability(_text(driver), _text(card), _text(bus), node if flags & TELLS_NODE else flags)

    def input_now(self) -> VideoInput | None:
        """The selected input with its status now; None: the device knows of no inputs."""
        try:
            index = self.call(CALLS.get_input, 0)[0]
            return self.describe_input(index)
        except OSError as error:
            if error.errno in (errno.ENOTTY, errno.EINVAL):
                return None
            raise

    def describe_input(self, index: int) -> VideoInput:
        """One input with its status; of one that is not selected a driver need not know."""
        values = self.call(CALLS.describe_input, index, b"", 0, 0, 0, 0, 0, 0)
        return VideoInput(index, _text(values[1]), values[6], values[7])

    def inputs(self) -> list[VideoInput]:
        """All inputs of the device, in order."""
        return list(_listed(self.describe_input))

    def select_input(self, index: int) -> None:
        """Select an input by its index."""
        self.call(CALLS.set_input, index)

    def timings(self) -> SignalTimings:
        """Timings of the signal at the selected input. Raises `OSError` with an errno of `TIMING_PROBLEMS`."""
        values = self.call(CALLS.query_timings, *([0] * 21))
        width, height, interlaced, _, clock = values[1:6]
        lines = height + sum(values[9:15] if interlaced else values[9:12])
        total = (width + sum(values[6:9])) * lines
        return SignalTimings(width, height, bool(interlaced), clock / total if total else 0.0, values)

    def set_timings(self, timings: SignalTimings) -> None:
        """Have the device receive a signal of these timings."""
        self.call(CALLS.set_timings, *timings.values)

    def pixel_formats(self) -> list[str]:
        """Four-character codes of all formats that the device can give, in its own order."""

        def one(index: int) -> str:
            return _code(self.call(CALLS.format_description, index, CAPTURE, 0, b"", 0, 0)[4])

        return list(_listed(one))

    def frame_sizes(self, pixel_format: str) -> FrameSizes:
        """Sizes that the device can give in one format."""

        def one(index: int) -> tuple[Any, ...]:
            return self.call(CALLS.frame_size, index, _number(pixel_format), *([0] * 7))

        found = list(_listed(one))
        if found and found[0][2] != DISCRETE:
            _, _, _, least_w, most_w, _, least_h, most_h, _ = found[0]
            return FrameSizes((), (least_w, least_h), (most_w, most_h))
        return FrameSizes(tuple((values[3], values[4]) for values in found))

    def frame_rates(self, pixel_format: str, size: tuple[int, int]) -> list[float]:
        """Frames a second that the device can give at one size; of a range its lowest and highest. Empty: not told."""

        def one(index: int) -> tuple[Any, ...]:
            return self.call(CALLS.frame_interval, index, _number(pixel_format), *size, *([0] * 7))

        rates: list[float] = []
        for values in _listed(one):
            pairs = [(5, 6)] if values[4] == DISCRETE else [(5, 6), (7, 8)]
            rates += [values[den] / values[num] for num, den in pairs if values[num]]
            if values[4] != DISCRETE:
                break
        return rates

    def modes(self) -> list[CameraMode]:
        """All modes that the device lists in formats that we read: each format, size and rate."""
        return [
            CameraMode(code, size, fps)
            for code in self.pixel_formats()
            if code in READABLE
            for size in self.frame_sizes(code).listed
            for fps in self.frame_rates(code, size) or [0.0]
        ]

    def layout_now(self) -> CaptureLayout:
        """The format that is set now."""
        return _layout(self.call(CALLS.get_format, CAPTURE, *([0] * 12)))

    def set_layout(self, pixel_format: str, size: tuple[int, int]) -> CaptureLayout:
        """Ask for a format and size; what the driver made of it, which may be another."""
        asked = (CAPTURE, *size, _number(pixel_format), 1, *([0] * 8))
        return _layout(self.call(CALLS.set_format, *asked))

    def set_rate(self, fps: float | None) -> float | None:
        """Ask for frames a second; what the driver made of it. ``fps`` None: only ask. None: it does not say."""
        try:
            now = self.call(CALLS.get_rate, CAPTURE, *([0] * 6))
            if fps is not None and now[1] & 0x1000:
                per_frame = (1000, round(fps * 1000))
                now = self.call(CALLS.set_rate, CAPTURE, now[1], now[2], *per_frame, now[5], now[6])
        except OSError as error:
            if error.errno in (errno.ENOTTY, errno.EINVAL):
                return None
            raise
        return now[4] / now[3] if now[3] and now[4] else None


def _layout(values: tuple[Any, ...]) -> CaptureLayout:
    _, width, height, code, field, line_bytes, image_bytes, colour_space, _, _, _, quantisation, _ = values
    return CaptureLayout(width, height, _code(code), field, line_bytes, image_bytes, colour_space, quantisation)


def _listed(one: Any) -> Iterator[Any]:
    """What ``one`` gives for 0, 1, 2 … until the kernel says that there is no more."""
    try:
        for index in range(MOST_ENTRIES):
            yield one(index)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTTY, errno.ENODATA):
            raise


def _number(code: str) -> int:
    return int.from_bytes(code.encode("latin-1"), "little")


def _code(number: int) -> str:
    return number.to_bytes(4, "little").decode("latin-1")


def _text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode("utf-8", "replace").strip()
