"""JPEG headers (ISO/IEC 10918-1 annex B): read without decoding, and the Adobe colour transform marker set."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SOF = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers without a length: TEM, restarts, start of image."""
_MARKER_IN_SCAN = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")
_END = b"\xff\xd9"
_LOSSLESS = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_RGB_IDS = (b"RGB", b"rgb")
_INDEX = re.compile(rb"\xff\xe2..MPF\x00", re.DOTALL)
_INDEX_WITHIN = 1 << 18
"""Bytes from the start within which the index stands: behind EXIF and its preview."""
MAX_SEGMENTS = 20_000
"""Most segments of a JPEG that are gone through; each takes a microsecond, and 64 MB hold millions of empty ones."""


@dataclass(frozen=True, slots=True)
class JpegInfo:
    """Headers of one JPEG: size, bits, colour components and markers."""

    width: int
    height: int
    bits: int
    components: bytes
    """Identifiers of the colour components, one byte each."""
    lossless: bool
    """Whether it is lossless JPEG, which libjpeg never converts from YCbCr."""
    jfif: bool
    """Whether there is a JFIF marker: three components then are YCbCr."""
    adobe: int | None
    """Colour transform of the Adobe marker: 0 none, 1 YCbCr. None: no such marker."""
    complete: bool
    """Whether the end of the image is there."""
    scans: int = 1
    """Number of scans; a progressive one has several, and each goes through the whole picture."""

    @property
    def decoded_as_ybr(self) -> bool:
        """Whether a decoder that knows only this stream (libjpeg) takes its three components for YCbCr."""
        if self.jfif:
            return True
        if self.adobe is not None:
            return self.adobe != 0
        return self.components not in _RGB_IDS


def read_jpeg_header(data: bytes) -> JpegInfo | None:
    """Read the headers of a JPEG, and whether it is complete; None if it is no JPEG or has no frame header."""
    if data[:2] != b"\xff\xd8":
        return None
    frame: tuple[int, bytes] | None = None
    jfif, adobe, complete, at, scans = False, None, False, 2, 0
    for _ in range(MAX_SEGMENTS):
        if (at + 4 > len(data) and data[at : at + 2] != _END) or data[at] != 0xFF:
            break
        marker = data[at + 1]
        if marker == 0xD9:
            complete = frame is not None
            break
        if marker == 0xFF or marker in _WITHOUT_LENGTH:
            at += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        body = data[at + 4 : at + 2 + length]
        if length < 2 or len(body) != length - 2:
            break
        if marker in _SOF and frame is None:
            frame = (marker, body)
        elif marker == 0xE0 and body[:5] == b"JFIF\0":
            jfif = True
        elif marker == 0xEE and body[:5] == b"Adobe" and len(body) >= 12:
            adobe = body[11]
        at += 2 + length
        if marker == 0xDA:
            scans += 1
            if frame is not None and _only_scan(frame, body):
                complete = data.rfind(_END, at) >= 0  # coded samples cannot hold it, and any marker takes long to find
                break
            found = _MARKER_IN_SCAN.search(data, at)
            if found is None:
                break
            at = found.end() - 2
    if frame is None or len(frame[1]) < 6:
        return None
    kind, body = frame
    return JpegInfo(
        width=int.from_bytes(body[3:5], "big"),
        height=int.from_bytes(body[1:3], "big"),
        bits=body[0],
        components=body[6 : 6 + 3 * body[5] : 3],
        lossless=kind in _LOSSLESS,
        jfif=jfif,
        adobe=adobe,
        complete=complete,
        scans=max(1, scans),
    )


def has_too_many_segments(data: bytes) -> bool:
    """Whether a JPEG has more segments than `read_jpeg_header` goes through, so that it cannot tell the rest of it."""
    at = 2
    for _ in range(MAX_SEGMENTS):
        if data[at : at + 1] != b"\xff" or data[at : at + 2] in (b"\xff", _END):
            return False
        marker = data[at + 1]
        if marker == 0xFF or marker in _WITHOUT_LENGTH:
            at += 1 if marker == 0xFF else 2
            continue
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == 0xDA:
            found = _MARKER_IN_SCAN.search(data, at)
            if found is None:
                return False
            at = found.end() - 2
    return at < len(data)


def has_companions(data: bytes) -> bool:
    """Whether an index (CIPA DC-007, Multi-Picture Format) names the pictures behind it."""
    return _INDEX.search(data, 0, _INDEX_WITHIN) is not None


def _only_scan(frame: tuple[int, bytes], scan: bytes) -> bool:
    """Whether a scan with the header ``scan`` holds all there is of ``frame`` (marker and body of its header)."""
    kind, body = frame
    return kind not in _PROGRESSIVE and len(body) > 5 and scan[:1] == body[5:6]


def set_jpeg_colour_transform(data: bytes, ybr: bool) -> bytes:
    """Return the JPEG marked so that every decoder takes its three components for YCbCr (``ybr``), or for RGB.

    An Adobe marker says it; a JFIF marker, which would win over that, is left out.
    """
    adobe = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00" + bytes([ybr])
    kept, at = [], 2
    while data[at : at + 1] == b"\xff" and (0xE0 <= data[at + 1] <= 0xEF or data[at + 1] == 0xFE):
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at + 1] not in (0xE0, 0xEE):
            kept.append(data[at:end])
        at = end
    return b"\xff\xd8" + adobe + b"".join(kept) + data[at:]
