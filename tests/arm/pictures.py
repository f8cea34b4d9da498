"""Test pictures for both machines, made on the host, so that both read the same bytes.

All is seeded. Next to phantoms there is noise: in a phantom a wrong rounding may hide, in noise every pixel tells.
"""

from __future__ import annotations

import shutil
import warnings
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    RLELossless,
    UltrasoundMultiFrameImageStorage,
)

from edge.phantom.scene import PhantomScene
from edge.phantom.spec import PhantomSpec

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

PHANTOMS = (
    PhantomSpec(seed=1),
    PhantomSpec(seed=2, lesions=0),
    PhantomSpec(seed=3, lesions=3, width=800, height=600, geometry="sector"),
    PhantomSpec(seed=4, width=641, height=479),
    PhantomSpec(seed=5, width=333, height=517, geometry="sector"),
    PhantomSpec(seed=6, width=1920, height=1080, lesions=2),
    PhantomSpec(seed=7, width=97, height=131),
)
NOISE = ((480, 640), (479, 641), (161, 193), (157, 191), (16, 17), (31, 1001), (720, 1280))
"""Height and width: even, odd, around the tensor's, the smallest that is judged, and a strip."""
CINE_FRAMES = 3
ANSWERED = ("phantom-*", "dicom-jpeg-*", "cine.*")
"""What `edge-cli infer` is asked about; the rest is compared by tensor and output."""
FROM_PYDICOM = (
    "examples_ybr_color.dcm",
    "examples_rgb_color.dcm",
    "examples_palette.dcm",
    "examples_jpeg2k.dcm",
    "SC_rgb_small_odd_jpeg.dcm",
    "SC_rgb_jpeg_gdcm.dcm",
    "JPEG2000.dcm",
    "MR_small_RLE.dcm",
)
"""Real files that pydicom's wheel carries."""


def write_pictures(folder: Path, more: Path | None = None) -> list[str]:
    """Write the test pictures into ``folder``, which is emptied before.

    Args:
        folder: to write into.
        more: a folder of files (not of its folders) that are copied too; None: no more.

    Returns:
        Names of the files, sorted.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    chance = np.random.default_rng(2024)
    pictures = {f"phantom-{spec.width}x{spec.height}-{spec.seed}": PhantomScene(spec).pixels(0) for spec in PHANTOMS}
    pictures |= {f"noise-{w}x{h}": chance.integers(0, 256, (h, w), np.uint8) for h, w in NOISE}
    for number, (name, grey) in enumerate(pictures.items()):
        _write_forms(folder, name, grey, _coloured(grey, chance), number)
    _write_dicom(folder, [PhantomScene(PHANTOMS[0]).pixels(index) for index in range(CINE_FRAMES)], chance)
    _write_video(folder / "cine.avi", "MJPG")
    _write_video(folder / "cine.mp4", "mp4v")
    for name in FROM_PYDICOM:
        path = get_testdata_file(name, download=False)
        if path is not None:
            shutil.copyfile(str(path), folder / f"pydicom-{name}")
    for path in sorted(more.iterdir()) if more is not None else ():
        if path.is_file() and path.suffix != ".md":
            shutil.copyfile(path, folder / f"more-{path.name}")
    return sorted(path.name for path in folder.iterdir())


def _coloured(grey: Pixels, chance: np.random.Generator) -> Pixels:
    """(H, W) grey to (H, W, 3), each channel with a noise of its own."""
    return cv2.add(cv2.merge((grey, grey, grey)), chance.integers(0, 32, (*grey.shape, 3), np.uint8))


def _write_forms(folder: Path, name: str, grey: Pixels, colour: Pixels, number: int) -> None:
    """One picture in two of six forms, which take turns: emulated, each file costs seconds."""
    quality, sampling = cv2.IMWRITE_JPEG_QUALITY, cv2.IMWRITE_JPEG_SAMPLING_FACTOR
    forms: tuple[tuple[str, Pixels, list[int]], ...] = (
        ("grey.png", grey, []),
        ("420.jpg", colour, [quality, 85, sampling, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420]),
        ("colour.png", colour, []),
        ("grey.jpg", grey, [quality, 85]),
        ("444.jpg", colour, [quality, 95, sampling, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]),
        ("colour.bmp", colour, []),
    )
    for place in (2 * number, 2 * number + 1):
        ending, pixels, options = forms[place % len(forms)]
        if not cv2.imwrite(str(folder / f"{name}-{ending}"), pixels, options):
            raise RuntimeError(f"OpenCV cannot write {ending}")


def _write_video(path: Path, code: str) -> None:
    scene = PhantomScene(PhantomSpec(seed=8, width=320, height=240))
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), 25.0, (320, 240))
    for index in range(CINE_FRAMES):
        video.write(cv2.cvtColor(scene.pixels(index), cv2.COLOR_GRAY2BGR))
    video.release()


def _write_dicom(folder: Path, frames: list[Pixels], chance: np.random.Generator) -> None:
    """Cines: uncompressed, JPEG in grey and colour, RLE; and 12 bits through a window."""
    greys = np.stack(frames)
    colours = np.stack([_coloured(frame, chance) for frame in frames])
    deep = (greys.astype(np.uint16) << 4) + chance.integers(0, 16, greys.shape, np.uint16)
    files = {
        "grey": _dataset(greys, "MONOCHROME2"),
        "colour": _dataset(colours, "RGB"),
        "12-bits": _dataset(deep, "MONOCHROME2", BitsStored=12, HighBit=11, WindowCenter=1700, WindowWidth=2900),
        "jpeg-grey": _jpeg(greys, "MONOCHROME2"),
        "jpeg-colour": _jpeg(colours, "YBR_FULL_422"),
        "rle": _dataset(colours, "RGB"),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's remarks on UIDs that it makes itself
        files["rle"].compress(RLELossless, generate_instance_uid=False)
    for name, data in files.items():
        data.save_as(folder / f"dicom-{name}.dcm", enforce_file_format=True)


def _dataset(samples: NDArray[Any], photometric: str, syntax: UID = ExplicitVRLittleEndian, **elements: Any) -> Dataset:
    """(N, H, W) or (N, H, W, 3) samples as an ultrasound cine. UIDs are fixed: equal calls give equal bytes."""
    data, bits = Dataset(), samples.dtype.itemsize * 8
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = UltrasoundMultiFrameImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = UID("1.2.826.0.1.3680043.8.498.1")
    data.StudyInstanceUID = UID("1.2.826.0.1.3680043.8.498.2")
    data.Modality, data.PhotometricInterpretation = "US", photometric
    data.NumberOfFrames, data.Rows, data.Columns = samples.shape[:3]
    data.SamplesPerPixel = 3 if samples.ndim == 4 else 1
    if samples.ndim == 4:
        data.PlanarConfiguration = 0
    data.BitsAllocated = data.BitsStored = bits
    data.HighBit, data.PixelRepresentation = bits - 1, 0
    data.PixelData = samples.tobytes()
    data["PixelData"].VR = "OB" if bits == 8 else "OW"
    for keyword, value in elements.items():
        setattr(data, keyword, value)
    return data


def _jpeg(samples: Pixels, photometric: str) -> Dataset:
    """As `_dataset`, each frame a baseline JPEG."""
    data = _dataset(samples, photometric, JPEGBaseline8Bit)
    data.PixelData = encapsulate([cv2.imencode(".jpg", frame)[1].tobytes() for frame in samples])
    data["PixelData"].is_undefined_length = True
    return data
