"""Picture files that are cut short, damaged, too large or something else cost themselves alone."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from image_files import encode, images_source, only, png, read_all, skip_of, smooth_rgb

from edge.contracts.errors import SourceError
from edge.contracts.frames import Frame, SourceEvent
from edge.images.headers import read_image_headers
from edge.sources import image_file
from edge.sources.images import decode_image

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


@pytest.fixture
def rgb() -> NDArray[np.uint8]:
    return smooth_rgb()


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif"])
@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.9, 0.99, -1])
def test_a_file_cut_short_is_said_and_not_shown_half(
    suffix: str, kept: float, rgb: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (100, 100, 3), np.uint8)
    data = encode(suffix, noise)
    path = tmp_path / f"a{suffix}"
    path.write_bytes(data[:-1] if kept == -1 else data[: int(kept * len(data))])
    event = skip_of(path)
    assert event.reason.value == "decode_error"
    assert capfd.readouterr() == ("", "")


def test_a_jpeg_whose_only_end_is_that_of_its_thumbnail(rgb: Any, tmp_path: Path) -> None:
    whole, thumbnail = encode(".jpg", rgb), encode(".jpg", rgb[::4, ::4])
    head = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    path = tmp_path / "a.jpg"
    path.write_bytes(whole[:2] + head + whole[2:])
    assert only(path).pixels.shape == (60, 80, 3)
    path.write_bytes(whole[:2] + head + whole[2:-40])
    assert skip_of(path).reason.value == "decode_error"


def test_a_damaged_jpeg_is_said_and_not_shown_half(rgb: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """All of its headers and its end are there; libjpeg would fill up what is missing, and only warn on stderr."""
    data = encode(".jpg", rgb)
    scan = data.index(b"\xff\xda") + 14
    path = tmp_path / "a.jpg"
    path.write_bytes(data[: scan + (len(data) - scan) * 8 // 10] + b"\xff\xd9")
    event = skip_of(path)
    assert event.reason.value == "decode_error"
    assert "damaged picture (Corrupt JPEG data" in event.detail
    assert capfd.readouterr() == ("", "")
    path.write_bytes(data)
    assert only(path).pixels.shape == rgb.shape, "the next one is not blamed for it"


def test_a_png_with_a_wrong_bit(rgb: Any, tmp_path: Path) -> None:
    data = bytearray(encode(".png", rgb))
    data[len(data) // 2] ^= 1
    path = tmp_path / "a.png"
    path.write_bytes(data)
    assert "checksum" in skip_of(path).detail


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"BM", b"II*\0", b"GIF89a" + bytes(50)]
)
def test_other_things_are_said(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(data)
    assert skip_of(path).reason.value == "decode_error"


def test_floats_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(encode(".tif", np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)))
    assert "TIFF" in skip_of(path).detail


def huge(suffix: str) -> bytes:
    """A small file that says it is 20,000 x 20,000."""
    data = bytearray(encode(suffix, np.zeros((8, 8, 3), np.uint8)))
    if suffix == ".png":
        return png(0, bytes(20_000), 20_000, 1).replace(
            struct.pack(">LL", 20_000, 1), struct.pack(">LL", 20_000, 20_000)
        )
    if suffix == ".jpg":
        at = data.index(b"\xff\xc0") + 5
        data[at : at + 4] = struct.pack(">HH", 20_000, 20_000)
    elif suffix == ".bmp":
        data[18:26] = struct.pack("<ll", 20_000, -20_000)
        data[28:34] = struct.pack("<HL", 8, 1)  # run lengths, which may well be that short
    return bytes(data)


@pytest.mark.parametrize("suffix", [".jpg", ".bmp"])
def test_a_huge_picture_is_refused_without_decoding_it(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("it was decoded")

    path = tmp_path / f"a{suffix}"
    path.write_bytes(huge(suffix))
    monkeypatch.setattr(cv2, "imdecode", never)
    event = skip_of(path)
    assert event.reason.value == "too_large"
    assert "20000 x 20000" in event.detail


def test_a_real_huge_png(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">L", len(data)) + name + data + struct.pack(">L", zlib.crc32(name + data))

    squeeze = zlib.compressobj(1)
    line = bytes(2501)  # 20,000 pixels of one bit
    rows = b"".join(squeeze.compress(line) for _ in range(20_000)) + squeeze.flush()
    head = struct.pack(">LLBBBBB", 20_000, 20_000, 1, 0, 0, 0, 0)
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
    assert skip_of(path).reason.value == "too_large"


def test_a_huge_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_file, "MAX_BYTES", 100)
    path = tmp_path / "a.png"
    path.write_bytes(bytes(101))
    assert skip_of(path).reason.value == "too_large"


def test_one_bad_file_of_a_hundred_costs_that_file_only(rgb: Any, tmp_path: Path) -> None:
    for number in range(100):
        data = encode(".png", rgb)
        (tmp_path / f"{number}.png").write_bytes(data[:100] if number == 42 else data)
    frames, events = read_all(tmp_path)
    assert [event.path for event in events] == [str(tmp_path / "42.png")]
    assert [frame.seq for frame in frames] == list(range(99))
    assert str(tmp_path / "42.png") not in [frame.origin.path for frame in frames]


def test_a_file_that_is_gone_when_its_turn_comes(rgb: Any, tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / f"{number}.png").write_bytes(encode(".png", rgb))
    opened = images_source(tmp_path)
    (tmp_path / "0.png").unlink()
    event, frame = opened.read(1.0), opened.read(1.0)
    assert isinstance(event, SourceEvent)
    assert event.kind == "skipped"
    assert "No such file" in event.detail
    assert isinstance(frame, Frame)


WHOLE = {
    suffix: encode(suffix, np.random.default_rng(1).integers(0, 256, (20, 30, 3), np.uint8))
    for suffix in (".png", ".jpg", ".bmp", ".tif")
}


def decode_all(data: bytes) -> None:
    """Raises nothing but `SourceError`."""
    try:
        for info in read_image_headers(data):
            pixels = decode_image(data, info)
            assert pixels.dtype == np.uint8
            assert pixels.ndim == 2 or pixels.shape[2] == 3
    except SourceError:
        pass


@settings(deadline=None, max_examples=100)
@given(
    suffix=st.sampled_from(list(WHOLE)),
    keep=st.floats(0, 1),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=6),
)
def test_broken_files_are_errors_with_words(suffix: str, keep: float, changes: list[tuple[float, int]]) -> None:
    data = bytearray(WHOLE[suffix])
    for place, value in changes:
        data[int(place * (len(data) - 1))] = value
    decode_all(bytes(data))
    decode_all(bytes(data[: int(keep * len(data))]))


@settings(deadline=None)
@given(
    start=st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0*"]),
    data=st.binary(max_size=200),
)
def test_random_bytes_are_errors_with_words(start: bytes, data: bytes) -> None:
    decode_all(start + data)


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=st.lists(st.binary(max_size=60), min_size=1, max_size=5))
def test_a_folder_of_garbage_gives_an_event_a_file(files: list[bytes], tmp_path: Path) -> None:
    for old in tmp_path.iterdir():
        old.unlink()
    for number, data in enumerate(files):
        (tmp_path / f"{number}.png").write_bytes(data)
    frames, events = read_all(tmp_path)
    assert len(frames) + len(events) == len(files)
