"""A DICOM JPEG cine, 640x480: frames/s of our source beside pydicom's own decoding of the same file.

    python benchmarks/jpeg_cine.py [--rounds 7] [--json docs/peers.json]

Two cines are made of phantom frames: colour as scanners write it (YBR_FULL_422) and grey, both JPEG baseline. *Ours* is
the source `dicom://`, from opening the file to each frame's pixels as the pipeline takes them. *pydicom* is
``pydicom.pixels.iter_pixels`` with its Pillow plugin, in an environment of its own (``make peers``) where nothing of
ours takes part: as it comes, which is RGB, and *raw*, which leaves YCbCr as it is stored. Rounds are interleaved, the
ratio is taken within each.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from intervals import median, ratio
from kept import keep, machine

ROOT = Path(__file__).parents[1]
QUALITY = 90
KINDS = ("colour", "grey")
ULTRASOUND_MULTIFRAME = "1.2.840.10008.5.1.4.1.1.3.1"
READ = """
import sys, time
import pydicom
from pydicom.pixels import iter_pixels
print(pydicom.__version__, flush=True)
for line in sys.stdin:
    way, path = line.strip().split(" ", 1)
    began, frames = time.perf_counter(), 0
    for pixels in iter_pixels(path, decoding_plugin="pillow", raw=way == "raw"):
        frames += 1
    print(frames / (time.perf_counter() - began), flush=True)
"""
"""pydicom's side: reads lines of ``rgb PATH`` or ``raw PATH``, answers frames/s."""


def write_cine(path: Path, kind: str, frames: int) -> None:
    """Make the file."""
    import cv2
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.uid import JPEGBaseline8Bit, generate_uid

    from edge.sources.phantom_scene import PhantomScene
    from edge.sources.phantom_spec import PhantomSpec

    scene = PhantomScene(PhantomSpec(seed=1, lesions=1))
    colour = kind == "colour"
    coded = []
    for number in range(frames):
        pixels = scene.pixels(number)
        if colour:
            pixels = cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR)
        flags = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
        flags += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422] if colour else []
        coded.append(cv2.imencode(".jpg", pixels, flags)[1].tobytes())
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = JPEGBaseline8Bit
    meta.MediaStorageSOPClassUID = ULTRASOUND_MULTIFRAME
    meta.MediaStorageSOPInstanceUID = generate_uid()
    cine = Dataset()
    cine.file_meta = meta
    cine.SOPClassUID, cine.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    cine.Modality, cine.PatientID, cine.FrameTime = "US", "phantom", "33.3"
    cine.Rows, cine.Columns, cine.NumberOfFrames = *scene.pixels(0).shape, frames
    cine.SamplesPerPixel = 3 if colour else 1
    cine.PhotometricInterpretation = "YBR_FULL_422" if colour else "MONOCHROME2"
    if colour:
        cine.PlanarConfiguration = 0
    cine.BitsAllocated = cine.BitsStored = 8
    cine.HighBit, cine.PixelRepresentation = 7, 0
    cine.LossyImageCompression = "01"
    cine.PixelData = encapsulate(coded)
    cine["PixelData"].is_undefined_length = True
    cine.save_as(path, implicit_vr=False, little_endian=True, enforce_file_format=True)


def ours(path: Path) -> float:
    """Frames/s of the source. Raises SystemExit if it skips a frame."""
    from edge.config.settings import StreamSettings
    from edge.config.uri import parse_uri
    from edge.contracts.frames import Frame
    from edge.sources.dicom import DicomSource

    uri = f"dicom://{path}"
    began, frames = time.perf_counter(), 0
    source = DicomSource(parse_uri(uri), StreamSettings(name="cine", source=uri))
    source.open()
    while isinstance(item := source.read(1.0), Frame):
        frames += 1
    took = time.perf_counter() - began
    source.close()
    if item is None or item.kind != "ended":
        raise SystemExit(f"error: the source says {item}\nhint: edge-cli infer on such a file tells more")
    return frames / took


class Theirs:
    """pydicom in its own environment."""

    def __init__(self, python: Path) -> None:
        """Raises SystemExit if that is not to be had."""
        if not python.is_file():
            raise SystemExit(f"error: there is no {python}\nhint: make .venv-peers/installed")
        self._process = subprocess.Popen([python, "-c", READ], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.version = self._line().strip()

    def read(self, way: str, path: Path) -> float:
        """Frames/s; ``way`` is ``rgb`` or ``raw``."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{way} {path}\n")
        self._process.stdin.flush()
        return float(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("error: pydicom with Pillow cannot read it; its words stand above\nhint: make peers")
        return line

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


def main() -> None:
    """Measure, print, and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="interleaved rounds (default 7)")
    parser.add_argument("--frames", type=int, default=300, help="in each cine (default 300)")
    parser.add_argument(
        "--quick", action="store_true", help="2 rounds of few frames: shows that it works, proves nothing"
    )
    parser.add_argument(
        "--python", type=Path, default=ROOT / ".venv-peers/bin/python", help="that has pydicom and Pillow"
    )
    parser.add_argument("--json", type=Path, help="put everything measured into this file, under `dicom_jpeg`")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.frames = 2, 30
    said: dict[str, Any] = {"machine": machine(), "rounds": options.rounds, "quick": options.quick, "kinds": {}}
    theirs = Theirs(options.python)
    said["pydicom"] = theirs.version
    with tempfile.TemporaryDirectory(prefix="cine-") as folder:
        for kind in KINDS:
            path = Path(folder) / f"{kind}.dcm"
            write_cine(path, kind, options.frames)
            ways = {
                "ours": partial(ours, path),
                "pydicom": partial(theirs.read, "rgb", path),
                "pydicom raw": partial(theirs.read, "raw", path),
            }
            speeds: dict[str, list[float]] = {name: [] for name in ways}
            for read in ways.values():
                read()  # warm
            for number in range(options.rounds):
                for name in ways if number % 2 == 0 else reversed(ways):
                    speeds[name].append(round(ways[name](), 2))
            said["kinds"][kind] = speeds
            print(
                f"{kind}, frames/s: " + ", ".join(f"{name} {median(each).value:.0f}" for name, each in speeds.items())
            )
            for name in ("pydicom", "pydicom raw"):
                against = ratio(speeds["ours"], speeds[name])
                print(f"  ours / {name}: {against.value:.2f} ({against.low:.2f} to {against.high:.2f})", flush=True)
    theirs.close()
    if options.json:
        keep(options.json, "dicom_jpeg", said)


if __name__ == "__main__":
    sys.exit(main())
