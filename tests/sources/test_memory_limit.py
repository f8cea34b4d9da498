"""Hostile files under the memory of a small board: a cgroup of 512 MB, in the reader alone and in the real daemon."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from dicom_source_files import write_dicom
from memory_cgroup import memory_cgroup
from pydicom.uid import DeflatedExplicitVRLittleEndian, RLELossless

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memory_cgroup import MemoryCgroup

LIMIT = 512 << 20
GIB = 1 << 30
READER = """
import json, sys, time
from edge.config.settings import StreamSettings
from edge.config.uri import parse_uri
from edge.contracts.frames import Frame
from edge.sources.dicom import DicomSource
from edge.sources.images import ImagesSource
from edge.sources.video import VideoSource

for kind in sys.argv[2:]:
    name = {"images": ImagesSource, "dicom": DicomSource, "video": VideoSource}[kind]
    uri = f"{kind}://{sys.argv[1]}"
    source = name(parse_uri(uri), StreamSettings(name="x", source=uri))
    source.open()
    while True:
        began = time.monotonic()
        item = source.read(1.0)
        took_s = time.monotonic() - began
        if isinstance(item, Frame):
            print(json.dumps([kind, "frame", "", round(took_s, 2)]), flush=True)
        elif item.kind == "ended":
            break
        else:
            told = [kind, item.kind, item.reason.value, round(took_s, 2), item.path, item.detail]
            print(json.dumps(told), flush=True)
"""


def packed(head: bytes, zeros: int, packer: zlib._Compress) -> bytes:
    """``head`` and so many zeros, deflated."""
    parts = [packer.compress(head)]
    parts += [packer.compress(bytes(1 << 20)) for _ in range(zeros >> 20)]
    return b"".join([*parts, packer.flush()])


def png(path: Path, width: int, height: int, bits: int, colour: int, inflated: int) -> None:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">L", len(data)) + name + data + struct.pack(">L", zlib.crc32(name + data))

    head = struct.pack(">LLBBBBB", width, height, bits, colour, 0, 0, 0)
    data = packed(b"", inflated, zlib.compressobj(9))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b""))


def deflated_dicom(path: Path, length: int) -> None:
    """A deflated DICOM file of one small picture whose pixel data inflates to ``length`` bytes."""
    grey = np.zeros((1, 48, 64), np.uint8)
    plain = write_dicom(path, grey).read_bytes()
    at = plain.rindex(b"\xe0\x7f\x10\x00O")
    head = plain[plain.index(struct.pack("<HH", 8, 0x16)) : at + 8] + struct.pack("<L", length)
    coded = write_dicom(path, grey, syntax=DeflatedExplicitVRLittleEndian).read_bytes()
    meta = coded[: 144 + struct.unpack_from("<L", coded, 140)[0]]
    path.write_bytes(meta + packed(head, length, zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)))


def rle_dicom(path: Path, runs: int) -> None:
    """An RLE file of 1024 x 1024 whose one segment has far more runs than that needs."""
    segment = struct.pack("<16L", 1, 64, *[0] * 14) + b"\x81\x00" * runs
    write_dicom(path, np.zeros((1, 1024, 1024), np.uint8))
    from pydicom import dcmread
    from pydicom.encaps import encapsulate

    data = dcmread(path)
    data.file_meta.TransferSyntaxUID = RLELossless
    data.PixelData = encapsulate([segment])
    data["PixelData"].VR = "OB"
    data.save_as(path, enforce_file_format=True)


def hostile_files() -> list[Path]:
    """The JPEG-LS frame that held a lock for seconds, where it is at hand: see the fixture ``hostile_dir``."""
    place = Path(os.environ.get("SONOEDGE_HOSTILE") or Path(__file__).parents[3] / "shared" / "hostile")
    return sorted(place.glob("*_746_bytes.dcm"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hostile files of every kind between good ones. The JPEG-LS frame joins them where it is at hand."""
    made = tmp_path_factory.mktemp("hostile")
    good = np.tile(np.arange(200, dtype=np.uint8), (160, 1))
    for name in ("a", "z"):
        cv2.imwrite(str(made / f"{name}.png"), good)
        write_dicom(made / f"{name}.dcm", good[None])
    png(made / "promises_2_gb.png", 8000, 8000, 16, 6, 8000 * 64001)
    png(made / "idat_1_gib.png", 64, 64, 8, 0, GIB)
    png(made / "idat_large_picture.png", 4000, 3000, 8, 2, GIB)
    deflated_dicom(made / "deflated_1_gib.dcm", GIB)
    rle_dicom(made / "rle_10_mb.dcm", 5 << 20)
    for path in hostile_files():
        shutil.copyfile(path, made / path.name)
    return made


