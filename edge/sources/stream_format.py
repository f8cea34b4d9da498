"""Reads from coded packets what fixes a stream's picture format: size and chroma sampling, as bytes to be compared.

OpenCV tells the size of a clip's first frame only, and scales all later ones to it. A change shows in the headers that
are repeated within the stream: ISO/IEC 11172-2 and 13818-2 (MPEG-1, MPEG-2), 14496-2 (MPEG-4 part 2), 14496-10 (H.264),
23008-2 (HEVC), 10918-1 (JPEG); RFC 6386 (VP8), the VP9 bitstream specification, IEC 61834 (DV).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_START = b"\0\0\1"
_MOST_UNITS = 64
"""Start codes looked at in one packet: headers stand at its beginning."""
_SOF = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
_SOS = 0xDA


def format_reader(codec: str) -> Callable[[bytes], bytes] | None:
    """Choose the function that reads a codec's format from a packet; its answer is empty if the packet tells none.

    Args:
        codec: four-character code, such as ``h264``.

    Returns:
        The function, or None for codecs whose format only the container tells.
    """
    return _READERS.get(codec.lower())


def is_elementary(codec: str) -> bool:
    """Whether this codec's packets, one behind the other, are a file that FFmpeg reads."""
    return _READERS.get(codec.lower()) in (_mpeg_format, _mpeg_4_format, _h264_format, _hevc_format, _jpeg_format)


def _units(packet: bytes) -> Iterator[bytes]:
    """Yield what stands behind each start code 00 00 01, to the next one."""
    at = packet.find(_START)
    for _ in range(_MOST_UNITS):
        if at < 0:
            return
        end = packet.find(_START, at + 3)
        yield packet[at + 3 : end if end >= 0 else None]
        at = end


def _mpeg_format(packet: bytes) -> bytes:
    """Format of MPEG-1 and MPEG-2: size from the sequence header, its high bits and chroma from the extension."""
    found = b""
    for unit in _units(packet):
        if unit[:1] == b"\xb3":
            found = unit[1:4]
        elif found and unit[:1] == b"\xb5" and unit[1:2] and unit[1] >> 4 == 1:
            extension = int.from_bytes(unit[1:4].ljust(3, b"\0"), "big")
            return found + (extension >> 5 & 0b111111).to_bytes(1, "big")  # chroma_format, two bits of each size
        elif found:
            break
    return found


def _mpeg_4_format(packet: bytes) -> bytes:
    """Format of MPEG-4 part 2: the whole header of the video object layer."""
    return next((unit for unit in _units(packet) if unit[:1] and 0x20 <= unit[0] <= 0x2F), b"")


def _h264_format(packet: bytes) -> bytes:
    """Format of H.264: the whole sequence parameter sets."""
    return b"".join(sorted(unit.rstrip(b"\0") for unit in _units(packet) if unit[:1] and unit[0] & 0x1F == 7))


def _hevc_format(packet: bytes) -> bytes:
    """Format of HEVC: the whole sequence parameter sets."""
    return b"".join(sorted(unit.rstrip(b"\0") for unit in _units(packet) if unit[:1] and unit[0] >> 1 & 0x3F == 33))


def _jpeg_format(packet: bytes) -> bytes:
    """Format of one JPEG: precision, size and sampling of its components, from the frame header."""
    at = 2
    while packet[at : at + 1] == b"\xff" and at + 4 <= len(packet):
        marker, length = packet[at + 1], int.from_bytes(packet[at + 2 : at + 4], "big")
        if marker in _SOF:
            header = packet[at + 4 : at + 2 + length]
            return header[:6] + header[7::3]  # without the numbers of components and of their tables
        if marker == _SOS:
            break
        at += 1 if marker == 0xFF else 2 + length  # 0xFF: a fill byte
    return b""


def _vp8_format(packet: bytes) -> bytes:
    """Format of VP8: width and height of a key frame, without the two bits of scaling."""
    if packet[3:6] != b"\x9d\x01\x2a" or len(packet) < 10:
        return b""
    return bytes((packet[6], packet[7] & 0x3F, packet[8], packet[9] & 0x3F))


def _vp9_format(packet: bytes) -> bytes:
    """Format of VP9, profile 0: width and height of a key frame."""
    if packet[1:4] != b"\x49\x83\x42" or len(packet) < 9 or packet[0] & 0b11111100 != 0b10000000:
        return b""
    return (int.from_bytes(packet[4:9], "big") >> 4 & 0xFFFFFFFF).to_bytes(4, "big")


def _dv_format(packet: bytes) -> bytes:
    """Format of DV: 525 lines at 60 fields/s, or 625 at 50."""
    return bytes((packet[3] & 0x80,)) if len(packet) > 3 else b""


_READERS: dict[str, Callable[[bytes], bytes]] = {
    **dict.fromkeys(("mpg1", "mpg2", "mpeg", "m2v1", "mx5p"), _mpeg_format),
    **dict.fromkeys(("fmp4", "xvid", "divx", "dx50", "mp4v"), _mpeg_4_format),
    **dict.fromkeys(("h264", "avc1", "avc3", "x264"), _h264_format),
    **dict.fromkeys(("hevc", "hvc1", "hev1", "h265"), _hevc_format),
    **dict.fromkeys(("mjpg", "jpeg", "mjpa", "avrn"), _jpeg_format),
    "vp80": _vp8_format,
    "vp90": _vp9_format,
    **dict.fromkeys(("dvsd", "dvcp", "dvc ", "dvcn"), _dv_format),
}
"""By four-character code in lower case."""
