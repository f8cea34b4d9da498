"""Reads from H.264 packets what numbers their frames: ``frame_num`` and the parameter sets that say how it is coded.

ISO/IEC 14496-10, sections 7.3.2.1 (sequence parameter set), 7.3.2.2 (picture parameter set), 7.3.3 (slice header).
"""

from __future__ import annotations

from dataclasses import dataclass

_START = b"\0\0\1"
_SLICE, _IDR_SLICE, _SPS, _PPS = 1, 5, 7, 8
_HEADER_BYTES = 32
"""Bytes of a slice in which its frame_num stands for certain."""
_SPS_BYTES = 1024
_MOST_UNITS = 64
_HIGH_PROFILES = frozenset({44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244})
"""Profiles whose sequence parameter set tells chroma sampling and scaling matrices."""


@dataclass(frozen=True, slots=True)
class Numbering:
    """Facts from a sequence parameter set about the numbers of frames."""

    bits: int
    """Bits of a ``frame_num``."""
    may_have_gaps: bool
    """Frames may have been left out on purpose."""
    colour_planes: bool
    """Slices tell which colour plane they belong to."""
    max_references: int
    """Frames that a frame may be predicted from."""


@dataclass(frozen=True, slots=True)
class SliceHeader:
    """Facts about the first slice of a packet."""

    idr: bool
    """No later frame is predicted from any before this one."""
    reference: bool
    """Others are predicted from it."""
    intra: bool
    frame_num: int
    numbering: Numbering


class H264Headers:
    """Reader of the packets of one stream, which remembers the parameter sets."""

    def __init__(self) -> None:
        self._sequences: dict[int, Numbering] = {}
        self._pictures: dict[int, int] = {}
        """Identifier of the sequence parameter set, by that of the picture parameter set."""

    def first_slice(self, packet: bytes) -> SliceHeader | None:
        """Read the header of a packet's first slice; None: there is none, or its parameter sets are not known."""
        at = packet.find(_START)
        for _ in range(_MOST_UNITS):
            if at < 0 or at + 4 > len(packet):
                return None
            kind = packet[at + 3] & 0x1F
            try:
                if kind in (_SLICE, _IDR_SLICE):
                    return self._slice(packet[at + 3 : at + 3 + _HEADER_BYTES])
                if kind == _SPS:
                    identifier, numbering = _sequence(packet[at + 4 : at + 4 + _SPS_BYTES])
                    self._sequences[identifier] = numbering
                elif kind == _PPS:
                    bits = BitReader(packet[at + 4 : at + 4 + _HEADER_BYTES])
                    self._pictures[bits.exp_golomb()] = bits.exp_golomb()
            except ValueError:  # cut short, or not what it says; FFmpeg tells
                return None
            at = packet.find(_START, at + 3)
        return None

    def _slice(self, unit: bytes) -> SliceHeader | None:
        bits = BitReader(unit[1:])
        bits.exp_golomb()  # first_mb_in_slice
        kind = bits.exp_golomb() % 5
        numbering = self._sequences.get(self._pictures.get(bits.exp_golomb(), -1))
        if numbering is None:
            return None
        if numbering.colour_planes:
            bits.read(2)
        frame_num = bits.read(numbering.bits)
        idr = unit[0] & 0x1F == _IDR_SLICE
        return SliceHeader(idr, bool(unit[0] & 0x60), kind in (2, 4), frame_num, numbering)


def units_with_start_codes(packet: bytes) -> bytes:
    """Put start codes before the units of a packet of H.264 or HEVC that has their lengths, four bytes each, instead.

    OpenCV does so for MP4 and Matroska, not for AVI. A length of 256 to 511 looks like a start code.
    """
    at, units = 0, []
    while at + 4 <= len(packet):
        end = at + 4 + int.from_bytes(packet[at : at + 4], "big")
        units.append(packet[at + 4 : end])
        at = end
    return b"".join(_START + unit for unit in units) if at == len(packet) else packet


def with_start_codes(configuration: bytes) -> bytes:
    """Parameter sets of an MP4 or Matroska file's configuration record (14496-15, 5.3.3), behind start codes."""
    if configuration[:1] != b"\1":
        return configuration  # behind start codes already
    found, at = b"", 5
    for mask in (31, 255):
        if at >= len(configuration):
            break
        count, at = configuration[at] & mask, at + 1
        for _ in range(count):
            size = int.from_bytes(configuration[at : at + 2], "big")
            found += _START + configuration[at + 2 : at + 2 + size]
            at += 2 + size
    return found


def _sequence(unit: bytes) -> tuple[int, Numbering]:
    """Identifier and facts of a sequence parameter set. Raises ValueError if it is cut short or absurd."""
    bits = BitReader(unit)
    profile = bits.read(8)
    bits.read(16)
    identifier = bits.exp_golomb()
    colour_planes = _skip_high_profile(bits) if profile in _HIGH_PROFILES else False
    size = bits.exp_golomb() + 4
    if size > 16:
        raise ValueError(size)
    order = bits.exp_golomb()
    if order == 0:
        bits.exp_golomb()
    elif order == 1:
        bits.read(1)
        bits.exp_golomb()
        bits.exp_golomb()
        for _ in range(bits.exp_golomb()):
            bits.exp_golomb()
    references = bits.exp_golomb()
    return identifier, Numbering(size, bool(bits.read(1)), colour_planes, references)


def reference_frames(unit: bytes) -> int:
    """Frames kept for prediction, from a sequence parameter set behind its first byte. Raises ValueError if broken."""
    return _sequence(unit)[1].max_references


def _skip_high_profile(bits: BitReader) -> bool:
    """Read chroma sampling, depths and scaling lists. Returns whether colour planes are coded separately."""
    chroma = bits.exp_golomb()
    colour_planes = bool(bits.read(1)) if chroma == 3 else False
    bits.exp_golomb()
    bits.exp_golomb()
    bits.read(1)
    if bits.read(1):
        for index in range(12 if chroma == 3 else 8):
            if bits.read(1):
                _skip_scaling_list(bits, 16 if index < 6 else 64)
    return colour_planes


def _skip_scaling_list(bits: BitReader, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            code = bits.exp_golomb()
            following = (last + (code + 1 >> 1) * (1 if code & 1 else -1)) % 256
        last = following or last


class BitReader:
    """Reader of bits and Exp-Golomb codes, without the bytes that keep start codes apart."""

    def __init__(self, data: bytes) -> None:
        data = data.replace(b"\0\0\3", b"\0\0")
        self._value = int.from_bytes(data, "big")
        self._left = len(data) * 8

    def read(self, count: int) -> int:
        """Read an unsigned number of ``count`` bits. Raises ValueError at the end."""
        self._left -= count
        if self._left < 0:
            raise ValueError(count)
        return self._value >> self._left & (1 << count) - 1

    def exp_golomb(self) -> int:
        """Read an unsigned Exp-Golomb code; of a signed one, its index. Raises ValueError at the end."""
        rest = self._value & (1 << self._left) - 1
        zeros = self._left - rest.bit_length()
        if zeros > 32 or not rest:
            raise ValueError(zeros)
        self._left -= zeros
        return self.read(zeros + 1) - 1
