"""DICOM header: reads only the data elements that we use, the transfer syntax, and where Pixel Data begins."""

from __future__ import annotations

import io
import os
import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, cast

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from edge.contracts.errors import SourceError
from edge.dicom.bounded_streams import InflatedStream, bounded_header
from edge.dicom.element_limits import check_elements
from edge.dicom.element_values import first_value
from edge.dicom.suppress_warnings import suppress_pydicom_warnings
from edge.process.regular_file import open_regular

if TYPE_CHECKING:
    from pathlib import Path

KEYWORDS = (
    *(
        "SOPClassUID",
        "Modality",
        "SOPInstanceUID",
        "StudyInstanceUID",
        "BodyPartExamined",
        "Laterality",
        "ImageLaterality",
    ),
    *("Manufacturer", "ManufacturerModelName", "TransducerData", "TransducerType"),
    *("FrameTime", "FrameTimeVector", "FrameIncrementPointer", "ActualFrameDuration"),
    *("CineRate", "RecommendedDisplayFrameRate"),
    "SequenceOfUltrasoundRegions",
    *("SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "Rows", "Columns"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
    *("RescaleSlope", "RescaleIntercept", "ModalityLUTSequence"),
    *("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence"),
    *(f"{colour}PaletteColorLookupTableDescriptor" for colour in ("Red", "Green", "Blue")),
    *(f"{colour}PaletteColorLookupTableData" for colour in ("Red", "Green", "Blue")),
    *(f"Segmented{colour}PaletteColorLookupTableData" for colour in ("Red", "Green", "Blue")),
    "ExtendedOffsetTable",
)
"""Keywords of all data elements that are read. No other of a file, so none of the patient's, is ever in memory."""

_UNDEFINED = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class DicomHeader:
    """Header of an open DICOM file that has pixels: its data elements, and where its Pixel Data lies."""

    elements: Dataset
    """Those of `KEYWORDS` that the file has, no others."""
    stream: BinaryIO
    """The file, or what it was inflated to."""
    transfer_syntax: UID
    """How the pixels are encoded: byte order and compression."""
    pixels_at: int
    """Where the value of Pixel Data begins in ``stream``."""
    pixels_length: int | None
    """Length of that value in bytes, as far as it is in the file; None: encapsulated without a length."""
    pixels_vr: str
    """Value representation of Pixel Data: ``OB`` or ``OW``."""


@suppress_pydicom_warnings()
def is_dicom(path: Path) -> bool:
    """Whether a file is DICOM: by its preamble, or without one because it begins as a data set and has a SOP class.

    Raises OSError if it cannot be read.
    """
    try:
        fd = open_regular(path)
    except SourceError:  # a pipe, a device
        return False
    with os.fdopen(fd, "rb") as stream:
        start = stream.read(132)
        if start[128:] == b"DICM":
            return True
        if len(start) < 8 or start[:2] not in (b"\x02\x00", b"\x08\x00", b"\x00\x08"):  # group 2, or 8 in either order
            return False
        stream.seek(0)
        try:
            with bounded_header(stream) as header:
                start_of_file = dcmread(header, stop_before_pixels=True, force=True, specific_tags=["SOPClassUID"])
        except Exception:  # it only looked like one
            return False
        return first_value(start_of_file, "SOPClassUID") is not None


@suppress_pydicom_warnings()
def read_header(stream: BinaryIO) -> DicomHeader:
    """Read the header of a DICOM file, up to its pixels.

    Raises:
        SourceError: no DICOM, no pixels, or broken before they begin.
    """
    try:
        stream = _inflated(stream)
        with bounded_header(stream) as header:
            elements = dcmread(header, stop_before_pixels=True, force=True, specific_tags=list(KEYWORDS))
            implicit, little = elements.original_encoding
            at = stream.tell()
            start = stream.read(12)
        check_elements(elements)
    except SourceError:
        raise
    except Exception as error:  # pydicom raises whatever broken bytes make it trip over
        raise SourceError(f"broken DICOM header ({type(error).__name__})", hint="export the file again") from None
    order = "<" if little else ">"
    implicit = implicit or not start[4:6].isalpha()  # some writers change their mind before the pixels
    tag = struct.unpack(f"{order}HH", start[:4]) if len(start) >= (8 if implicit else 12) else None
    if tag != (0x7FE0, 0x0010):
        raise _no_pixels(elements, tag)
    if implicit:
        vr, length = "OW", struct.unpack(f"{order}L", start[4:8])[0]
        at += 8
    else:
        vr, length = start[4:6].decode("ascii", "replace"), struct.unpack(f"{order}L", start[8:12])[0]
        at += 12
    there = None if length == _UNDEFINED else min(length, _end(stream, at + length) - at)
    return DicomHeader(elements, stream, _transfer_syntax(elements, implicit, little), at, there, vr)


def _end(stream: BinaryIO, most: int) -> int:
    """Where the file ends, or what is deflated in it, as far as that is before ``most``."""
    if isinstance(stream, InflatedStream):
        return stream.end_within(most)
    return min(most, stream.seek(0, io.SEEK_END))


def _transfer_syntax(elements: Dataset, implicit: bool, little: bool) -> UID:
    """As the file says; for files without meta information, as they were found to be encoded."""
    said = first_value(getattr(elements, "file_meta", Dataset()), "TransferSyntaxUID")
    if said is not None:
        syntax = UID(said)
        if not syntax.is_transfer_syntax:
            # A UID of anybody else's root may be a picture's own, in a file that is broken.
            name = str(syntax) if syntax.is_valid and not syntax.is_private else "of a vendor's own"
            raise SourceError(f"transfer syntax {name} is not known here", hint="export it as uncompressed")
        return syntax
    if implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if little else ExplicitVRBigEndian


def _no_pixels(elements: Dataset, tag: tuple[int, int] | None) -> SourceError:
    if tag in ((0x7FE0, 0x0008), (0x7FE0, 0x0009)):
        return SourceError("its pixels are floating point numbers", hint="export it with integer pixels")
    sop_class = first_value(elements, "SOPClassUID")
    uid = UID("" if sop_class is None else str(sop_class))
    known = uid.type == "SOP Class"  # never say the bytes themselves, which may be anything
    modality = first_value(elements, "Modality")
    named = isinstance(modality, str) and re.fullmatch(r"[A-Z0-9_ ]{1,16}", modality)
    if not known and not named:
        return SourceError("not DICOM, or cut short before its pixels", hint="copy or export the file again")
    what = f"holds no picture: {uid.name if known else 'DICOM of a kind not known here'}"
    what += f" (modality {modality})" if named else ""
    if not known or "Image" in uid.name:
        return SourceError(f"{what}; or it is cut short before its pixels", hint="copy or export the file again")
    return SourceError(what, hint="reports, plans and waveforms have none")


def _inflated(stream: BinaryIO) -> BinaryIO:
    """``stream`` itself, or if its data set is deflated (PS3.5 A.5), the same file as it inflates."""
    at = _end_of_meta(stream)
    if at is None:
        return stream
    syntax = ExplicitVRLittleEndian.encode() + b"\0"
    meta = struct.pack("<HH2sH", 2, 0x0010, b"UI", len(syntax)) + syntax
    return cast("BinaryIO", InflatedStream(stream, at, bytes(128) + b"DICM" + meta))


def _end_of_meta(stream: BinaryIO) -> int | None:
    """Where the data set begins if the file is deflated, else None. ``stream`` is left where it was."""
    start = stream.tell()
    try:
        if stream.read(132)[128:] != b"DICM":
            return None
        deflated = False
        while len(head := stream.read(8)) == 8:
            group, element, vr, length = struct.unpack("<HH2sH", head)
            if group != 2:
                return stream.tell() - 8 if deflated else None
            if vr in (b"OB", b"OW", b"UN", b"SQ", b"UT"):
                length = int.from_bytes(stream.read(4), "little")
            value = stream.read(min(length, 64)) if element == 0x0010 else b""
            stream.seek(length - len(value), io.SEEK_CUR)
            if element == 0x0010:
                deflated = value.rstrip(b"\0 ") == DeflatedExplicitVRLittleEndian.encode()
        return None
    finally:
        stream.seek(start)
