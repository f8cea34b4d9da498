"""Benchmark of a DICOM JPEG cine, 640x480: our source beside pydicom's own decoding, frames/s and CPU time.

    make .venv-test/installed .venv-peers/installed
    .venv-test/bin/python benchmarks/jpeg_cine.py [--rounds 7] [--json docs/peers.json]

Two cines are made of phantom frames: colour as scanners write it (YBR_FULL_422) and grey (MONOCHROME2), both JPEG
baseline. *Ours* is the source `dicom://`, from opening the file to each frame's pixels as the pipeline takes them, with
as many threads as it takes by itself; *one thread* is the same without decoding ahead, *to grey* with ``decode=grey``.
*pydicom* is ``pydicom.pixels.iter_pixels`` with its Pillow plugin, in an environment of its own (``make peers``) where
nothing of ours takes part: as it comes, which is RGB, and *raw*, which leaves YCbCr as it is stored. Grey pixels are
held against pydicom's before anything is timed. Rounds are interleaved, the ratio is taken within each. Frames/s are by
the clock; CPU time counts all threads, and what else the machine does counts less in it.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from intervals import median, ratio
from result_file import describe_machine, write_section

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]
QUALITY = 90
KINDS = {"colour": "YBR_FULL_422", "grey": "MONOCHROME2"}
ULTRASOUND_MULTIFRAME = "1.2.840.10008.5.1.4.1.1.3.1"
READ = """
import hashlib, sys, time
import pydicom
from pydicom.pixels import iter_pixels
print(pydicom.__version__, flush=True)
for line in sys.stdin:
    way, path = line.strip().split(" ", 1)
    if way == "hash":
        whole = hashlib.sha256()
        for pixels in iter_pixels(path, decoding_plugin="pillow"):
            whole.update(pixels.tobytes())
        print(whole.hexdigest(), flush=True)
        continue
    began, cpu, frames = time.perf_counter(), time.process_time(), 0
    for pixels in iter_pixels(path, decoding_plugin="pillow", raw=way == "raw"):
        frames += 1
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    print(frames / took, 1000 * cpu / frames, flush=True)
"""
"""pydicom's side: reads lines of ``rgb PATH`` or ``raw PATH`` and answers frames/s and ms of CPU, or ``hash PATH``."""


class Speed(NamedTuple):
    """Speed of one reading of a cine, by the clock and by CPU time."""

    frames_per_s: float
    """By the clock."""
    cpu_ms: float
    """For one frame, of all threads together."""


def write_cine(path: Path, kind: str, frames: int) -> None:
    """Write a DICOM JPEG cine of phantom frames; ``kind`` is a key of `KINDS`."""
    import cv2
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.uid import JPEGBaseline8Bit, generate_uid

    from edge.phantom.scene import PhantomScene
    from edge.phantom.spec import PhantomSpec

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
    cine.PhotometricInterpretation = KINDS[kind]
    if colour:
        cine.PlanarConfiguration = 0
    cine.BitsAllocated = cine.BitsStored = 8
    cine.HighBit, cine.PixelRepresentation = 7, 0
    cine.LossyImageCompression = "01"
    cine.PixelData = encapsulate(coded)
    cine["PixelData"].is_undefined_length = True
    cine.save_as(path, implicit_vr=False, little_endian=True, enforce_file_format=True)


def ours(path: Path, decode: str = "colour") -> Speed:
    """Read the cine with our DICOM source. Raises SystemExit if it skips a frame."""
    from edge.config.settings import StreamSettings
    from edge.config.uri import parse_uri
    from edge.contracts.frames import Frame
    from edge.sources.dicom import DicomSource

    uri = f"dicom://{path}?decode={decode}"
    began, cpu, frames = time.perf_counter(), time.process_time(), 0
    source = DicomSource(parse_uri(uri), StreamSettings(name="cine", source=uri))
    source.open()
    while isinstance(item := source.read(1.0), Frame):
        frames += 1
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    source.close()
    if item is None or item.kind != "ended":
        raise SystemExit(f"error: the source says {item}\nhint: edge-cli infer on such a file tells more")
    return Speed(frames / took, 1000 * cpu / frames)


def one_thread(path: Path) -> Speed:
    """Read the same frames with our decoder, one after the other."""
    from edge.dicom.frame_reader import DicomFrameReader

    began, cpu = time.perf_counter(), time.process_time()
    with DicomFrameReader(path) as clip:
        for index in range(clip.frames):
            clip.picture(index)
        took, cpu = time.perf_counter() - began, time.process_time() - cpu
        return Speed(clip.frames / took, 1000 * cpu / clip.frames)


