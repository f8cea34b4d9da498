"""Orientation in the text chunks of a PNG: XMP, and EXIF as ImageMagick writes it ("Raw profile type exif")."""

from __future__ import annotations

import re
import zlib

from edge.images.orientation import exif_orientation

TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt")
XMP = (b"XML:com.adobe.xmp", b"Raw profile type xmp")
EXIF = (b"Raw profile type exif", b"Raw profile type APP1")
"""Keywords of text that may say how a picture is turned."""
MAX_TEXT = 1 << 20
"""Most bytes of a text that are read; XMP has a few kilobytes, and a compressed text may promise gigabytes."""
_ORIENTATION = re.compile(rb"tiff:Orientation\s*(?:=\s*[\"']|>)\s*([1-8])\s*[\"'<]")
_HEX = re.compile(rb"\s*\w+\s+\d+\s+((?:[0-9a-fA-F]{2}|\s)*)")
"""A raw profile: its name, its length, and its bytes in hexadecimal."""


def text_orientation(name: bytes, body: bytes) -> tuple[bytes, int] | None:
    """Read the orientation in a text chunk.

    Args:
        name: of the chunk, one of `TEXT_CHUNKS`.
        body: its content.

    Returns:
        Its keyword, and 1 to 8, where 1 is upright or that it does not say; None: it is some other text.
    """
    keyword, _, rest = body[: MAX_TEXT + 256].partition(b"\0")
    if keyword not in XMP + EXIF:
        return None
    text = _text(name, rest)
    if keyword.startswith(b"Raw") and (found := _HEX.match(text)):
        text = bytes.fromhex(found[1].decode("ascii"))
    if keyword in EXIF and text.removeprefix(b"Exif\0\0")[:4] in (b"II*\0", b"MM\0*"):
        return keyword, exif_orientation(text)
    turned = _ORIENTATION.search(text)
    return keyword, int(turned[1]) if turned else 1


def _text(name: bytes, rest: bytes) -> bytes:
    """Text of a chunk behind its keyword, inflated; what is there of a damaged one, since it makes no pixels."""
    compressed = name == b"zTXt"
    if name == b"iTXt":
        compressed, fields = rest[:1] == b"\1", rest[2:].split(b"\0", 2)
        rest = fields[2] if len(fields) == 3 else b""
    elif compressed:
        rest = rest[1:]  # the method: there is one
    if not compressed:
        return rest[:MAX_TEXT]
    try:
        return zlib.decompressobj().decompress(rest, MAX_TEXT)
    except zlib.error:
        return b""
