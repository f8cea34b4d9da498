"""Decodes DICOM frames with pydicom's decoders: RLE, JPEG-LS, and JPEG 2000 and JPEG beyond 8 bits.

Which plugin reads a transfer syntax is said here. pydicom itself would take what happens to be installed, and so give
other pixels on one device than on another.
"""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING

from pydicom.encaps import encapsulate
from pydicom.pixels import get_decoder
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    JPEG2000TransferSyntaxes,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    MPEGTransferSyntaxes,
    RLELossless,
)

from edge.contracts.errors import SourceError
from edge.dicom.sample_bits import place_samples
from edge.dicom.suppress_warnings import suppress_pydicom_warnings
from edge.images.jpeg import read_jpeg_header
from edge.images.jpeg2000 import jpeg2000_codestream, read_jpeg2000_header
from edge.process.install import install_command, pip_install

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from edge.dicom.pixel_layout import PixelLayout

UNCOMPRESSED = (UID("1.2.840.10008.1.2.1.98"),)
"""Transfer syntaxes whose frames are in fragments, but not compressed: PS3.5 A.4.11."""
PLUGINS = (
    ((RLELossless,), "pydicom"),
    (tuple(JPEGLSTransferSyntaxes), "pyjpegls"),
    (tuple(JPEG2000TransferSyntaxes), "pylibjpeg"),  # with pylibjpeg-openjpeg
    (tuple(JPEGTransferSyntaxes), "pylibjpeg"),  # with pylibjpeg-libjpeg
)
"""(transfer syntaxes, name of the plugin that decodes them)."""
RLE_SURPLUS = 128
"""Bytes that an RLE segment may hold beyond its pixels, as one run; what holds more is damaged, and no picture."""
_RLE_LENGTHS = re.compile(r"RLE segment .*- (\d+) vs\. (\d+) bytes")
"""pydicom's warning of an RLE segment that is longer than it should be: its bytes, those expected."""


class NoDecoderError(SourceError):
    """No installed decoder reads this transfer syntax: no frame of the file can be decoded."""


def require_plugin(syntax: UID) -> str:
    """Name of the plugin that decodes a transfer syntax. Raises `NoDecoderError` if there is none installed."""
    plugin = next((plugin for syntaxes, plugin in PLUGINS if syntax in syntaxes), None)
    if plugin is None or plugin not in _available(syntax):
        raise no_decoder_error(syntax)
    return plugin


def _available(syntax: UID) -> tuple[str, ...]:
    try:
        return tuple(get_decoder(syntax).available_plugins)
    except NotImplementedError:
        return ()


def decode_with_pydicom(data: bytes, layout: PixelLayout, syntax: UID) -> tuple[NDArray[Any], str]:
    """Decode one compressed frame. To be called in the decoder process: some of these decoders hold Python's lock.

    Returns:
        (H, W) or (H, W, 3) samples, as deep as the file says, and the photometric interpretation they are in now.

    Raises:
        NoDecoderError: there is no decoder for ``syntax``.
        SourceError: the frame is broken, or of a kind that the decoder does not read.
    """
    plugin = require_plugin(syntax)
    options = pydicom_options(layout, 1, raw=syntax == RLELossless) | {"decoding_plugin": plugin}
    with suppress_pydicom_warnings(), warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            samples, now = get_decoder(syntax).as_array(encapsulate([data]), index=0, raw=True, **options)
        except MemoryError:
            raise
        except Exception as error:  # whatever the decoders trip over
            raise SourceError(
                f"broken or cut short {syntax.name} frame ({type(error).__name__})",
                hint="copy or export it again, as uncompressed if that is offered",
            ) from None
    lengths = [found.groups() for warning in said if (found := _RLE_LENGTHS.search(str(warning.message)))]
    if any(int(there) - int(expected) > RLE_SURPLUS for there, expected in lengths):
        raise SourceError("damaged RLE frame: it holds more than its pixels", hint="copy or export it again")
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


def decode_uncompressed(data: bytes, layout: PixelLayout) -> tuple[NDArray[Any], str]:
    """Decode one frame that is in fragments but not compressed, in this process.

    Returns:
        As `decode_with_pydicom`.

    Raises:
        SourceError: it is too short.
    """
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


def no_decoder_error(syntax: UID) -> NoDecoderError:
    """Error for a transfer syntax that no installed decoder reads, with what to do about it."""
    message = f"no decoder for transfer syntax {syntax.name} ({syntax})"
    if syntax in MPEGTransferSyntaxes:
        return NoDecoderError(message, hint="export the clip as MP4 and read it as video://")
    if syntax in JPEGTransferSyntaxes:
        return NoDecoderError(
            message, hint=f"export it as uncompressed, or {pip_install('pylibjpeg', 'pylibjpeg-libjpeg')} (GPL-3)"
        )
    if syntax in JPEG2000TransferSyntaxes or syntax in JPEGLSTransferSyntaxes:
        return NoDecoderError(message, hint=f"the extra dicom reads it: {install_command('dicom')}")
    return NoDecoderError(message, hint="export it as uncompressed")
