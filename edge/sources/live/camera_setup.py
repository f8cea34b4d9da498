"""Sets up an opened video device: input, digital signal, pixel format, size and rate, and checks what came of it."""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge.contracts.errors import SourceError, SourceSetupError, UsageError
from edge.sources.live.uri_values import frame_rate, picture_size
from edge.sources.live.v4l2.device import CAN_CAPTURE_PLANES, TIMING_PROBLEMS
from edge.sources.live.v4l2.modes import FORMAT_NAMES, READABLE, CameraMode, ModeWishes, choose_mode

if TYPE_CHECKING:
    from edge.config.uri import Uri
    from edge.sources.live.v4l2.device import CaptureLayout, SignalTimings, VideoDevice, VideoInput

MOST_NAMED = 8
"""Sizes that an error names."""
LIMITED = 2
"""The driver's number of brightness from 16 to 235, which YUV has unless it is said, and RGB only if it is said."""
RGB = ("RGB3", "BGR3", "XR24", "BX24")
COLOUR_SPACES = {1: "SMPTE 170M", 3: "Rec. 709", 7: "JPEG", 8: "sRGB"}
"""The driver's numbers of colour spaces, and their names."""


class SignalLostError(Exception):
    """The input has no signal now; says what is known of it."""


@dataclass(frozen=True, slots=True)
class CameraRequest:
    """What the URI asks for."""

    mode: ModeWishes
    input: int | None = None

    @classmethod
    def of(cls, uri: Uri) -> CameraRequest:
        """Wishes of a URI. Raises `UsageError` for values that are none."""
        name = uri.params.get("format")
        if name is not None and name.lower() not in FORMAT_NAMES:
            raise UsageError(
                f"camera://: format={name!r} is not valid", hint=f"one of {', '.join(FORMAT_NAMES)}, or leave it out"
            )
        return cls(
            ModeWishes(
                size=uri.get("size", picture_size, (1920, 1080)) if "size" in uri.params else None,
                fps=uri.get("fps", frame_rate, 30.0) if "fps" in uri.params else None,
                format=None if name is None else name.lower(),
            ),
            uri.get("input", _index, 0) if "input" in uri.params else None,
        )


@dataclass(frozen=True, slots=True)
class CameraSetup:
    """What a device was set to, and really gives."""

    card: str
    driver: str
    layout: CaptureLayout
    fps: float | None
    tells_signal: bool
    """Whether the driver can tell that a signal is lost. A USB grabber cannot: it gives pictures of its own."""
    timings: SignalTimings | None
    notes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FoundSignal:
    """The selected input, and its timings where it has some."""

    input: VideoInput | None
    timings: SignalTimings | None


def set_mode(device: VideoDevice, wishes: CameraRequest) -> CameraSetup:
    """Select the input, have the device receive its signal, and set the mode.

    Raises `SourceError` if there is no signal or no such mode, `OSError` as `VideoDevice`.
    """
    about = device.capability()
    if not about.captures:
        planes = about.flags & CAN_CAPTURE_PLANES
        hint = "try gst://v4l2src device=… ! videoconvert" if planes else "edge-cli doctor lists the cameras"
        why = "gives its pictures in several planes, which is not read here" if planes else "gives no pictures"
        raise SourceSetupError(f"{about.card} {why}", hint=hint)
    if wishes.input is not None:
        _select_input(device, wishes.input)
    try:
        signal = select_signal(device, with_timings=True)
    except SignalLostError as error:
        hint = "is the cable plugged in at both ends, and the scanner on?"
        raise SourceError(str(error), hint=hint, reason="source_lost") from None
    if signal.timings is not None:
        _receive(device, signal.timings)
    layout = _set_layout(device, wishes.mode, signal.timings)
    mode = choose_mode(_modes_of(device, layout), wishes.mode)
    fps = device.set_rate(wishes.mode.fps or (mode.fps if mode and mode.fps else None))
    if signal.timings is not None:
        fps = signal.timings.fps or fps
    notes = {} if signal.input is None else {"input": f"{signal.input.index} ({signal.input.name})"}
    if colour := COLOUR_SPACES.get(layout.colour_space):
        notes["colour space"] = colour
    if layout.is_full_range:
        notes["brightness"] = "0 to 255"
    elif layout.quantisation == LIMITED and layout.pixel_format in RGB:
        notes["brightness"] = "16 to 235, as the signal has it"
    tells = about.driver != "uvcvideo" and signal.input is not None
    return CameraSetup(about.card, about.driver, layout, fps, tells, signal.timings, notes)


