"""Decodes compressed DICOM frames: 8-bit JPEG (lossless too) and JPEG 2000 by OpenCV, the rest by pydicom's decoders.

What OpenCV does not read, and what promises much, is decoded in the decoder process.

OpenCV comes first where it can, so that a device gives the same pixels whether the optional decoders are there or not.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import cv2
from pydicom.uid import JPEG2000, JPEG2000Lossless, JPEG2000TransferSyntaxes, JPEGTransferSyntaxes

from edge.contracts.errors import SourceError
from edge.contracts.results import Reason
from edge.dicom.pixel_layout import LUMINANCE
from edge.dicom.pydicom_decoders import (
    UNCOMPRESSED,
    NoDecoderError,
    decode_uncompressed,
    decode_with_pydicom,
    no_decoder_error,
    pydicom_options,
    require_plugin,
)
from edge.images.decode import decode_with_opencv
from edge.images.decoder_process import decoder_process, memory_file
from edge.images.jpeg import read_jpeg_header, set_jpeg_colour_transform
from edge.images.jpeg2000 import jpeg2000_codestream, read_jpeg2000_header
from edge.images.jpeg_grey import decode_jpeg_grey
from edge.images.limits import IN_PROCESS_COST, MAX_COMPRESSED_FRAME, MAX_SCAN_PIXELS, check_cost

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray
    from pydicom.uid import UID

    from edge.dicom.pixel_layout import PixelLayout

__all__ = [
    "UNCOMPRESSED",
    "NoDecoderError",
    "decode_frame",
    "no_decoder_error",
    "opencv_can_decode",
    "pydicom_options",
]

MAX_IN_PROCESS_JPEG2000 = 4 << 20
"""Most samples of a JPEG 2000 frame that is decoded in this process: an ugly one keeps the decoder for a second."""
MAX_TILES = 64
"""Most tiles of such a frame."""
_GREY = cv2.IMREAD_UNCHANGED
_RGB = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
"""Flags of `cv2.imdecode`: RGB order at once. DICOM, not Exif, says how a picture lies."""


def decode_frame(
    data: bytes, layout: PixelLayout, syntax: UID, *, grey: bool = False, timeout_s: float | None = None
) -> tuple[NDArray[Any], str]:
    """Decode one compressed frame (JPEG, JPEG 2000, JPEG-LS, RLE) to samples. Call `check_frame` first.

    Args:
        data: the compressed frame.
        layout: what the file says of it.
        syntax: how it is compressed.
        grey: no colour is needed: where the luminance can be decoded alone, that is enough.
        timeout_s: time limit in the decoder process, in seconds.

    Returns:
        (H, W) or (H, W, 3) samples, uint8 or as deep as the file says, and the photometric interpretation they are in
        now; `LUMINANCE` for the grey of a frame that has colour.

    Raises:
        NoDecoderError: no decoder for ``syntax``, or not for such pixels.
        SourceError: the frame is broken, not of the size that the file says, or takes too much time or memory.
    """
    if syntax in UNCOMPRESSED:
        return decode_uncompressed(data, layout)
    decoded = _by_opencv(data, layout, syntax, grey, everything=False)
    if decoded is not None:
        return decoded
    fd = memory_file(data)
    try:
        return decoder_process.call(decode_anything, fd, layout, syntax, grey, timeout_s=timeout_s)
    finally:
        os.close(fd)


def decode_anything(data: bytes, layout: PixelLayout, syntax: UID, grey: bool) -> tuple[NDArray[Any], str]:
    """Decode one compressed frame in this process, whatever it costs: for the decoder process.

    Arguments, result and errors as for `decode_frame`.
    """
    data = bytes(data)
    return _by_opencv(data, layout, syntax, grey, everything=True) or decode_with_pydicom(data, layout, syntax)


def check_frame(layout: PixelLayout, syntax: UID, size: int) -> None:
    """Raise for a compressed frame of ``size`` bytes that cannot be decoded here. Call it before it is read.

    Raises:
        NoDecoderError: there is no decoder for ``syntax``.
        SourceError: it is too large.
    """
    require_decoder(layout, syntax)
    if size > MAX_COMPRESSED_FRAME:
        raise SourceError(
            f"expected at most {MAX_COMPRESSED_FRAME >> 20} MB of compressed data a frame, got {size >> 20} MB",
            hint="export it as uncompressed",
            reason=Reason.TOO_LARGE.value,
        )
    depth = layout.allocated // 8 or 1
    each = {True: 8 + 3 * depth, False: 4 * depth}[syntax in JPEG2000TransferSyntaxes]
    check_cost(layout.columns, layout.rows, layout.samples * each, syntax.name)


def require_decoder(layout: PixelLayout, syntax: UID) -> None:
    """Raise `NoDecoderError` if no frame of this layout can be decoded here, as far as the header tells.

    What OpenCV is given first may yet turn out to be beyond it: that is seen in the frame.
    """
    if syntax in UNCOMPRESSED or not syntax.is_encapsulated:
        return
    if layout.allocated == 1:
        message = f"no decoder for {syntax.name} frames of one bit a pixel"
        raise NoDecoderError(message, hint="export it as uncompressed, or with 8 bits a pixel")
    deep = layout.allocated > 8 and layout.stored > 8
    if syntax in JPEGTransferSyntaxes or (syntax in (JPEG2000, JPEG2000Lossless) and not deep):
        return
    require_plugin(syntax)


def opencv_can_decode(layout: PixelLayout, syntax: UID) -> bool:
    """Whether OpenCV decodes the frames, as far as the file tells: only these can be decoded in parallel threads.

    The decoders that pydicom calls for JPEG-LS and JPEG 2000 hold Python's lock, and `suppress_pydicom_warnings` lets
    in one at a time.
    """
    return (syntax in JPEGTransferSyntaxes or syntax in (JPEG2000, JPEG2000Lossless)) and layout.allocated == 8


def _by_opencv(
    data: bytes, layout: PixelLayout, syntax: UID, grey: bool, *, everything: bool
) -> tuple[NDArray[Any], str] | None:
    """Decode by OpenCV; None for what it does not read, or, unless it is to be ``everything``, what may cost much."""
    if syntax in JPEGTransferSyntaxes:
        return _jpeg(data, layout, grey, everything)
    if syntax in (JPEG2000, JPEG2000Lossless):  # not high-throughput JPEG 2000
        return _jpeg2000(data, layout, everything)
    return None


def _jpeg(data: bytes, layout: PixelLayout, grey: bool, everything: bool) -> tuple[NDArray[Any], str] | None:
    """Decode JPEG by OpenCV, uint8; None if it has to be left to others: more than 8 bits, large, or many scans."""
    info = read_jpeg_header(data)
    if info is None or not info.complete:
        raise SourceError("broken or cut short JPEG frame")
    _check_size(layout, info.width, info.height, len(info.components))
    light = 12 * layout.pixels <= IN_PROCESS_COST and (info.scans == 1 or info.scans * layout.pixels <= MAX_SCAN_PIXELS)
    if info.bits != 8 or not (light or everything):
        return None
    photometric = layout.photometric
    if layout.samples == 3:
        # A JFIF marker or components named R, G, B tell more reliably than the file's own word what the stream holds.
        # Without either, its word holds, which OpenCV does not know: it must be told.
        named_rgb = info.components in (b"RGB", b"rgb")
        ybr = not named_rgb and (info.jfif or photometric != "RGB")
        if info.lossless:  # never converted by libjpeg
            data, photometric = set_jpeg_colour_transform(data, ybr=False), "YBR_FULL" if ybr else "RGB"
        elif grey and ybr:
            return decode_jpeg_grey(data if info.decoded_as_ybr else set_jpeg_colour_transform(data, ybr)), LUMINANCE
        else:
            data, photometric = data if info.decoded_as_ybr == ybr else set_jpeg_colour_transform(data, ybr), "RGB"
    return _picture(data, layout), photometric


def _jpeg2000(data: bytes, layout: PixelLayout, everything: bool) -> tuple[NDArray[Any], str] | None:
    """Decode JPEG 2000 by OpenCV, uint8; None for others: over 8 bits, signed, subsampled, or large."""
    data = jpeg2000_codestream(data)
    info = read_jpeg2000_header(data)
    if info is None:
        raise SourceError("broken or cut short JPEG 2000 frame")
    _check_size(layout, info.width, info.height, info.components)
    light = layout.pixels * layout.samples <= MAX_IN_PROCESS_JPEG2000 and info.tiles <= MAX_TILES
    if not info.uniform or info.bits != 8 or not (light or everything):
        return None
    photometric = layout.photometric
    if layout.samples == 3 and (info.colour_transformed or photometric in ("YBR_RCT", "YBR_ICT")):
        photometric = "RGB"
    return _picture(data, layout), photometric


def _picture(data: bytes, layout: PixelLayout) -> NDArray[Any]:
    picture = decode_with_opencv(data, _GREY if layout.samples == 1 else _RGB)
    expected = (layout.rows, layout.columns, 3)[: 2 if layout.samples == 1 else 3]
    if picture is None or picture.shape != expected:
        raise SourceError("broken or cut short compressed frame")
    return picture


def _check_size(layout: PixelLayout, width: int, height: int, components: int) -> None:
    """Refuse a frame of another size. A small file may hold a stream that says it is huge: checked before decoding."""
    if (width, height, components) != (layout.columns, layout.rows, layout.samples):
        raise SourceError(
            f"expected a {layout.columns} x {layout.rows} frame of {layout.samples} samples, "
            f"got {width} x {height} of {components}"
        )
