"""Small DICOM files, made here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from encoded_pictures import smooth_colours
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    UltrasoundMultiFrameImageStorage,
    generate_uid,
)

from edge.dicom.suppress_warnings import suppress_pydicom_warnings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


def dataset(samples: NDArray[Any], photometric: str, syntax: UID = ExplicitVRLittleEndian, **elements: Any) -> Dataset:
    """A data set with ``samples`` (N, H, W) or (N, H, W, 3) uncompressed; ``elements`` are added or put in place."""
    colour = samples.ndim == 4
    bits = samples.dtype.itemsize * 8
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = UltrasoundMultiFrameImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
    data.StudyInstanceUID, data.Modality = generate_uid(), "US"
    data.PatientName, data.PatientID = "Secret^Name", "SECRET-ID"
    data.NumberOfFrames, data.Rows, data.Columns = samples.shape[:3]
    data.SamplesPerPixel, data.PhotometricInterpretation = 3 if colour else 1, photometric
    if colour:
        data.PlanarConfiguration = 0
    data.BitsAllocated = data.BitsStored = bits
    data.HighBit, data.PixelRepresentation = bits - 1, int(samples.dtype.kind == "i")
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    data.PixelData = samples.astype(samples.dtype.newbyteorder(order)).tobytes()
    data["PixelData"].VR = "OB" if bits == 8 and syntax != ImplicitVRLittleEndian else "OW"
    with suppress_pydicom_warnings():  # also what pydicom warns of
        for keyword, value in elements.items():
            setattr(data, keyword, value)
    if len(data.PixelData) % 2:
        data.PixelData += b"\0"
    return data


def compressed(
    frames: list[bytes], like: NDArray[Any], photometric: str, syntax: UID, *, table: bool = True, **elements: Any
) -> Dataset:
    """A data set whose frames are already compressed; shape and type are those of ``like``."""
    data = dataset(like, photometric, syntax, **elements)
    data.PixelData = encapsulate(frames, has_bot=table)
    data["PixelData"].VR = "OB"
    data["PixelData"].is_undefined_length = True
    return data


@pytest.fixture
def save(tmp_path: Path) -> Callable[[Dataset], Path]:
    """Writes a data set and returns where."""
    count = iter(range(1000))

    def save_as(data: Dataset) -> Path:
        path = tmp_path / f"{next(count)}.dcm"
        with suppress_pydicom_warnings():
            data.save_as(path, enforce_file_format=True)
        return path

    return save_as


@pytest.fixture(scope="session")
def make_dataset() -> Callable[..., Dataset]:
    return dataset


@pytest.fixture(scope="session")
def make_compressed() -> Callable[..., Dataset]:
    return compressed


@pytest.fixture(scope="session")
def colours() -> NDArray[np.uint8]:
    """See `smooth_colours`: (3, 48, 64, 3) uint8 RGB."""
    return smooth_colours()
