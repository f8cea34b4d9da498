"""Pictures as they were stored, and bad files of every kind that cost themselves alone."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.config.settings import StreamSettings
from edge.config.uri import parse_uri
from edge.contracts.errors import SourceError
from edge.contracts.frames import Frame, SourceEvent
from edge.images.headers import read_images
from edge.sources import images
from edge.sources.images import ImagesSource, decode_image, to_8_bits

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def source(path: Path) -> ImagesSource:
    uri = f"images://{path}"
    made = ImagesSource(parse_uri(uri), StreamSettings(name="x", source=uri))
    made.open()
    return made


def read_all(path: Path) -> tuple[list[Frame], list[SourceEvent]]:
    """Frames and events but the last, which must be ``ended``."""
    frames: list[Frame] = []
    events: list[SourceEvent] = []
    opened = source(path)
    for _ in range(1000):
        item = opened.read(1.0)
        assert item is not None
        if isinstance(item, Frame):
            frames.append(item)
        elif item.kind == "ended":
            opened.close()
            return frames, events
        else:
            events.append(item)
    pytest.fail("it does not end")


def only(path: Path) -> Frame:
    (frame,), events = read_all(path)
    assert events == []
    return frame


def skip_of(path: Path) -> SourceEvent:
    frames, (event,) = read_all(path)
    assert frames == []
    assert event.kind == "skipped"
    assert event.path == str(path)
    assert event.detail
    return event


def encode(suffix: str, image: NDArray[Any], *params: int) -> bytes:
    done, data = cv2.imencode(suffix, image, list(params))
    assert done
    return data.tobytes()


@pytest.fixture
def rgb() -> NDArray[np.uint8]:
    """(60, 80, 3) smooth: red to the right, green downwards."""
    y, x = np.mgrid[0:60, 0:80]
    return np.stack([x * 3, y * 4, 120 - x], axis=-1).astype(np.uint8)


# --- good files ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".PNG"])
def test_colour_and_grey_come_as_they_are(suffix: str, rgb: Any, tmp_path: Path) -> None:
    path = tmp_path / f"colour{suffix}"
    path.write_bytes(encode(suffix.lower(), rgb[:, :, ::-1]))
    frame = only(path)
    np.testing.assert_array_equal(frame.pixels, rgb)
    assert frame.pixels.flags.c_contiguous
    path.write_bytes(encode(suffix.lower(), rgb[:, :, 0]))
    np.testing.assert_array_equal(only(path).pixels, rgb[:, :, 0])


def test_jpeg(rgb: Any, tmp_path: Path) -> None:
    for image, suffix in ((rgb, ".jpg"), (rgb[:, :, 0], ".jpeg")):
        path = tmp_path / f"picture{suffix}"
        path.write_bytes(encode(".jpg", image if image.ndim == 2 else image[:, :, ::-1]))
        pixels = only(path).pixels
        assert pixels.shape == image.shape
        assert np.abs(pixels.astype(int) - image).mean() < 3


def test_what_a_frame_says_of_itself(rgb: Any, tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(encode(".png", rgb))
    frames, events = read_all(tmp_path)
    assert events == []
    assert [frame.seq for frame in frames] == [0, 1, 2]
    assert [frame.origin.clip for frame in frames] == [0, 1, 2], "no lesion is followed from one picture to another"
    assert [frame.origin.path for frame in frames] == [str(tmp_path / f"{number}.png") for number in range(3)]
    assert {(frame.origin.frame_index, frame.media_ns, frame.regions) for frame in frames} == {(0, 0, ())}


def test_a_path_stays_relative(rgb: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a b?.png").write_bytes(encode(".png", rgb))
    monkeypatch.chdir(tmp_path)
    opened = ImagesSource(parse_uri("images://in/a%20b%3F.png"), StreamSettings(name="x", source="images://in"))
    opened.open()
    frame = opened.read(1.0)
    assert isinstance(frame, Frame)
    assert frame.origin.path == "in/a b?.png"


def test_a_file_is_what_its_bytes_say(rgb: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(encode(".png", rgb[:, :, ::-1]))
    np.testing.assert_array_equal(only(path).pixels, rgb)


def test_one_pixel_is_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encode(".png", np.full((1, 1), 7, np.uint8)))
    assert only(path).pixels.tolist() == [[7]]


@pytest.mark.parametrize(("top", "shift"), [(200, 0), (1023, 2), (1024, 4), (4095, 4), (4096, 8), (65535, 8)])
def test_16_bits_lose_those_beyond_what_is_used(top: int, shift: int, tmp_path: Path) -> None:
    values = np.linspace(0, top, 64).astype(np.uint16).reshape(8, 8)
    path = tmp_path / "a.png"
    path.write_bytes(encode(".png", values))
    np.testing.assert_array_equal(only(path).pixels, values >> shift)


@given(values=st.lists(st.integers(0, 65535), min_size=1, max_size=20))
def test_16_bits_keep_their_order(values: list[int]) -> None:
    got = to_8_bits(np.array(values, np.uint16)).tolist()
    assert sorted(got) == [value for _, value in sorted(zip(values, got, strict=True))]


def test_transparency_lies_over_black(rgb: Any, tmp_path: Path) -> None:
    opacity = np.full((60, 80), 255, np.uint8)
    opacity[:30] = 0
    opacity[30:40] = 128
    path = tmp_path / "a.png"
    path.write_bytes(encode(".png", np.dstack([rgb[:, :, ::-1], opacity])))
    pixels = only(path).pixels
    assert not pixels[:30].any()
    np.testing.assert_array_equal(pixels[30:40], (rgb[30:40].astype(int) * 128 + 127) // 255)
    np.testing.assert_array_equal(pixels[40:], rgb[40:])


def png(colour: int, rows: bytes, width: int, height: int) -> bytes:
    """A PNG of 8-bit samples by hand, for what OpenCV does not write; ``rows`` without filter bytes."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">L", len(data)) + name + data + struct.pack(">L", zlib.crc32(name + data))

    stride = len(rows) // height
    lines = b"".join(b"\0" + rows[at : at + stride] for at in range(0, len(rows), stride))
    head = struct.pack(">LLBBBBB", width, height, 8, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def test_grey_with_transparency_stays_grey(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png(4, bytes([10, 255, 200, 255, 200, 0, 100, 255]), 2, 2))
    assert only(path).pixels.tolist() == [[10, 200], [0, 100]]


def test_a_bmp_of_32_bits_is_not_transparent(rgb: Any, tmp_path: Path) -> None:
    rows = np.dstack([rgb[::-1, :, ::-1], np.zeros((60, 80), np.uint8)]).tobytes()
    head = struct.pack("<LllHHLLllLL", 40, 80, 60, 1, 32, 0, len(rows), 0, 0, 0, 0)
    path = tmp_path / "a.bmp"
    path.write_bytes(b"BM" + struct.pack("<LLL", 54 + len(rows), 0, 54) + head + rows)
    np.testing.assert_array_equal(only(path).pixels, rgb)


def test_a_photographed_screen_is_shown_upright(rgb: Any, tmp_path: Path) -> None:
    """EXIF orientation 6: the camera was turned; viewers turn it back."""
    exif = b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">HHHLHHL", 1, 0x0112, 3, 1, 6, 0, 0)
    plain = encode(".jpg", rgb[:, :, ::-1])
    path = tmp_path / "a.jpg"
    path.write_bytes(plain[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + plain[2:])
    pixels = only(path).pixels
    assert pixels.shape == (80, 60, 3)
    assert np.abs(pixels.astype(int) - np.rot90(rgb, -1)).mean() < 3


def test_the_pages_of_a_tiff_are_frames_of_one_clip(rgb: Any, tmp_path: Path) -> None:
    pages = [rgb, rgb[:30], rgb[:, :50]]
    path = tmp_path / "stack.tif"
    assert cv2.imwritemulti(str(path), [page[:, :, ::-1] for page in pages])
    frames, events = read_all(path)
    assert events == []
    for frame, page in zip(frames, pages, strict=True):
        np.testing.assert_array_equal(frame.pixels, page)
    assert [(frame.origin.clip, frame.origin.frame_index, frame.media_ns) for frame in frames] == [
        (0, index, None) for index in range(3)
    ]


# --- bad files -------------------------------------------------------------------------------------------------------


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
        data[30:34] = struct.pack("<L", 1)  # run lengths, which may well be that short
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
    monkeypatch.setattr(images, "MAX_BYTES", 100)
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
    opened = source(tmp_path)
    (tmp_path / "0.png").unlink()
    event, frame = opened.read(1.0), opened.read(1.0)
    assert isinstance(event, SourceEvent)
    assert event.kind == "skipped"
    assert "No such file" in event.detail
    assert isinstance(frame, Frame)


def test_opened_anew_it_begins_anew_and_goes_on_counting(rgb: Any, tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(encode(".png", rgb))
    opened = source(tmp_path)
    one = opened.read(1.0)
    opened.close()
    opened.open()
    two = opened.read(1.0)
    assert isinstance(one, Frame)
    assert isinstance(two, Frame)
    assert [(frame.seq, frame.origin.clip) for frame in (one, two)] == [(0, 0), (1, 1)]


WHOLE = {
    suffix: encode(suffix, np.random.default_rng(1).integers(0, 256, (20, 30, 3), np.uint8))
    for suffix in (".png", ".jpg", ".bmp", ".tif")
}


def decode_all(data: bytes) -> None:
    """Raises nothing but `SourceError`."""
    try:
        for info in read_images(data):
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


@pytest.mark.data
def test_the_real_pictures(data_dir: Path) -> None:
    frames, events = read_all(data_dir / "busi" / "originals")
    assert events == []
    assert len(frames) == 14
    assert {frame.pixels.ndim for frame in frames} == {3}
    assert all(40 < frame.pixels.mean() < 140 for frame in frames)
