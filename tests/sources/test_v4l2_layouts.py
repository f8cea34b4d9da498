"""Binary layouts of Video4Linux structures: as a C compiler has them here, and as 32-bit systems have them."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.sources.live.v4l2.layouts import BUFFER_FIELDS, CALLS, Calls, calls_for

NAMES = {
    "capability": ("QUERYCAP", "v4l2_capability"),
    "format_description": ("ENUM_FMT", "v4l2_fmtdesc"),
    "get_format": ("G_FMT", "v4l2_format"),
    "set_format": ("S_FMT", "v4l2_format"),
    "request_buffers": ("REQBUFS", "v4l2_requestbuffers"),
    "query_buffer": ("QUERYBUF", "v4l2_buffer"),
    "queue_buffer": ("QBUF", "v4l2_buffer"),
    "dequeue_buffer": ("DQBUF", "v4l2_buffer"),
    "stream_on": ("STREAMON", ""),
    "stream_off": ("STREAMOFF", ""),
    "get_rate": ("G_PARM", "v4l2_streamparm"),
    "set_rate": ("S_PARM", "v4l2_streamparm"),
    "describe_input": ("ENUMINPUT", "v4l2_input"),
    "get_input": ("G_INPUT", ""),
    "set_input": ("S_INPUT", ""),
    "frame_size": ("ENUM_FRAMESIZES", "v4l2_frmsizeenum"),
    "frame_interval": ("ENUM_FRAMEINTERVALS", "v4l2_frmivalenum"),
    "query_timings": ("QUERY_DV_TIMINGS", "v4l2_dv_timings"),
    "set_timings": ("S_DV_TIMINGS", "v4l2_dv_timings"),
}
SIZES_OF_32_BITS = {
    "capability": 104, "format_description": 64, "get_format": 204, "set_format": 204, "request_buffers": 20,
    "query_buffer": 68, "queue_buffer": 68, "dequeue_buffer": 68, "stream_on": 4, "stream_off": 4, "get_rate": 204,
    "set_rate": 204, "describe_input": 80, "get_input": 4, "set_input": 4, "frame_size": 44, "frame_interval": 52,
    "query_timings": 132, "set_timings": 132,
}  # fmt: skip
"""As the kernel's own tables for 32-bit programs have them (drivers/media/v4l2-core/v4l2-compat-ioctl32.c)."""
FIELDS = {
    "capability": [("v4l2_capability", name) for name in
                   ("driver", "card", "bus_info", "version", "capabilities", "device_caps")],
    "format_description": [("v4l2_fmtdesc", name) for name in
                           ("index", "type", "flags", "description", "pixelformat", "mbus_code")],
    "get_format": [("v4l2_format", "type")] + [("v4l2_format", f"fmt.pix.{name}") for name in
                   ("width", "height", "pixelformat", "field", "bytesperline", "sizeimage", "colorspace", "priv",
                    "flags", "ycbcr_enc", "quantization", "xfer_func")],
    "dequeue_buffer": [("v4l2_buffer", name) for name in
                       ("index", "type", "bytesused", "flags", "field", "timestamp.tv_sec", "timestamp.tv_usec",
                        "timecode", "sequence", "memory", "m.offset", "length", "reserved2", "request_fd")],
    "get_rate": [("v4l2_streamparm", "type")] + [("v4l2_streamparm", f"parm.capture.{name}") for name in
                 ("capability", "capturemode", "timeperframe.numerator", "timeperframe.denominator", "extendedmode",
                  "readbuffers")],
    "describe_input": [("v4l2_input", name) for name in
                       ("index", "name", "type", "audioset", "tuner", "std", "status", "capabilities")],
    "frame_size": [("v4l2_frmsizeenum", name) for name in
                   ("index", "pixel_format", "type", "stepwise.min_width", "stepwise.max_width", "stepwise.step_width",
                    "stepwise.min_height", "stepwise.max_height", "stepwise.step_height")],
    "frame_interval": [("v4l2_frmivalenum", name) for name in
                       ("index", "pixel_format", "width", "height", "type", "stepwise.min.numerator",
                        "stepwise.min.denominator", "stepwise.max.numerator", "stepwise.max.denominator",
                        "stepwise.step.numerator", "stepwise.step.denominator")],
    "query_timings": [("v4l2_dv_timings", "type")] + [("v4l2_dv_timings", f"bt.{name}") for name in
                      ("width", "height", "interlaced", "polarities", "pixelclock", "hfrontporch", "hsync",
                       "hbackporch", "vfrontporch", "vsync", "vbackporch", "il_vfrontporch", "il_vsync",
                       "il_vbackporch", "standards", "flags", "picture_aspect.numerator",
                       "picture_aspect.denominator", "cea861_vic", "hdmi_vic")],
}  # fmt: skip
"""The C structure's fields, in the order in which a layout packs them."""
needs_compiler = pytest.mark.skipif(
    shutil.which("gcc") is None or not Path("/usr/include/linux/videodev2.h").exists(),
    reason="needs gcc and the kernel's headers (apt install gcc linux-libc-dev)",
)


