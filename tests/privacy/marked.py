"""DICOM files in which every attribute of the confidentiality profile holds a marker, and the search for them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from privacy.basic_profile import KEYWORDS
from pydicom import config
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundMultiFrameImageStorage

from edge.dicom.suppress_warnings import suppress_pydicom_warnings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

IMAGE_UID = "2.25.777700000000000000000000000001"
"""The SOP Instance UID: the one identifier that the configuration may let out."""
WORD = "ZQX"
"""Begins every marker of letters; in base64, hex and UUIDs it is not to be expected by chance, in JSON keys never."""


@dataclass
class Markers:
    """Makes markers for DICOM attributes, remembers them, and finds them in bytes."""

    made: dict[str, str] = field(default_factory=dict)
    """Marker -> what it stood in."""

    def text(self, where: str) -> str:
        """New marker that fits every VR of words, 16 characters of CS, SH and AE too."""
        return self._note(f"{WORD}{len(self.made):05d}", where)

    def of(self, vr: str, where: str) -> Any:
        """New marker of a DICOM value representation; ``where`` it will stand."""
        n = len(self.made)
        if vr == "DA":
            return self._note((date(1802, 3, 4) + timedelta(days=n)).strftime("%Y%m%d"), where)
        if vr == "TM":
            return self._note(f"0409{n % 60:02d}.7{n:05d}", where)
        if vr == "DT":
            return self._note(f"180507090409.6{n:05d}", where)
        if vr == "UI":
            return self._note(f"2.25.8888{n:030d}", where)
        if vr in ("DS", "IS"):
            return self._note(f"9173{n:05d}", where)
        if vr == "AS":
            return self._note("117Y", where)
        if vr == "PN":
            return f"{self.text(where)}^{self.text(where)}"
        if vr in ("OB", "UN"):
            text = self.text(where).encode()
            return text + b" " * (len(text) % 2)
        if vr == "US":
            return 3  # PregnancyStatus: a code that nothing could be told from
        return self.text(where)

    def found_in(self, data: bytes) -> dict[str, str]:
        """Markers in ``data``, whichever way a program may have written them, with what they stood in."""
        text = data.decode("utf-8", "replace")
        found = {word: self.made.get(word, "?") for word in re.findall(rf"{WORD}\d{{5}}", text, re.IGNORECASE)}
        for token in set(re.findall(r"[\w.:-]{4,}", text)):
            token = token.strip(".:-_")
            iso = re.match(r"(\d{4})-(\d\d)-(\d\d)(?=T|$)", token)
            for form in (token, token.replace(":", ""), "".join(iso.groups()) if iso else ""):
                if form in self.made:
                    found[form] = self.made[form]
        if IMAGE_UID in text:
            found[IMAGE_UID] = "SOPInstanceUID"
        return found

    def _note(self, marker: str, where: str) -> str:
        self.made[marker] = where
        return marker


def picture(frames: int = 12, height: int = 96, width: int = 128) -> np.ndarray[Any, Any]:
    """(frames, height, width) uint8 of noise that no two neighbouring frames share: nothing to be taken for frozen."""
    return np.random.default_rng(5).integers(20, 220, (frames, height, width), dtype=np.uint8)


def element(keyword: str, markers: Markers, depth: int = 0) -> DataElement:
    """One attribute, filled. A sequence holds an item with a name, a date, an identifier and a private element."""
    tag = tag_for_keyword(keyword)
    assert tag is not None, f"pydicom does not know {keyword}"
    vr = dictionary_VR(tag).split(" ")[0]
    if vr == "SQ":
        item = Dataset()
        for inner in ("PatientName", "StudyDate", "CodeMeaning", "ReferencedSOPInstanceUID"):
            item.add(element(inner, markers, depth + 1))
        item.private_block(0x0011, markers.text("creator"), create=True).add_new(1, "LO", markers.text("private"))
        return DataElement(tag, "SQ", Sequence([item]))
    value = IMAGE_UID if keyword == "SOPInstanceUID" and depth == 0 else markers.of(vr, keyword)
    return DataElement(tag, vr, value, validation_mode=config.IGNORE)


def marked_file(
    path: Path,
    markers: Markers,
    *,
    keywords: Iterable[str] = KEYWORDS,
    syntax: str = ExplicitVRLittleEndian,
    frames: int = 12,
    size: tuple[int, int] = (96, 128),
) -> Path:
    """Write a cine that is whole but for its secrets. ``size`` is (height, width)."""
    with suppress_pydicom_warnings():
        data = Dataset()
        for keyword in keywords:
            data.add(element(keyword, markers))
        for group in (0x0009, 0x0033):
            block = data.private_block(group, markers.text("private creator"), create=True)
            block.add_new(0x01, "LO", markers.text("private text"))
            block.add_new(0x02, "UN", markers.text("private bytes").encode())
        data.file_meta = FileMetaDataset()
        data.file_meta.TransferSyntaxUID = syntax
        data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = UltrasoundMultiFrameImageStorage
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = IMAGE_UID
        data.file_meta.SourceApplicationEntityTitle = markers.text("file meta")
        data.Modality, data.BodyPartExamined, data.Laterality, data.FrameTime = "US", "BREAST", "L", "40"
        data.Manufacturer, data.ManufacturerModelName, data.TransducerType = "ACME", "Scan", "LINEAR"
        data.NumberOfFrames, data.Rows, data.Columns = frames, *size
        data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 0
        data.BitsAllocated, data.BitsStored, data.HighBit = 8, 8, 7
        data.PixelData = picture(frames, *size).tobytes()
        data["PixelData"].VR = "OW"
        data.add(DataElement(0xFFFCFFFC, "OB", markers.of("OB", "trailing padding")))
        path.parent.mkdir(parents=True, exist_ok=True)
        data.save_as(path, enforce_file_format=True)
    return path
