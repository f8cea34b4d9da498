"""Binary layouts of the kernel's Video4Linux structures, and the numbers of the system calls that take them.

``linux/videodev2.h`` gives them as C structures: what a C compiler puts where depends on the width of a pointer, and on
whether 64-bit numbers are aligned to eight bytes (everywhere but on 32-bit x86).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

READ, WRITE = 2, 1
"""Directions of a system call's data, as its number has them: out of the kernel, into the kernel."""
POINTER_BYTES = struct.calcsize("P")
"""Width of a pointer of this Python: 8, or 4 on a 32-bit system, also under a 64-bit kernel."""
ALIGN_64 = struct.calcsize("@IQ") - 8
"""How this machine's C compiler aligns 64-bit numbers in a structure: to 8 bytes, or to 4."""


@dataclass(frozen=True, slots=True)
class Call:
    """One system call on a video device: its number, and the layout of its structure."""

    number: int
    layout: struct.Struct


def _call(direction: int, number: int, fields: str) -> Call:
    layout = struct.Struct(f"={fields}")
    return Call(direction << 30 | layout.size << 16 | ord("V") << 8 | number, layout)


@dataclass(frozen=True, slots=True)
class Calls:
    """All system calls that we use, for one width of pointers."""

    capability: Call
    """VIDIOC_QUERYCAP: driver, card, bus; version, capabilities, capabilities of this node."""
    format_description: Call
    """VIDIOC_ENUM_FMT: index, type, flags, description, pixel format, media bus code."""
    get_format: Call
    """VIDIOC_G_FMT: type; width, height, pixel format, field, bytes a line, bytes of a picture, colour space, …"""
    set_format: Call
    """VIDIOC_S_FMT: as ``get_format``."""
    request_buffers: Call
    """VIDIOC_REQBUFS: count, type, memory, capabilities, flags."""
    query_buffer: Call
    """VIDIOC_QUERYBUF: see ``BUFFER_FIELDS``."""
    queue_buffer: Call
    """VIDIOC_QBUF: see ``BUFFER_FIELDS``."""
    dequeue_buffer: Call
    """VIDIOC_DQBUF: see ``BUFFER_FIELDS``."""
    stream_on: Call
    """VIDIOC_STREAMON: type."""
    stream_off: Call
    """VIDIOC_STREAMOFF: type."""
    get_rate: Call
    """VIDIOC_G_PARM: type, capability, mode, seconds a frame (numerator, denominator), extended mode, buffers."""
    set_rate: Call
    """VIDIOC_S_PARM: as ``get_rate``."""
    describe_input: Call
    """VIDIOC_ENUMINPUT: index, name, type, audio, tuner, standards, status, capabilities."""
    get_input: Call
    """VIDIOC_G_INPUT: index."""
    set_input: Call
    """VIDIOC_S_INPUT: index."""
    frame_size: Call
    """VIDIOC_ENUM_FRAMESIZES: index, pixel format, type; width, height, or their minima, maxima and steps."""
    frame_interval: Call
    """VIDIOC_ENUM_FRAMEINTERVALS: index, pixel format, width, height, type; numerator, denominator, …"""
    query_timings: Call
    """VIDIOC_QUERY_DV_TIMINGS: type; width, height, interlaced, polarities, pixel clock, porches and syncs, …"""
    set_timings: Call
    """VIDIOC_S_DV_TIMINGS: as ``query_timings``."""


BUFFER_FIELDS = ("index", "type", "bytes_used", "flags", "field", "seconds", "microseconds", "timecode",
                 "sequence", "memory", "offset", "length", "reserved", "request")  # fmt: skip
"""Fields of a buffer's structure, in the order in which its layout packs them."""


def calls_for(pointer_bytes: int = POINTER_BYTES, align_64: int = ALIGN_64) -> Calls:
    """System calls for a width of pointers (4 or 8) and an alignment of 64-bit numbers; as they are on this machine."""
    wide = pointer_bytes == 8
    long, gap = ("q", "4x") if wide else ("i", "")
    buffer = f"5I{gap}{long}{long}16sII{long.upper()}IIi{gap}"
    picture = f"I{gap}12I152x"  # the union has 200 bytes, and pointers among its members
    parameters = "7I16x160x"
    source = f"I32s3IQ2I12x{'4x' if align_64 == 8 else ''}"
    timings = "I4IQ9I2I2I2B46x4x"
    both = READ | WRITE
    return Calls(
        capability=_call(READ, 0, "16s32s32s3I12x"),
        format_description=_call(both, 2, "3I32s2I12x"),
        get_format=_call(both, 4, picture),
        set_format=_call(both, 5, picture),
        request_buffers=_call(both, 8, "4IB3x"),
        query_buffer=_call(both, 9, buffer),
        queue_buffer=_call(both, 15, buffer),
        dequeue_buffer=_call(both, 17, buffer),
        stream_on=_call(WRITE, 18, "i"),
        stream_off=_call(WRITE, 19, "i"),
        get_rate=_call(both, 21, parameters),
        set_rate=_call(both, 22, parameters),
        describe_input=_call(both, 26, source),
        get_input=_call(READ, 38, "i"),
        set_input=_call(both, 39, "i"),
        frame_size=_call(both, 74, "3I6I8x"),
        frame_interval=_call(both, 75, "5I6I8x"),
        query_timings=_call(READ, 99, timings),
        set_timings=_call(both, 87, timings),
    )


CALLS = calls_for()
"""System calls of this machine."""