def select_signal(device: VideoDevice, *, with_timings: bool) -> FoundSignal:
    """The selected input with its signal now. Raises `SignalLostError` if it has none."""
    found = device.input_now()
    if found is None:
        return FoundSignal(None, None)
    where = f"at input {found.index} ({found.name})"
    if found.problem:
        raise SignalLostError(f"{found.problem} {where}")
    if not with_timings or not found.has_timings:
        return FoundSignal(found, None)
    try:
        timings = device.timings()
    except OSError as error:
        if problem := TIMING_PROBLEMS.get(error.errno or 0):
            raise SignalLostError(f"{problem} {where}") from None
        if error.errno in (errno.ENOTTY, errno.ENODATA, errno.EINVAL):
            return FoundSignal(found, None)
        raise
    return FoundSignal(found, timings)


def _select_input(device: VideoDevice, index: int) -> None:
    inputs = device.inputs()
    if index not in [one.index for one in inputs]:
        names = ", ".join(f"{one.index} ({one.name})" for one in inputs) or "none that can be selected"
        raise SourceSetupError(f"the camera has no input {index}", hint=f"it has: {names}")
    device.select_input(index)


def _receive(device: VideoDevice, timings: SignalTimings) -> None:
    try:
        device.set_timings(timings)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ERANGE):
            raise
        kind = "interlaced " if timings.interlaced else ""
        raise SourceError(
            f"the device cannot receive the {kind}signal of {timings.width} x {timings.height} pixels",
            hint="set the scanner's output to a usual one (1080p60)",
            reason="source_lost",
        ) from None


def _set_layout(device: VideoDevice, wishes: ModeWishes, timings: SignalTimings | None) -> CaptureLayout:
    """Set format and size; raises `SourceError` if the device does not give what was asked for."""
    mode = None if timings is not None else choose_mode(device.modes(), wishes)
    if mode is None:
        mode = _mode_of_range(device, wishes, timings)
    layout = device.set_layout(mode.pixel_format, mode.size)
    given = CameraMode(layout.pixel_format, (layout.width, layout.height), 0.0)
    if not ModeWishes(wishes.size, None, wishes.format).allows(given):
        asked = CameraMode(mode.pixel_format, mode.size, 0.0)
        raise SourceError(
            f"the camera gives {given} when asked for {asked}",
            hint="ask for what it gives: a calibration's box is in its pixels",
            reason="source_lost",
        )
    if not layout.is_whole_picture:
        raise SourceError(
            "the camera gives the fields of an interlaced signal apart",
            hint="set the scanner's output to a progressive one (1080p, not 1080i)",
            reason="source_lost",
        )
    return layout


def _mode_of_range(device: VideoDevice, wishes: ModeWishes, timings: SignalTimings | None) -> CameraMode:
    """Mode of a device that lists no sizes, or as large as its signal: others would be scaled pictures."""
    formats = device.pixel_formats()
    wanted = FORMAT_NAMES[wishes.format] if wishes.format else READABLE
    usable = [code for code in wanted if code in formats]
    listed = {code: device.frame_sizes(code).listed for code in usable}
    if not usable or (timings is None and any(listed.values())):
        raise _no_such_mode(device, wishes, formats)
    now = device.layout_now()
    signal = (now.width, now.height) if timings is None else (timings.width, timings.height)
    return CameraMode(usable[0], wishes.size or signal, 0.0)


def _no_such_mode(device: VideoDevice, wishes: ModeWishes, formats: list[str]) -> SourceSetupError:
    modes = device.modes()
    if not modes:
        return SourceSetupError(
            f"the camera gives only {', '.join(formats) or 'no format at all'}, which is not read here",
            hint="gst:// with a converting pipeline may read it",
        )
    asked = [wishes.format or "", "x".join(map(str, wishes.size or ())), f"{wishes.fps:g}/s" if wishes.fps else ""]
    what = " ".join(part for part in asked if part)
    return SourceSetupError(f"the camera has no mode {what}", hint=f"it has: {name_modes(modes)}")


def name_modes(modes: list[CameraMode]) -> str:
    """The largest sizes of a camera, each with its highest rate, and its formats."""
    fastest: dict[tuple[int, int], float] = {}
    for mode in modes:
        fastest[mode.size] = max(mode.fps, fastest.get(mode.size, 0.0))
    largest = sorted(fastest, key=lambda size: size[0] * size[1], reverse=True)[:MOST_NAMED]
    sizes = [f"{size[0]}x{size[1]}" + (f" at {fastest[size]:.4g}/s" if fastest[size] else "") for size in largest]
    codes = {mode.pixel_format for mode in modes}
    names = [name for name, some in FORMAT_NAMES.items() if codes & set(some)]
    return f"{', '.join(sizes)}; format={' or '.join(names)}"


def _modes_of(device: VideoDevice, layout: CaptureLayout) -> list[CameraMode]:
    size = (layout.width, layout.height)
    return [CameraMode(layout.pixel_format, size, fps) for fps in device.frame_rates(layout.pixel_format, size)]


def _index(text: str) -> int:
    if not re.fullmatch(r"\d{1,3}", text):
        raise ValueError
    return int(text)
