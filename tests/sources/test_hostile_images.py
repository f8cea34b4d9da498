"""Image files that promise much, or are no files at all: each costs a frame or a file, whatever is raised."""

from __future__ import annotations

import os
import resource
import struct
import subprocess
import sys
import threading
import zlib
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from image_files import read_all
from native_panic import PanicError

from edge.config.settings import StreamSettings
from edge.config.uri import parse_uri
from edge.contracts.errors import SourceError
from edge.contracts.frames import Frame, SourceEvent
from edge.images import limits
from edge.images.headers import ImageInfo, read_image_headers
from edge.images.limits import decodes_in_process, few_scans
from edge.sources import image_file, images
from edge.sources.image_file import OpenImageFile
from edge.sources.images import ImagesSource

if TYPE_CHECKING:
    from pathlib import Path


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">L", len(data)) + name + data + struct.pack(">L", zlib.crc32(name + data))


def flat_png(path: Path, width: int, height: int, bits: int, colour: int, inflated: int | None = None) -> Path:
    """A PNG of zeros, whose data inflates to ``inflated`` bytes; None: to as many as it should."""
    samples = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    size = height * (1 + width * samples * bits // 8) if inflated is None else inflated
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(size >> 20))
    packed += packer.compress(bytes(size & 0xFFFFF)) + packer.flush()
    head = struct.pack(">LLBBBBB", width, height, bits, colour, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b""))
    return path


def source(path: Path, **settings: Any) -> ImagesSource:
    uri = f"images://{path}"
    made = ImagesSource(parse_uri(uri), StreamSettings(name="x", source=uri, **settings))
    made.open()
    return made


@pytest.mark.slow
def test_a_small_file_that_promises_gigabytes_is_refused_by_its_header(tmp_path: Path) -> None:
    path = flat_png(tmp_path / "a.png", 8000, 8000, 16, 6)
    assert path.stat().st_size < 600_000
    _, (event,) = read_all(path)
    assert event.reason.value == "too_large"
    assert "4096 x 3072" in event.detail
    path = flat_png(tmp_path / "a.png", 4096, 3072, 16, 6)  # twice in OpenCV: 400 MB
    _, (event,) = read_all(path)
    assert event.reason.value == "too_large"
    assert "million pixels of such a PNG" in event.detail


@pytest.mark.slow
def test_a_png_that_inflates_without_end_costs_its_time_limit(tmp_path: Path) -> None:
    flat_png(tmp_path / "1.png", 64, 64, 8, 0, inflated=1 << 30)
    cv2.imwrite(str(tmp_path / "2.png"), np.full((40, 40), 9, np.uint8))
    opened = source(tmp_path, decode_timeout_s=0.3)
    event, frame = opened.read(1.0), opened.read(1.0)
    assert isinstance(event, SourceEvent)
    assert event.reason.value == "decode_error"
    assert "longer than 0.3 s" in event.detail
    assert "decode_timeout_s" in event.detail
    assert isinstance(frame, Frame)
    opened.close()


def test_what_is_decoded_in_this_process(tmp_path: Path) -> None:
    def here(data: bytes, kind: Any, width: int = 640, height: int = 480) -> bool:
        return decodes_in_process(data, ImageInfo(kind, width, height))

    grey = np.random.default_rng(0).integers(0, 256, (480, 640), np.uint8)
    png, jpeg = (cv2.imencode(suffix, grey)[1].tobytes() for suffix in (".png", ".jpg"))
    assert here(png, "png")
    assert here(jpeg, "jpeg")
    assert here(b"BM" + bytes(100), "bmp")
    runs = b"BM" + bytes(28) + b"\1\0\0\0" + bytes(100)
    assert here(runs, "bmp")
    assert not here(runs + bytes(limits.MAX_IN_PROCESS_RUN_LENGTHS), "bmp")
    assert not here(b"II*\0" + bytes(100), "tiff")
    assert not here(png + bytes(limits.MAX_IN_PROCESS_PNG), "png")
    assert not here(png, "png", 4000, 3000)
    assert not here(jpeg, "jpeg", 4000, 3000)
    progressive = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    assert here(progressive, "jpeg")
    scan = progressive.rindex(b"\xff\xda")
    many = progressive[:scan] + progressive[scan:-2] * 200 + progressive[-2:]
    assert not few_scans(many, 640 * 480)