@pytest.fixture
def cgroup() -> Iterator[MemoryCgroup]:
    with memory_cgroup(LIMIT) as made:
        if made is None:
            pytest.skip("no cgroup with a memory limit can be made here: needs root, or a delegated cgroup")
        yield made


@pytest.mark.slow
def test_each_hostile_file_costs_one_event_under_512_mb(folder: Path, cgroup: MemoryCgroup) -> None:
    done = subprocess.run(
        [sys.executable, "-c", READER, str(folder), "images", "dicom"],
        capture_output=True, text=True, preexec_fn=cgroup.join, timeout=110,
    )  # fmt: skip
    assert done.returncode == 0, (done.returncode, done.stderr)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    print(*told, sep="\n")
    frames = [each for each in told if each[1] == "frame"]
    assert [each[0] for each in frames] == ["images", "images", "dicom", "dicom"], told
    hostile = [path for path in folder.iterdir() if path.stem not in ("a", "z")]
    assert len(told) == len(frames) + len(hostile), told
    assert {each[1] for each in told} == {"frame", "skipped"}
    assert {each[2] for each in told} <= {"", "decode_error", "too_large"}
    assert cgroup.kills == 0, "nothing may come near the limit"


def write_video(path: Path, size: str, *options: str) -> None:
    made = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"color=gray:s={size}:r=10", "-frames:v", "24", *options]
    done = subprocess.run([*made, str(path)], capture_output=True, text=True, timeout=110)
    if done.returncode:
        pytest.skip(f"this ffmpeg cannot encode {path.name}: {done.stderr[-200:]}")


@pytest.mark.slow
def test_each_video_that_takes_too_much_costs_one_event_under_512_mb(tmp_path: Path, cgroup: MemoryCgroup) -> None:
    if not shutil.which("ffmpeg"):
        pytest.skip("ffmpeg is not on PATH")
    h264 = ("-c:v", "libx264", "-preset", "ultrafast")
    write_video(tmp_path / "a.mp4", "3840x2160", *h264, "-refs", "3", "-pix_fmt", "yuv420p")
    write_video(tmp_path / "refs.mp4", "4096x3072", *h264, "-refs", "16", "-pix_fmt", "yuv444p")
    write_video(tmp_path / "samples.mkv", "4096x3072", "-c:v", "ffv1", "-frames:v", "2", "-pix_fmt", "gbrp16le")
    write_video(tmp_path / "frames.mp4", "320x240", *h264, "-pix_fmt", "yuv420p")
    data = (tmp_path / "frames.mp4").read_bytes()
    at = data.index(b"stts") + 12
    (tmp_path / "frames.mp4").write_bytes(data[:at] + struct.pack(">L", 1 << 23) + data[at + 4 :])
    write_video(tmp_path / "z.mp4", "320x240", *h264, "-pix_fmt", "yuv420p")
    done = subprocess.run(
        [sys.executable, "-c", READER, str(tmp_path), "video"],
        capture_output=True, text=True, preexec_fn=cgroup.join, timeout=110,
    )  # fmt: skip
    assert done.returncode == 0, (done.returncode, done.stderr)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each[1] for each in told] == ["frame"] * 24 + ["skipped"] * 3 + ["frame"] * 24, told
    assert {each[2] for each in told if each[1] == "skipped"} == {"too_large"}
    assert cgroup.kills == 0


@pytest.mark.slow
def test_the_daemon_judges_what_lies_between_them_under_512_mb(
    folder: Path, cgroup: MemoryCgroup, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    command = [sys.executable, "-m", "edge.cli.main", "run", "--device", "cart", "--state-dir", str(tmp_path / "state")]
    command += ["--source", f"images://{folder}", "--source", f"dicom://{folder}", "--sink", f"jsonl://{out}"]
    done = subprocess.run(
        command, capture_output=True, text=True, preexec_fn=cgroup.join, timeout=110, cwd=tmp_path
    )  # fmt: skip
    assert done.returncode == 5, done.stderr  # not everything was judged
    assert "started again" not in done.stderr, "no process died"
    assert cgroup.kills == 0
    messages = [json.loads(line) for line in out.read_text().splitlines()]
    ends = [one["payload"] for one in messages if "/coverage/" in one["topic"]]
    assert {each["reason"] for each in ends if each["status"] == "no_result"} >= {"decode_error", "too_large"}
    for stream in ("images-1", "dicom-1"):
        of_it = [each for each in ends if each["stream"] == stream]
        assert of_it[-1]["reason"] == "stream_ended"
        assert {each["status"] for each in of_it} > {"no_result"}, "good pictures are judged"
