"""JPEG 2000 main header (ISO/IEC 15444-1 annex A), read without decoding the codestream."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_START = b"\xff\x4f\xff\x51"
"""First bytes of a codestream: its start marker, then that of the image and tile size."""


@dataclass(frozen=True, slots=True)
class Jpeg2000Info:
    """Main header of one JPEG 2000 codestream: size, components, bits and colour transform."""

    width: int
    height: int
    components: int
    bits: int
    """Bits of the deepest component."""
    uniform: bool
    """Whether all components are unsigned, of one depth, at full resolution, from the grid's origin."""
    tiles: int
    """Number of tiles; the decoder makes tables for each before it reads one."""
    colour_transformed: bool
    """Whether the first three components went through the colour transform, which the decoder undoes: they are RGB."""


def jpeg2000_codestream(data: bytes) -> bytes:
    """Cut off what a JP2 file has before its codestream: what it says of colour does not count in DICOM."""
    return data[max(0, data.find(_START)) :]


def read_jpeg2000_header(data: bytes) -> Jpeg2000Info | None:
    """Read the main header of a JPEG 2000 codestream; None if ``data`` does not begin with one, or it is broken."""
    if data[:4] != _START or len(data) < 42:
        return None
    x1, y1, x0, y0, tile_width, tile_height, tx0, ty0, components = struct.unpack(">8LH", data[8:42])
    table = data[42 : 42 + 3 * components]
    if not components or len(table) < 3 * components or not tile_width or not tile_height:
        return None
    depths, steps = set(table[0::3]), set(table[1::3] + table[2::3])
    return Jpeg2000Info(
        width=x1 - x0,
        height=y1 - y0,
        components=components,
        bits=max(depth & 0x7F for depth in depths) + 1,
        uniform=len(depths) == 1 and max(depths) < 0x80 and steps == {1} and (x0, y0, tx0, ty0) == (0, 0, 0, 0),
        tiles=-(-(x1 - tx0) // tile_width) * -(-(y1 - ty0) // tile_height),
        colour_transformed=_colour_transformed(data, 42 + 3 * components),
    )


def _colour_transformed(data: bytes, at: int) -> bool:
    """Whether there is a multiple component transformation, from the coding style default (COD) marker segment."""
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] not in (0x90, 0xD9):
        if data[at + 1] == 0x52:
            return data[at + 8 : at + 9] == b"\x01"
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return False