def test_the_same_pixels_here_and_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    pictures = {
        "a.png": rng.integers(0, 65536, (30, 40, 4), np.uint16), "b.png": rng.integers(0, 256, (30, 40), np.uint8),
        "c.jpg": rng.integers(0, 256, (30, 40, 3), np.uint8), "d.bmp": rng.integers(0, 256, (30, 40, 3), np.uint8),
    }  # fmt: skip
    for name, pixels in pictures.items():
        cv2.imwrite(str(tmp_path / name), pixels)
    here, _ = read_all(tmp_path)
    monkeypatch.setattr(limits, "IN_PROCESS_COST", 0)
    there, _ = read_all(tmp_path)
    monkeypatch.setattr(image_file, "SMALL_BYTES", 0)  # headers too
    unread, _ = read_all(tmp_path)
    for one, two, three in zip(here, there, unread, strict=True):
        np.testing.assert_array_equal(one.pixels, two.pixels)
        np.testing.assert_array_equal(one.pixels, three.pixels)


def test_a_bad_page_costs_that_page(tmp_path: Path) -> None:
    pages = [np.full((20, 30), value, np.uint8) for value in (1, 2, 3)]
    path = tmp_path / "a.tif"
    cv2.imwritemulti(str(path), pages, [cv2.IMWRITE_TIFF_COMPRESSION, 1])
    infos = read_image_headers(path.read_bytes())
    data = bytearray(path.read_bytes())
    at = infos[1].format_info.directory + 2
    count = struct.unpack("<H", data[at - 2 : at])[0]
    for entry in range(at, at + 12 * count, 12):
        if struct.unpack("<H", data[entry : entry + 2])[0] in (256, 257):  # width and height
            data[entry + 8 : entry + 12] = struct.pack("<L", 50_000)
    path.write_bytes(bytes(data))
    frames, (event,) = read_all(path)
    assert [int(frame.pixels[0, 0]) for frame in frames] == [1, 3]
    assert event.detail.startswith("page 2 of 3: ")


@pytest.mark.parametrize("error", [PanicError("x"), SystemExit(0), KeyboardInterrupt(), MemoryError()], ids=repr)
def test_whatever_is_raised_costs_one_frame(error: BaseException, tmp_path: Path, monkeypatch: Any) -> None:
    for name in ("1.png", "2.png", "3.png"):
        cv2.imwrite(str(tmp_path / name), np.full((9, 9), int(name[0]), np.uint8))
    decode = images.decode_picture

    def trip(data: bytes, info: ImageInfo, *more: Any) -> Any:
        picture = decode(data, info, *more)
        if picture[0][0, 0] == 2:
            raise error
        return picture

    monkeypatch.setattr(images, "decode_picture", trip)
    got: list[Any] = []
    thread = threading.Thread(target=lambda: got.extend(read_all(tmp_path)))  # as a capture thread
    thread.start()
    thread.join()
    frames, (event,) = got
    assert [int(frame.pixels[0, 0]) for frame in frames] == [1, 3]
    assert event.reason.value == "decode_error"


def test_ctrl_c_in_the_main_thread_is_no_bad_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> Any:
        raise KeyboardInterrupt

    cv2.imwrite(str(tmp_path / "1.png"), np.zeros((9, 9), np.uint8))
    monkeypatch.setattr(images, "decode_picture", interrupted)
    opened = source(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        opened.read(1.0)


def test_pipes_and_devices_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "1.png")
    os.symlink("/dev/zero", tmp_path / "2.png")
    cv2.imwrite(str(tmp_path / "3.png"), np.zeros((9, 9), np.uint8))
    frames, _ = read_all(tmp_path)
    assert len(frames) == 1
    with pytest.raises(SourceError, match="pipe"):  # put in a file's place after the folder was looked through
        OpenImageFile(tmp_path / "1.png")
    with pytest.raises(SourceError, match="device"):
        OpenImageFile(tmp_path / "2.png")


