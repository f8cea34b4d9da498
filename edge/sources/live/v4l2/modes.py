"""Choice of a camera's mode: pixel format, size and rate, out of those that the device lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SMOOTH_FPS = 25.0
"""A mode with fewer frames a second is only taken if there is no other, or if it is asked for."""
USUAL_FPS = 30.0
"""Of several rates the nearest to this one is taken, among those of `SMOOTH_FPS` and above."""
RAW_FORMATS = ("YUYV", "UYVY", "YVYU", "NV12", "NV21", "YU12", "YV12", "RGB3", "BGR3", "XR24", "BX24", "GREY")
"""Uncompressed formats that can be converted, the cheapest for the bus first."""
JPEG_FORMATS = ("MJPG", "JPEG")
"""Formats in which each picture is a JPEG."""
READABLE = (*RAW_FORMATS, *JPEG_FORMATS)
"""Formats that we read, in the order in which they are taken at the same size and rate: not compressed ones first."""
FORMAT_NAMES = {"mjpeg": ("MJPG", "JPEG"), "yuyv": ("YUYV",), "uyvy": ("UYVY",), "nv12": ("NV12",),
                "yuv420": ("YU12", "YV12"), "rgb": ("RGB3", "BGR3", "XR24", "BX24"), "grey": ("GREY",)}  # fmt: skip
"""Names of formats in a URI, and the four-character codes that they stand for."""
NEAR_FPS = 0.51
"""Rates that differ by less are one: 29.97 is meant by 30."""


@dataclass(frozen=True, slots=True)
class FrameSizes:
    """Sizes of one format: a list, or a range."""

    listed: tuple[tuple[int, int], ...]
    """(width, height) of each. Empty: a range, or not told."""
    least: tuple[int, int] = (0, 0)
    most: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class CameraMode:
    """One mode: four-character pixel format, (width, height), frames a second (0: not told)."""

    pixel_format: str
    size: tuple[int, int]
    fps: float

    def __str__(self) -> str:
        rate = f" at {self.fps:.4g}/s" if self.fps else ""
        return f"{self.pixel_format} {self.size[0]} x {self.size[1]}{rate}"


@dataclass(frozen=True, slots=True)
class ModeWishes:
    """What of a mode was asked for. None: free."""

    size: tuple[int, int] | None = None
    fps: float | None = None
    format: str | None = None
    """A key of `FORMAT_NAMES`."""

    def allows(self, mode: CameraMode) -> bool:
        """Whether a mode is as asked for; what a device does not tell is no contradiction."""
        return (
            mode.pixel_format in (FORMAT_NAMES[self.format] if self.format else READABLE)
            and self.size in (None, mode.size)
            and (self.fps is None or not mode.fps or abs(mode.fps - self.fps) < NEAR_FPS)
        )


def choose_mode(modes: Iterable[CameraMode], wishes: ModeWishes) -> CameraMode | None:
    """The mode to use: of those asked for the largest that is smooth, at the usual rate. None: there is none."""
    return max((mode for mode in modes if wishes.allows(mode)), key=lambda mode: _rank(mode, wishes), default=None)


def _rank(mode: CameraMode, wishes: ModeWishes) -> tuple[float, ...]:
    smooth = mode.fps >= SMOOTH_FPS - NEAR_FPS or wishes.fps is not None
    width, height = mode.size
    rate = -abs(mode.fps - (wishes.fps or USUAL_FPS)) if smooth else mode.fps
    if not smooth:  # among slow modes the rate counts first: a large picture twice a second is of no use
        return (0, rate, width * height, 0, -READABLE.index(mode.pixel_format))
    return (1, width * height, 0, rate, -READABLE.index(mode.pixel_format))
