"""OpenIGTLink messages as far as pictures need them: the header of any message, and images with their spacing.

The protocol is public (openigtlink.org, versions 1 to 3); all numbers outside of pixels are big-endian.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.contracts.region import Region, calibrated_region

if TYPE_CHECKING:
    from numpy.typing import NDArray

HEADER = struct.Struct(">H12s20sIIQQ")
"""Version, type, device name, seconds, fraction of a second (in 2^-32), bytes of the body, checksum."""
EXTENDED = struct.Struct(">HHII")
"""Of version 2 headers, at the beginning of the body: its own size, sizes of metadata header and body, message id."""
IMAGE = struct.Struct(">HBBBBHHH12fHHHHHH")
"""Version, components, scalar type, endianness, axes; size; matrix; beginning and size of the part that is sent."""
UINT8 = 3
SCALARS = {2: "signed 8-bit", 3: "8-bit", 4: "signed 16-bit", 5: "16-bit", 6: "signed 32-bit", 7: "32-bit",
           10: "32-bit float", 11: "64-bit float", 13: "complex"}  # fmt: skip
"""The protocol's scalar types, in words."""
NO_SPACING = "the sender gives a spacing of 1 mm, which it does where it knows none"


class MessageError(ValueError):
    """A message is not as the protocol has it, or an image is none that is read here. Says why."""


@dataclass(frozen=True, slots=True)
class MessageHeader:
    """Header that each message begins with."""

    version: int
    type: str
    device: str
    sent_ns: int
    """The sender's clock, nanoseconds since 1970; 0: it gives none."""
    body_bytes: int


@dataclass(frozen=True, slots=True, eq=False)
class ImageBody:
    """One picture with its calibration."""

    pixels: NDArray[np.uint8]
    """(H, W) grey or (H, W, 3) RGB; a view of the body."""
    region: Region


def parse_header(data: bytes | bytearray | memoryview) -> MessageHeader:
    """Parse the 58 bytes that each message begins with. Raises `MessageError`."""
    version, kind, device, seconds, fraction, body_bytes, _ = HEADER.unpack(data)
    if not 1 <= version <= 3:
        raise MessageError(f"header of version {version}: this is no OpenIGTLink")
    sent_ns = seconds * 1_000_000_000 + (fraction * 1_000_000_000 >> 32)
    return MessageHeader(version, _text(kind), _text(device), sent_ns, body_bytes)


def parse_image(header: MessageHeader, body: memoryview) -> ImageBody:
    """Parse the body of an IMAGE message. Raises `MessageError` if it is damaged, or no picture of 8 bits."""
    content = _content(header, body)
    if len(content) < IMAGE.size:
        raise MessageError(f"an image of {len(content)} bytes, less than its header")
    _, components, scalar, _, _, width, height, depth, *rest = IMAGE.unpack(content[: IMAGE.size])
    matrix, part = rest[:12], tuple(rest[12:])
    if scalar != UINT8:
        raise MessageError(f"an image of {SCALARS.get(scalar, 'unknown')} values; have the sender send 8-bit ones")
    if components not in (1, 3):
        raise MessageError(f"an image of {components} components; grey has 1, RGB 3")
    if depth != 1:
        raise MessageError(f"a volume of {depth} slices; a picture has 1")
    if part != (0, 0, 0, width, height, depth):
        raise MessageError("a part of an image, which is not read")
    pixels_bytes = width * height * components
    if not pixels_bytes or len(content) < IMAGE.size + pixels_bytes:
        raise MessageError(f"an image of {width} x {height} pixels with {len(content) - IMAGE.size} bytes")
    values = np.frombuffer(content, np.uint8, pixels_bytes, IMAGE.size)
    shape = (height, width) if components == 1 else (height, width, 3)
    mm_x, mm_y = (float(np.hypot.reduce(matrix[start : start + 3])) for start in (0, 3))
    return ImageBody(values.reshape(shape), _region((0, 0, width, height), mm_x, mm_y))


def _region(box: tuple[int, int, int, int], mm_x: float, mm_y: float) -> Region:
    if mm_x == mm_y == 1.0:
        return Region(box=box, source="igtl", uncalibrated=NO_SPACING)
    return calibrated_region(box, mm_x, mm_y, "igtl")


def _content(header: MessageHeader, body: memoryview) -> memoryview:
    """The body without what a version 2 header puts around it."""
    if header.version == 1:
        return body
    if len(body) < EXTENDED.size:
        raise MessageError("a message without its extended header")
    before, metadata_header, metadata, _ = EXTENDED.unpack(body[: EXTENDED.size])
    end = len(body) - metadata_header - metadata
    if not EXTENDED.size <= before <= end:
        raise MessageError("a message whose extended header does not fit its body")
    return body[before:end]


def _text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode("utf-8", "replace").strip()