def test_a_file_that_grows_or_goes_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.full((9, 9), 7, np.uint8))
    whole = path.read_bytes()
    with OpenImageFile(path) as file:
        with path.open("ab") as more:
            more.write(bytes(1 << 20))
        assert file.headers(len) == len(whole)
        path.unlink()
        assert file.headers(len) == len(whole)


def test_a_file_that_may_not_be_read_any_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("1.png", "2.png"):
        cv2.imwrite(str(tmp_path / name), np.zeros((9, 9), np.uint8))
    really = os.open

    def refuse(path: Any, *rest: Any, **more: Any) -> int:
        if str(path).endswith("1.png"):
            raise PermissionError(13, "Permission denied")  # root may read everything
        return really(path, *rest, **more)

    monkeypatch.setattr(os, "open", refuse)
    frames, (event,) = read_all(tmp_path)
    assert len(frames) == 1
    assert "Permission denied" in event.detail


@pytest.mark.parametrize("field", ["width", "height", "bits", "offset", "colours"])
def test_bmp_headers_that_lie(field: str, tmp_path: Path) -> None:
    path = tmp_path / "a.bmp"
    cv2.imwrite(str(path), np.zeros((9, 9), np.uint8))
    fields = {
        "width": (18, "<l"),
        "height": (22, "<l"),
        "bits": (28, "<H"),
        "offset": (10, "<L"),
        "colours": (46, "<L"),
    }
    at, code = fields[field]
    for value in (0, 1, 3, 4000, 32_767):
        data = bytearray(path.read_bytes())
        struct.pack_into(code, data, at, value)
        (tmp_path / "b.bmp").write_bytes(bytes(data))
        frames, events = read_all(tmp_path / "b.bmp")
        assert len(frames) + len(events) == 1


LARGEST = """
import sys, threading, time, os
from pathlib import Path
from edge.config.settings import StreamSettings
from edge.config.uri import parse_uri
from edge.contracts.frames import Frame
from edge.process.usage import process_tree, pss_mb
from edge.sources.images import ImagesSource
from edge.sources.dicom import DicomSource

def used():
    return sum(pss_mb(pid) or 0.0 for pid in process_tree(os.getpid()))

idle, most, done = used(), [0.0], threading.Event()
def watch():
    while not done.wait(0.01):
        most[0] = max(most[0], used())
thread = threading.Thread(target=watch)
thread.start()
read = 0
for kind, name in (("images", ImagesSource), ("dicom", DicomSource)):
    uri = f"{kind}://{sys.argv[1]}"
    source = name(parse_uri(uri), StreamSettings(name="x", source=uri, decode_timeout_s=20.0))
    source.open()
    while True:
        item = source.read(1.0)
        if isinstance(item, Frame):
            read += 1
        elif item.kind == "ended":
            break
        else:
            print(item.detail, file=sys.stderr)
done.set()
thread.join()
print(read, round(most[0] - idle))
"""


@pytest.mark.slow
def test_the_largest_frames_take_less_than_256_mb_under_a_limit_of_512(tmp_path: Path) -> None:
    from dicom_source_files import write_dicom

    flat_png(tmp_path / "1.png", 4096, 3072, 8, 2)
    flat_png(tmp_path / "2.png", 3000, 2600, 16, 6)
    smooth = cv2.resize(np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8), (4096, 3072))
    for name in ("3.jpg", "4.bmp", "5.tif"):
        cv2.imwrite(str(tmp_path / name), smooth)
    cv2.imwrite(str(tmp_path / "6.jpg"), smooth, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])
    deep = np.zeros((3072, 4096), np.uint16)
    deep[:, 1000:] = 900
    write_dicom(
        tmp_path / "7.dcm", np.zeros((1, 4, 4), np.uint8), PixelData=deep.tobytes(),
        Rows=3072, Columns=4096, BitsAllocated=16, BitsStored=12, HighBit=11,
    )  # fmt: skip
    limit = 512 << 20

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

    done = subprocess.run(
        [sys.executable, "-c", LARGEST, str(tmp_path)], capture_output=True, text=True, preexec_fn=limited, timeout=100
    )
    assert done.returncode == 0, done.stderr
    read, most_mb = map(int, done.stdout.split())
    assert read == 7, done.stderr
    assert most_mb < 256, done.stderr
