"""A cine of JPEG frames in DICOM: our frames/s beside pydicom's own decode, in one run.

    pip install pillow && python benchmarks/dicom_jpeg.py [--rounds 9] [--frames 60] [--quality 90]

640x480, baseline, as MONOCHROME2 and as YBR_FULL_422 (what scanners write), phantom frames. Both end at pixels that can
be looked at: grey, or RGB. ``plain`` is OpenCV's decoder alone, on bytes that were read before: nobody using libjpeg in
one thread is quicker. Rounds are interleaved; ratios are taken within a round, before the median. CPU time, so that
what else the machine does counts less; all of it is one thread's.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels import get_decoder, iter_pixels
from pydicom.uid import JPEGBaseline8Bit, UltrasoundMultiFrameImageStorage, generate_uid

from edge.dicom.clip import DicomClip
from edge.sources.phantom_scene import PhantomScene, PhantomSpec

if TYPE_CHECKING:
    from collections.abc import Callable


def write_cine(path: Path, frames: int, quality: int, *, colour: bool) -> None:
    """A multi-frame ultrasound object of ``frames`` baseline JPEGs."""
    scene = PhantomScene(PhantomSpec(seed=1))
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    if colour:
        options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422]
    coded = []
    for i in range(frames):
        grey = scene.pixels(i)
        picture = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR) if colour else grey
        coded.append(cv2.imencode(".jpg", picture, options)[1].tobytes())
    cine, meta = Dataset(), FileMetaDataset()
    meta.TransferSyntaxUID = JPEGBaseline8Bit
    meta.MediaStorageSOPClassUID = cine.SOPClassUID = UltrasoundMultiFrameImageStorage
    meta.MediaStorageSOPInstanceUID = cine.SOPInstanceUID = generate_uid()
    cine.file_meta = meta
    cine.Rows, cine.Columns, cine.NumberOfFrames = 480, 640, frames
    cine.SamplesPerPixel, cine.PhotometricInterpretation = (3, "YBR_FULL_422") if colour else (1, "MONOCHROME2")
    if colour:
        cine.PlanarConfiguration = 0
    cine.BitsAllocated, cine.BitsStored, cine.HighBit, cine.PixelRepresentation = 8, 8, 7, 0
    cine.PixelData = encapsulate(coded)
    cine["PixelData"].VR = "OB"
    cine.save_as(path, enforce_file_format=True)


def ours(path: Path) -> int:
    with DicomClip(path) as clip:
        return sum(clip.picture(i) is not None for i in range(clip.frames))


def theirs(path: Path) -> int:
    return sum(1 for _ in iter_pixels(path))


def plain(coded: list[np.ndarray]) -> int:
    return sum(cv2.imdecode(data, cv2.IMREAD_UNCHANGED) is not None for data in coded)


def speed(decode: Callable[[], int], frames: int) -> float:
    """Frames per second of CPU time."""
    began = time.process_time()
    assert decode() == frames, "not every frame was decoded"
    return frames / (time.process_time() - began)


def main() -> None:
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--quality", type=int, default=90)
    args = parser.parse_args()
    if not get_decoder(JPEGBaseline8Bit).is_available:
        sys.exit("pydicom has no decoder of its own for baseline JPEG here\nhint: pip install pillow")
    cv2.setNumThreads(1)
    print(f"640x480, quality {args.quality}, {args.rounds} rounds of {args.frames} frames, frames/s of CPU time")
    print(f"{'pixels':14} {'ours':>7} {'pydicom':>8} {'plain':>7} {'of pydicom':>15}   {'range':13} {'of plain':>12}")
    with tempfile.TemporaryDirectory() as directory:
        for colour in (False, True):
            path = Path(directory, "cine.dcm")
            write_cine(path, args.frames, args.quality, colour=colour)
            with DicomClip(path) as clip:
                assert (
                    np.array_equal(clip.picture(0), next(iter_pixels(path))) or colour
                )  # colours are rounded otherwise
            data = [np.frombuffer(f, np.uint8) for f in coded_frames(path, args.frames)]
            ways: dict[str, Callable[[], int]] = {
                "ours": lambda path=path: ours(path),
                "pydicom": lambda path=path: theirs(path),
                "plain": lambda data=data: plain(data),
            }
            speeds: dict[str, list[float]] = {name: [] for name in ways}
            for number in range(args.rounds):
                for name in list(ways) if number % 2 == 0 else list(ways)[::-1]:
                    speeds[name].append(speed(ways[name], args.frames))
            a, b, c = (np.array(speeds[name]) for name in ways)
            kind = "YBR_FULL_422" if colour else "MONOCHROME2"
            middle = [statistics.median(v) for v in (a, b, c)]
            print(
                f"{kind:14} {middle[0]:7.0f} {middle[1]:8.0f} {middle[2]:7.0f} {np.median(a / b):15.2f}"
                f"   {(a / b).min():5.2f} - {(a / b).max():5.2f} {np.median(a / c):12.2f}"
            )


def coded_frames(path: Path, frames: int) -> list[bytes]:
    """The JPEG streams of a cine."""
    from pydicom import dcmread

    return list(generate_frames(dcmread(path).PixelData, number_of_frames=frames))


if __name__ == "__main__":
    main()
