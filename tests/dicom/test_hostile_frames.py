"""DICOM files that promise much, hang decoders or are damaged: each costs a frame or a file, in bounded memory."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from encoded_pictures import jpeg2000
from pydicom.pixels import get_decoder
from pydicom.uid import (
    JPEG2000,
    MPEG4HP41,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from edge.contracts.errors import SourceError
from edge.dicom import bounded_streams, codecs, frame_reader
from edge.dicom.bounded_streams import HeaderStream, InflatedStream
from edge.dicom.frame_reader import DicomFrameReader, NoDecoderError
from edge.dicom.pydicom_decoders import decode_with_pydicom, require_plugin
from edge.dicom.row_bands import BAND_PIXELS, convert_in_bands
from edge.dicom.segmented_palette import check_segmented_palette
from edge.images.jpeg2000 import jpeg2000_codestream, read_jpeg2000_header

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    Save = Callable[[Dataset], Path]
    Make = Callable[..., Dataset]

GREY = np.zeros((1, 48, 64), np.uint8)
ABSENT = not get_decoder(JPEGLSLossless).is_available


def rle_frame(*segments: bytes) -> bytes:
    offsets, at = [], 64
    for segment in segments:
        offsets.append(at)
        at += len(segment)
    return struct.pack("<16L", len(segments), *offsets, *[0] * (15 - len(segments))) + b"".join(segments)


@pytest.mark.slow
def test_the_files_that_hung_the_decoders_cost_one_frame_each(hostile_dir: Path) -> None:
    for path in sorted(hostile_dir.glob("*.dcm")):
        if "jpegls" in path.name and ABSENT:
            continue
        with DicomFrameReader(path, timeout_s=0.3) as clip, pytest.raises(SourceError) as caught:
            clip.picture(0)
        assert not isinstance(caught.value, NoDecoderError)
        assert caught.value.reason == "decode_error"
        assert caught.value.hint


def test_rle_of_many_runs_is_bounded(make_compressed: Make, save: Save) -> None:
    bomb = rle_frame(b"\x81\x00" * (5 << 20))
    path = save(make_compressed([bomb], GREY, "MONOCHROME2", RLELossless))
    with DicomFrameReader(path) as clip, pytest.raises(SourceError):
        clip.picture(0)


def test_rle_with_more_than_its_pixels_is_damaged(make_compressed: Make, save: Save) -> None:
    pixels = 48 * 64
    padded = rle_frame(b"\x81\x07" * (pixels // 128) + b"\x00\x07")
    damaged = rle_frame(b"\x81\x07" * (pixels // 128 + 2))
    frames = [padded, damaged, padded]
    like = np.repeat(GREY, 3, axis=0)
    with DicomFrameReader(save(make_compressed(frames, like, "MONOCHROME2", RLELossless))) as clip:
        assert (clip.picture(0) == 7).all()
        with pytest.raises(SourceError, match="more than its pixels"):
            clip.picture(1)
        assert (clip.picture(2) == 7).all()


@pytest.mark.skipif(ABSENT, reason="no JPEG-LS decoder is installed: pip install '.[dicom]'")
@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEGLSNearLossless], ids=lambda uid: uid.name)
def test_a_damaged_deep_frame_is_not_the_lack_of_a_decoder(syntax: Any, make_compressed: Make, save: Save) -> None:
    like = np.zeros((1, 48, 64), np.uint16)
    with DicomFrameReader(save(make_compressed([b"\xff\xd8\xff\xf7junk"], like, "MONOCHROME2", syntax))) as clip:
        with pytest.raises(SourceError, match="broken or cut short") as caught:
            clip.picture(0)
        assert not isinstance(caught.value, NoDecoderError)


def test_which_plugin_decodes_is_not_left_to_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> bytes:
        raise AssertionError("a plugin that happens to be installed was asked")

    for syntax in (RLELossless, JPEGLSLossless, JPEG2000):
        decoder = get_decoder(syntax)
        others = dict.fromkeys(("aaa", "gdcm", "pillow", "pylibjpeg", "zzz"), never)
        ours = {name: found for name, found in decoder._available.items() if name == "pydicom"}
        monkeypatch.setattr(decoder, "_available", others | ours)
    layout = codecs_layout(rows=2, columns=64)
    samples, _ = decode_with_pydicom(rle_frame(b"\x81\x05"), layout, RLELossless)
    assert (samples == 5).all()
    with pytest.raises(NoDecoderError, match="JPEG-LS"):  # others would decode it, but not ours
        require_plugin(JPEGLSLossless)


def codecs_layout(rows: int, columns: int) -> Any:
    from edge.dicom.pixel_layout import PixelLayout

    return PixelLayout(rows, columns, 1, 1, "MONOCHROME2", 8, 8, 7, False, 0)


@pytest.mark.parametrize("syntax", [MPEG4HP41, RLELossless], ids=lambda uid: uid.name)
def test_what_cannot_be_decoded_is_not_read(
    syntax: Any, make_compressed: Make, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> bytes:
        raise AssertionError("it was read")

    path = save(make_compressed([bytes(70_000)], GREY, "MONOCHROME2", syntax))
    monkeypatch.setattr(frame_reader, "read_fragments", never)
    monkeypatch.setattr(codecs, "MAX_COMPRESSED_FRAME", 65_536)
    with DicomFrameReader(path) as clip, pytest.raises(SourceError):
        clip.picture(0)


def test_jpeg_2000_of_many_tiles_or_samples_leaves_this_process(
    make_compressed: Make, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    coded = jpeg2000_codestream(jpeg2000(np.repeat(GREY[0][..., None], 3, axis=2)))
    info = read_jpeg2000_header(coded)
    assert info is not None
    assert info.tiles == 1
    tiny = coded[:24] + struct.pack(">LL", 1, 1) + coded[32:]  # tiles of one pixel
    info = read_jpeg2000_header(tiny)
    assert info is not None
    assert info.tiles == 48 * 64
    asked: list[str] = []
    monkeypatch.setattr(codecs.decoder_process, "call", lambda function, *_, **__: asked.append(function.__name__))
    like = np.zeros((1, 48, 64, 3), np.uint8)
    with DicomFrameReader(save(make_compressed([tiny], like, "RGB", JPEG2000))) as clip, pytest.raises(TypeError):
        clip.picture(0)
    assert asked == ["decode_anything"]


def test_large_jpeg_2000_gives_the_same_pixels_there(
    make_compressed: Make, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (2, 48, 64, 3), np.uint8)
    path = save(make_compressed([jpeg2000(frame) for frame in colours], colours, "RGB", JPEG2000))
    with DicomFrameReader(path) as clip:
        here = [clip.picture(index) for index in range(2)]
        monkeypatch.setattr(codecs, "MAX_IN_PROCESS_JPEG2000", 0)
        there = [clip.picture(index) for index in range(2)]
    np.testing.assert_array_equal(here, there)


def test_frames_that_would_take_too_much_are_refused_by_their_header(make_dataset: Make, save: Save) -> None:
    for rows, columns, bits, reads in ((3072, 4096, 16, True), (8000, 8000, 8, False), (3072, 4096, 32, True)):
        frame = np.zeros((1, 4, 4), np.uint8)
        data = make_dataset(frame, "MONOCHROME2", Rows=rows, Columns=columns, BitsAllocated=bits, BitsStored=bits)
        path = save(data)
        with path.open("r+b") as file:  # a hole in the file, as long as the frame: its length stands 16 bytes before
            at = path.stat().st_size - 20
            file.seek(at)
            file.write(struct.pack("<L", rows * columns * bits // 8))
            file.truncate(at + 4 + rows * columns * bits // 8)
        with DicomFrameReader(path) as clip:
            if reads:
                assert clip.picture(0).shape == (rows, columns)
            else:
                with pytest.raises(SourceError, match="million pixels") as caught:
                    clip.picture(0)
                assert caught.value.reason == "too_large"


def test_large_frames_are_converted_in_bands_to_the_same_pixels() -> None:
    height, width = 700, 2000
    assert height * width > BAND_PIXELS
    rng = np.random.default_rng(0)
    ranges: list[tuple[int, int]] = []

    def stretch(samples: NDArray[Any], photometric: str) -> NDArray[np.uint8]:
        if not ranges:
            ranges.append((int(samples.min()), int(samples.max())))
        low, high = ranges[0]
        return ((samples.astype(np.int64) - low) * 255 // max(1, high - low)).astype(np.uint8)

    for dtype in (np.uint8, np.uint16, np.int16, np.int32):
        samples = rng.integers(-50 if dtype in (np.int16, np.int32) else 0, 120, (height, width)).astype(dtype)
        samples[-1, -1] = 127  # the brightest is in the last band
        for order in (samples, np.asfortranarray(samples)):
            ranges.clear()
            whole = stretch(samples, "")
            if dtype != np.uint8:  # of 8 bits nothing is stretched
                ranges.clear()
            np.testing.assert_array_equal(convert_in_bands(stretch, order, ""), whole)


def test_countless_fragments_are_refused(make_compressed: Make, save: Save) -> None:
    data = make_compressed([b"12"], GREY, "MONOCHROME2", JPEG2000)
    item = struct.pack("<HHL", 0xFFFE, 0xE000, 0)
    data.PixelData = item * 200_002 + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    with pytest.raises(SourceError, match="fragments"):
        DicomFrameReader(save(data))


# --- deflated files --------------------------------------------------------------------------------------------------


def test_a_deflated_file_that_says_it_is_huge_is_refused_at_once(make_dataset: Make, save: Save) -> None:
    path = save(make_dataset(np.zeros((2, 48, 64), np.uint8), "MONOCHROME2", DeflatedExplicitVRLittleEndian))
    plain = save(make_dataset(np.zeros((2, 48, 64), np.uint8), "MONOCHROME2", ExplicitVRLittleEndian)).read_bytes()
    start = plain.index(struct.pack("<HH", 8, 0x16))
    data = bytearray(plain[start:])
    at = data.rindex(b"\xe0\x7f\x10\x00OB")
    data[at + 8 : at + 12] = struct.pack("<L", 0xFFFFFFF0)
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    coded = path.read_bytes()
    meta_length = struct.unpack("<L", coded[140:144])[0]
    path.write_bytes(coded[: 144 + meta_length] + packer.compress(bytes(data)) + packer.flush())
    with pytest.raises(SourceError, match="as it says itself") as caught:
        DicomFrameReader(path)
    assert caught.value.reason == "too_large"


def test_a_deflated_cine_is_read_in_flat_memory(make_dataset: Make, save: Save) -> None:
    frames = np.stack([np.full((400, 500), value, np.uint8) for value in range(60)])
    path = save(make_dataset(frames, "MONOCHROME2", DeflatedExplicitVRLittleEndian))
    tracemalloc.start()
    with DicomFrameReader(path) as clip:
        assert clip.frames == 60
        assert [int(clip.picture(index)[0, 0]) for index in range(60)] == list(range(60))
        assert clip.picture(3)[5, 5] == 3, "and back"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20, "the file has 12 MB"


def test_an_inflated_stream_reads_as_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    data = np.random.default_rng(0).integers(0, 4, 700_000, np.uint8).tobytes()
    packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    coded = io.BytesIO(b"before" + packer.compress(data) + packer.flush())
    stream, like = InflatedStream(coded, 6, b"head"), io.BytesIO(b"head" + data)  # type: ignore[arg-type]
    for step in (
        ("read", 3), ("read", 5), ("seek", 600_000), ("read", 100), ("seek", 10), ("read", 300_000), ("tell",),
        ("seek", -7, io.SEEK_END), ("read", 50), ("seek", 2, io.SEEK_CUR), ("read", 5), ("seek", 0), ("read",),
    ):  # fmt: skip
        assert getattr(stream, step[0])(*step[1:]) == getattr(like, step[0])(*step[1:]), step
    monkeypatch.setattr(bounded_streams, "MAX_READ", 1000)
    stream.seek(0)
    with pytest.raises(SourceError, match="one piece"):
        stream.read(5000)


# --- headers and palettes --------------------------------------------------------------------------------------------


def test_a_header_of_huge_or_countless_elements_is_refused(make_dataset: Make, save: Save) -> None:
    path = save(make_dataset(GREY, "MONOCHROME2", ExtendedOffsetTable=bytes(3 << 20)))
    with pytest.raises(SourceError, match="header"):
        DicomFrameReader(path)
    stream = HeaderStream(io.BytesIO(bytes(10)))  # type: ignore[arg-type]
    for _ in range(bounded_streams.MAX_HEADER_READS):
        stream.read(0)
    with pytest.raises(SourceError, match="header"):
        stream.read(0)


def test_a_large_element_that_is_not_ours_does_no_harm(make_dataset: Make, save: Save) -> None:
    data = make_dataset(GREY, "MONOCHROME2")
    data.private_block(0x21, "ACME", create=True).add_new(1, "OB", bytes(5 << 20))
    with DicomFrameReader(save(data)) as clip:
        assert clip.picture(0).shape == (48, 64)


@pytest.mark.parametrize(
    "words",
    [
        [0, 1, 5, *[1, 65535, 9] * 1000],  # linear segments of 65,535 entries
        [0, 1, 5, 1, 60000, 9, *[2, 2, 0, 0] * 1000],  # repeats of repeats
        [0, 1, 5, 2, 9, 3, 0],  # a repeat that begins with itself
        [7, 1, 1, 1],
    ],
)
def test_palettes_that_expand_without_end(words: list[int]) -> None:
    with pytest.raises(ValueError, match="palette"):
        check_segmented_palette(struct.pack(f"<{len(words)}H", *words), 16)
    eight = bytes(word & 0xFF for word in words)
    if words[0] == 7:
        with pytest.raises(ValueError, match="palette"):
            check_segmented_palette(eight, 8)


def test_a_palette_of_segments_that_fits() -> None:
    check_segmented_palette(struct.pack("<13H", 0, 2, 5, 6, 1, 250, 9, 2, 1, 0, 0, 0, 0), 16)


def test_a_jpeg_of_countless_segments_is_broken() -> None:
    from edge.images.jpeg import MAX_SEGMENTS, read_jpeg_header

    data = cv2.imencode(".jpg", np.zeros((8, 8), np.uint8))[1].tobytes()
    assert read_jpeg_header(data[:2] + b"\xff\xfe\x00\x02" * 100 + data[2:]) is not None
    assert read_jpeg_header(data[:2] + b"\xff\xfe\x00\x02" * (MAX_SEGMENTS + 1) + data[2:]) is None
