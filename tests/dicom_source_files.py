"""DICOM files made by hand, and what the `dicom` source reads of a file or folder, for its tests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit, UltrasoundMultiFrameImageStorage, generate_uid

from edge.config.settings import StreamSettings
from edge.config.uri import parse_uri
from edge.contracts.frames import Frame, SourceEvent
from edge.sources.dicom import DicomSource

if TYPE_CHECKING:
    from numpy.typing import NDArray


def dicom_source(path: Path, query: str = "") -> DicomSource:
    uri = f"dicom://{path}{query}"
    return DicomSource(parse_uri(uri), StreamSettings(name="x", source=uri))


def read_all(path: Path, query: str = "") -> tuple[list[Frame], list[SourceEvent]]:
    """Frames and events but the last, which must be ``ended``."""
    opened = dicom_source(path, query)
    opened.open()
    frames: list[Frame] = []
    events: list[SourceEvent] = []
    for _ in range(1000):
        item = opened.read(1.0)
        assert item is not None
        if isinstance(item, Frame):
            frames.append(item)
        elif item.kind == "ended":
            opened.close()
            return frames, events
        else:
            assert item.kind == "skipped"
            assert item.detail
            events.append(item)
    pytest.fail("it does not end")


def pydicom_file(name: str) -> Path:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    return Path(path)


def cine(frames: int = 3, value: int = 0) -> NDArray[np.uint8]:
    y, x = np.mgrid[0:40, 0:60]
    return np.stack([(x * 3 + y + 10 * k + value) % 200 for k in range(frames)]).astype(np.uint8)


def _region() -> Dataset:
    item = Dataset()
    item.RegionSpatialFormat = item.RegionDataType = 1
    item.RegionLocationMinX0, item.RegionLocationMinY0 = 5, 4
    item.RegionLocationMaxX1, item.RegionLocationMaxY1 = 54, 33
    item.PhysicalUnitsXDirection = item.PhysicalUnitsYDirection = 3
    item.PhysicalDeltaX, item.PhysicalDeltaY = 0.02, 0.03
    return item


def write_dicom(path: Path, pixels: NDArray[np.uint8], **elements: Any) -> Path:
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = elements.pop("syntax", ExplicitVRLittleEndian)
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = UltrasoundMultiFrameImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
    data.PatientName, data.StudyInstanceUID, data.Modality = "Secret^Name", generate_uid(), "US"
    data.BodyPartExamined, data.Laterality, data.FrameTime = "BREAST", "L", "40"
    data.Manufacturer, data.ManufacturerModelName, data.TransducerData = "ACME", "Scan", "L12-5"
    data.NumberOfFrames, data.Rows, data.Columns = pixels.shape
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 0
    data.BitsAllocated, data.BitsStored, data.HighBit = 8, 8, 7
    data.SequenceOfUltrasoundRegions = [_region()]
    data.PixelData = pixels.tobytes()
    data["PixelData"].VR = "OB"
    for keyword, value in elements.items():
        setattr(data, keyword, value)
    data["PixelData"].is_undefined_length = data.file_meta.TransferSyntaxUID.is_encapsulated
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(path, enforce_file_format=True)
    return path


def jpeg_cine(path: Path, broken: int | None = None) -> Path:
    encoded = [cv2.imencode(".jpg", frame)[1].tobytes() for frame in cine(20)]
    if broken is not None:
        encoded[broken] = encoded[broken][:100]
    return write_dicom(path, cine(20), syntax=JPEGBaseline8Bit, PixelData=encapsulate(encoded))