def compiled(folder: Path, lines: list[str]) -> list[list[int]]:
    """What a C program prints that has ``lines`` in its main function."""
    code = "#include <stddef.h>\n#include <stdio.h>\n#include <linux/videodev2.h>\nint main(void) {\n"
    (folder / "layout.c").write_text(code + "\n".join(lines) + "\nreturn 0; }\n")
    subprocess.run(["gcc", "-o", folder / "layout", folder / "layout.c"], check=True)
    printed = subprocess.run([folder / "layout"], check=True, capture_output=True, text=True).stdout
    return [[int(word) for word in line.split()] for line in printed.splitlines()]


@needs_compiler
def test_numbers_and_sizes_are_those_of_the_kernels_header(tmp_path):
    lines = [
        f'printf("%u %zu\\n", (unsigned)VIDIOC_{call}, sizeof({f"struct {name}" if name else "int"}));'
        for call, name in NAMES.values()
    ]
    found = compiled(tmp_path, lines)
    for name, (number, size) in zip(NAMES, found, strict=True):
        call = getattr(CALLS, name)
        assert (call.number, call.layout.size) == (number, size), name


@needs_compiler
def test_each_field_is_where_a_compiler_puts_it(tmp_path):
    wanted = [(call, number, *field) for call, fields in FIELDS.items() for number, field in enumerate(fields)]
    offsets = compiled(tmp_path, [f'printf("%zu\\n", offsetof(struct {s}, {f}));' for _, _, s, f in wanted])
    for (call, number, _, field), (offset,) in zip(wanted, offsets, strict=True):
        layout = getattr(CALLS, call).layout
        blank = [b"" if isinstance(value, bytes) else 0 for value in layout.unpack(bytes(layout.size))]
        blank[number] = b"\x01" if isinstance(blank[number], bytes) else 1
        packed = layout.pack(*blank)
        assert packed.index(1) == offset, (call, field)  # little-endian: the lowest byte comes first
        assert len(FIELDS[call]) == len(blank), call


def test_32_bit_systems_have_their_own_sizes_and_numbers():
    assert {name: getattr(calls_for(4, 8), name).layout.size for name in NAMES} == SIZES_OF_32_BITS
    assert calls_for(4, 4).describe_input.layout.size == 76  # i386 aligns 64-bit numbers to four bytes
    assert calls_for(4, 8).dequeue_buffer.number == 0xC0445611
    assert calls_for(8, 8).dequeue_buffer.number == 0xC0585611


@pytest.mark.parametrize(("pointer", "align"), [(8, 8), (4, 8), (4, 4)])
def test_the_number_of_a_call_holds_its_size(pointer, align):
    for field in dataclasses.fields(Calls):
        call = getattr(calls_for(pointer, align), field.name)
        assert call.number >> 16 & 0x3FFF == call.layout.size
        assert call.number >> 8 & 0xFF == ord("V")


@given(st.sampled_from([(8, 8), (4, 8), (4, 4)]), st.data())
def test_what_is_packed_is_unpacked_again(widths, data):
    """Whatever the kernel writes into a structure is read as it is, in every layout."""
    calls = calls_for(*widths)
    name = data.draw(st.sampled_from(sorted(NAMES)))
    layout = getattr(calls, name).layout
    raw = data.draw(st.binary(min_size=layout.size, max_size=layout.size))
    values = layout.unpack(raw)
    assert layout.unpack(layout.pack(*values)) == values


def test_a_buffers_fields_have_a_name_each():
    for widths in ((8, 8), (4, 8)):
        layout = calls_for(*widths).dequeue_buffer.layout
        assert len(layout.unpack(bytes(layout.size))) == len(BUFFER_FIELDS)