def our_hash(path: Path) -> str:
    """SHA-256 of all pixels of the cine."""
    from edge.dicom.frame_reader import DicomFrameReader

    whole = hashlib.sha256()
    with DicomFrameReader(path) as clip:
        for picture in clip.pictures():
            whole.update(picture().tobytes())
    return whole.hexdigest()


class PydicomProcess:
    """Process that decodes with pydicom, in an environment of its own."""

    def __init__(self, python: Path) -> None:
        """Raises SystemExit if that is not to be had."""
        if not python.is_file():
            raise SystemExit(f"error: there is no {python}\nhint: make .venv-peers/installed")
        self._process = subprocess.Popen([python, "-c", READ], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.version = self._line().strip()

    def read(self, way: str, path: Path) -> Speed:
        """Read the cine with pydicom; ``way`` is ``rgb`` or ``raw``."""
        return Speed(*(float(word) for word in self._ask(way, path).split()))

    def hash(self, path: Path) -> str:
        """SHA-256 of all pixels of the cine."""
        return self._ask("hash", path)

    def _ask(self, way: str, path: Path) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{way} {path}\n")
        self._process.stdin.flush()
        return self._line().strip()

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("error: pydicom with Pillow cannot read it; its words stand above\nhint: make peers")
        return line

    def close(self) -> None:
        """End the process in order."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


def main() -> None:
    """Measure, print, and write the results."""
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
    results: dict[str, Any] = {"machine": describe_machine(), "rounds": options.rounds, "quick": options.quick}
    results |= {"kinds": {}, "cpu_ms": {}}
    theirs = PydicomProcess(options.python)
    results["pydicom"] = theirs.version
    print(f"640x480, quality {QUALITY}, {options.rounds} rounds of {options.frames} frames; {results['machine']}")
    with tempfile.TemporaryDirectory(prefix="cine-") as folder:
        for kind in KINDS:
            path = Path(folder) / f"{kind}.dcm"
            write_cine(path, kind, options.frames)
            if kind == "grey" and our_hash(path) != theirs.hash(path):  # colours are rounded in other ways
                raise SystemExit("error: ours and pydicom's pixels differ\nhint: compare the versions of libjpeg")
            speeds = measure(ways(kind, path, theirs), options.rounds)
            results["kinds"][kind] = {name: [round(each.frames_per_s, 2) for each in of] for name, of in speeds.items()}
            results["cpu_ms"][kind] = {name: [round(each.cpu_ms, 4) for each in of] for name, of in speeds.items()}
            print_table(kind, results["kinds"][kind], results["cpu_ms"][kind])
    theirs.close()
    if options.json:
        write_section(options.json, "dicom_jpeg", results)


def ways(kind: str, path: Path, theirs: PydicomProcess) -> dict[str, Callable[[], Speed]]:
    """Ways to read the cine, by name."""
    found: dict[str, Callable[[], Speed]] = {"ours": partial(ours, path), "one thread": partial(one_thread, path)}
    if kind == "colour":
        found["to grey"] = partial(ours, path, "grey")
    return found | {"pydicom": partial(theirs.read, "rgb", path), "pydicom raw": partial(theirs.read, "raw", path)}


def measure(read: dict[str, Callable[[], Speed]], rounds: int) -> dict[str, list[Speed]]:
    """Speeds by name, one for each round; every other round goes the other way."""
    speeds: dict[str, list[Speed]] = {name: [] for name in read}
    for warm in read.values():
        warm()
    for number in range(rounds):
        for name in read if number % 2 == 0 else reversed(read):
            speeds[name].append(read[name]())
    return speeds


def print_table(kind: str, speeds: dict[str, list[float]], cpu_ms: dict[str, list[float]]) -> None:
    """Print a table: medians, and how many times as many frames each gives as pydicom; interval in brackets."""
    print(f"{KINDS[kind]:14} {'frames/s':>8} {'CPU ms':>7}   {'of pydicom':20} of pydicom, by CPU time")
    for name, each in speeds.items():
        clock = ratio(each, speeds["pydicom"])
        cpu = ratio(cpu_ms["pydicom"], cpu_ms[name])
        print(
            f"  {name:12} {median(each).value:8.0f} {median(cpu_ms[name]).value:7.3f}   "
            + "   ".join(f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})" for found in (clock, cpu)),
            flush=True,
        )


if __name__ == "__main__":
    sys.exit(main())
