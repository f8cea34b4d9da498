"""Decodes compressed DICOM frames. OpenCV reads 8-bit JPEG (lossless too) and JPEG 2000; pydicom's decoders the rest.

OpenCV comes first where it can, so that a device gives the same pixels whether the optional decoders are there or not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
from pydicom.encaps import encapsulate
from pydicom.pixels import get_decoder
from pydicom.uid import (
    JPEG2000,
    UID,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEG2000TransferSyntaxes,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    MPEGTransferSyntaxes,
    RLELossless,
)

from edge.contracts.errors import SourceError
from edge.dicom.pixel_layout import LUMINANCE
from edge.dicom.sample_bits import place_samples
from edge.dicom.suppress_warnings import suppress_pydicom_warnings
from edge.images.decode import decode_with_opencv
from edge.images.jpeg import read_jpeg_header, set_jpeg_colour_transform
from edge.images.jpeg2000 import jpeg2000_codestream, read_jpeg2000_header
from edge.images.jpeg_grey import decode_jpeg_grey

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from edge.dicom.pixel_layout import PixelLayout

UNCOMPRESSED = (UID("1.2.840.10008.1.2.1.98"),)
"""Transfer syntaxes whose frames are in fragments, but not compressed: PS3.5 A.4.11."""

_GREY = cv2.IMREAD_UNCHANGED
_RGB = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
"""Flags of `cv2.imdecode`: RGB order at once. DICOM, not Exif, says how a picture lies."""


class NoDecoderError(SourceError):
    """No installed decoder reads this transfer syntax: no frame of the file can be decoded."""


def decode_frame(data: bytes, layout: PixelLayout, syntax: UID, *, grey: bool = False) -> tuple[NDArray[Any], str]:
    """Decode one compressed frame (JPEG, JPEG 2000, JPEG-LS, RLE) to samples.

    Args:
        data: the compressed frame.
        layout: what the file says of it.
        syntax: how it is compressed.
        grey: no colour is needed: where the luminance can be decoded alone, that is enough.

    Returns:
        (H, W) or (H, W, 3) samples, uint8 or as deep as the file says, and the photometric interpretation they are in
        now; `LUMINANCE` for the grey of a frame that has colour.

    Raises:
        NoDecoderError: no decoder for ``syntax``, or not for such pixels.
        SourceError: the frame is broken, or not of the size that the file says.
    """
    decoded = None
    if syntax in UNCOMPRESSED:
        decoded = _uncompressed(data, layout)
    elif syntax in JPEGTransferSyntaxes:
        decoded = _jpeg(data, layout, grey)
    elif syntax in (JPEG2000, JPEG2000Lossless):  # not high-throughput JPEG 2000
        decoded = _jpeg2000(data, layout)
    return decoded or _by_pydicom(data, layout, syntax)


def opencv_can_decode(layout: PixelLayout, syntax: UID) -> bool:
    """Whether OpenCV decodes the frames, as far as the file tells: only these can be decoded in parallel threads.

    The decoders that pydicom calls for JPEG-LS and JPEG 2000 hold Python's lock, and `suppress_pydicom_warnings` lets
    in one at a time.
    """
    return (syntax in JPEGTransferSyntaxes or syntax in (JPEG2000, JPEG2000Lossless)) and layout.allocated == 8


def _jpeg(data: bytes, layout: PixelLayout, grey: bool) -> tuple[NDArray[Any], str] | None:
    """Decode JPEG by OpenCV, uint8; None if it has to be left to others: more than 8 bits."""
    info = read_jpeg_header(data)
    if info is None or not info.complete:
        raise SourceError("broken or cut short JPEG frame")
    _check_size(layout, info.width, info.height, len(info.components))
    if info.bits != 8:
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
    return _by_opencv(data, layout), photometric


def _jpeg2000(data: bytes, layout: PixelLayout) -> tuple[NDArray[Any], str] | None:
    """Decode JPEG 2000 by OpenCV, uint8; None if it has to be left to others: over 8 bits, signed or subsampled."""
    data = jpeg2000_codestream(data)
    info = read_jpeg2000_header(data)
    if info is None:
        raise SourceError("broken or cut short JPEG 2000 frame")
    _check_size(layout, info.width, info.height, info.components)
    if not info.uniform or info.bits != 8:
        return None
    photometric = layout.photometric
    if layout.samples == 3 and (info.colour_transformed or photometric in ("YBR_RCT", "YBR_ICT")):
        photometric = "RGB"
    return _by_opencv(data, layout), photometric


def _by_opencv(data: bytes, layout: PixelLayout) -> NDArray[Any]:
    picture = decode_with_opencv(data, _GREY if layout.samples == 1 else _RGB)
    expected = (layout.rows, layout.columns, 3)[: 2 if layout.samples == 1 else 3]
    if picture is None or picture.shape != expected:
        raise SourceError("broken or cut short compressed frame")
    return picture


def _by_pydicom(data: bytes, layout: PixelLayout, syntax: UID) -> tuple[NDArray[Any], str]:
    with suppress_pydicom_warnings():
        try:
            decoder = get_decoder(syntax)
        except NotImplementedError:
            raise no_decoder_error(syntax) from None
        if not decoder.is_available:
            raise no_decoder_error(syntax)
        if layout.allocated == 1:
            message = f"no decoder for {syntax.name} frames of one bit a pixel"
            raise NoDecoderError(message, hint="export it as uncompressed, or with 8 bits a pixel")
        options = pydicom_options(layout, 1, raw=syntax == RLELossless)
        try:
            samples, now = decoder.as_array(encapsulate([data]), index=0, raw=True, **options)
        except Exception as error:  # whatever the decoders trip over
            if syntax != RLELossless and layout.allocated > 8:
                raise no_decoder_error(syntax) from None  # the decoders there are may not read such pixels
            raise SourceError(f"broken or cut short {syntax.name} frame ({type(error).__name__})") from None
    if syntax == RLELossless or _precision(data) > layout.high:  # as the samples would lie uncompressed
        samples = place_samples(samples, layout)
    return samples, str(now["photometric_interpretation"])


def _precision(data: bytes) -> int:
    """Bits of a sample by the header of a JPEG, JPEG-LS or JPEG 2000 stream; 0: not known."""
    jpeg2000 = read_jpeg2000_header(jpeg2000_codestream(data))
    if jpeg2000 is not None:
        return jpeg2000.bits
    info = read_jpeg_header(data)
    if info is not None:
        return info.bits
    at = data.find(b"\xff\xf7", 0, 4096)  # start of frame of JPEG-LS (ISO/IEC 14495-1 C.2.2)
    return data[at + 4] if at >= 0 and at + 4 < len(data) else 0


def _uncompressed(data: bytes, layout: PixelLayout) -> tuple[NDArray[Any], str]:
    """Samples of one frame that is in fragments but not compressed. Raises `SourceError` if it is too short."""
    decoder = get_decoder(ExplicitVRLittleEndian)
    with suppress_pydicom_warnings():
        try:
            options = pydicom_options(layout, 1, raw=True) | {"pixel_vr": "OB" if layout.allocated <= 8 else "OW"}
            samples, now = decoder.as_array(data, index=0, raw=True, **options)
        except Exception as error:  # whatever pydicom trips over
            raise SourceError(f"broken frame ({type(error).__name__})", hint="export the file again") from None
    return place_samples(samples, layout), str(now["photometric_interpretation"])


def pydicom_options(layout: PixelLayout, frames: int, *, raw: bool) -> dict[str, Any]:
    """Options that pydicom's decoders need for ``frames`` frames of this pixel layout.

    ``raw``: all bits as they lie in the file; pydicom would clear those above bits stored, wherever the high bit is.
    """
    return {
        "rows": layout.rows,
        "columns": layout.columns,
        "number_of_frames": frames,
        "samples_per_pixel": layout.samples,
        "bits_allocated": layout.allocated,
        "bits_stored": layout.allocated if raw else layout.stored,
        "pixel_representation": int(layout.signed),
        "photometric_interpretation": layout.photometric,
        "planar_configuration": layout.planar,
        "pixel_keyword": "PixelData",
    }


def _check_size(layout: PixelLayout, width: int, height: int, components: int) -> None:
    """Refuse a frame of another size. A small file may hold a stream that says it is huge: checked before decoding."""
    if (width, height, components) != (layout.columns, layout.rows, layout.samples):
        raise SourceError(
            f"expected a {layout.columns} x {layout.rows} frame of {layout.samples} samples, "
            f"got {width} x {height} of {components}"
        )


def no_decoder_error(syntax: UID) -> NoDecoderError:
    """Error for a transfer syntax that no installed decoder reads, with what to do about it."""
    message = f"no decoder for transfer syntax {syntax.name} ({syntax})"
    if syntax in MPEGTransferSyntaxes:
        return NoDecoderError(message, hint="export the clip as MP4 and read it as video://")
    if syntax in JPEGTransferSyntaxes:
        return NoDecoderError(message, hint="export it as uncompressed, or pip install pylibjpeg-libjpeg (GPL-3)")
    if syntax in JPEG2000TransferSyntaxes or syntax in JPEGLSTransferSyntaxes:
        return NoDecoderError(message, hint="pip install 'sonoedge[dicom]'")
    return NoDecoderError(message, hint="export it as uncompressed")
