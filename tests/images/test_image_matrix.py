"""Every variant of PNG, BMP, TIFF and JPEG is read as Pillow reads it, or refused with a reason."""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import picture_variants as variants
import pytest
from picture_variants import GREY, RGB, deep, packed, png, tiff

from edge.contracts.errors import SourceError
from edge.images.headers import read_image_file, read_image_headers
from edge.images.orientation import apply_orientation
from edge.images.picture import decode_samples
from edge.sources.images import decode_image

if TYPE_CHECKING:
    from numpy.typing import NDArray

PIL = pytest.importorskip("PIL", reason="needs Pillow, of the extra dev")


def as_pillow(data: bytes) -> NDArray[Any]:
    """(H, W) or (H, W, 3): upright, opacity over black, colour keys as they are; 16 bits as 8."""
    from PIL import Image, ImageOps

    image: Any = Image.open(io.BytesIO(data))
    by_entry = image.mode == "P" and "transparency" in image.info
    image = ImageOps.exif_transpose(image)
    if by_entry or image.mode in ("RGBA", "LA", "PA"):
        under = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(under, image.convert("RGBA")).convert("RGB")
    elif image.mode.startswith("I;16"):
        return np.asarray(image) >> 8
    elif image.mode != "L":
        image = image.convert("L" if image.mode == "1" else "RGB")
    return np.asarray(image)


def decoded(data: bytes) -> NDArray[np.uint8]:
    (info,) = read_image_headers(data)
    return decode_image(data, info)


def in_colour(picture: NDArray[Any]) -> NDArray[Any]:
    return (picture if picture.ndim == 3 else np.stack([picture] * 3, axis=-1)).astype(int)


OLD_PILLOW = int(PIL.__version__.partition(".")[0]) < 13
PILLOW_13_ALONE = {"BMP run lengths 4", "BMP long runs 4", "TIFF YCbCr"}
"""Variants that Pillow reads rightly from 13 on, which Python 3.10 cannot have."""


def variant(name: str, data: bytes, most: int) -> Any:
    """One parameter set of the matrix."""
    old = pytest.mark.skipif(OLD_PILLOW and name in PILLOW_13_ALONE, reason="Pillow before 13 reads it wrongly")
    return pytest.param(data, most, id=name, marks=old)


VARIANTS = [
    variant(f"{kind} {name}", data, most)
    for kind, made, most in (
        ("PNG", variants.png_variants(), 1),
        ("BMP", variants.bmp_variants(), 1),
        ("TIFF", variants.tiff_variants(), 1),
        ("JPEG", variants.jpeg_variants(), 2),
    )
    for name, data in made.items()
]


@pytest.mark.parametrize(("data", "most"), VARIANTS)
def test_it_is_read_as_pillow_reads_it(data: bytes, most: int) -> None:
    ours, theirs = decoded(data), as_pillow(data)
    assert ours.flags.c_contiguous
    assert in_colour(ours).shape == in_colour(theirs).shape
    assert np.abs(in_colour(ours) - in_colour(theirs)).max() <= most


def test_the_matrix_is_not_empty() -> None:
    assert len(VARIANTS) > 100


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_a_tiff_of_more_bits_whose_lowest_is_white(bits: int) -> None:
    """Pillow does not turn 16 bits round: checked by hand."""
    top = (1 << bits) - 1
    values = top - GREY.astype(int) * top // 255
    coded = values.astype("<u2").tobytes() if bits == 16 else b"".join(packed(row, bits) for row in values)
    assert np.abs(decoded(tiff(bits, 0, coded)).astype(int) - GREY).max() <= 1


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_a_tiff_of_packed_bits_is_scaled_by_them_however_dark(bits: int) -> None:
    dark = GREY // 8
    coded = b"".join(packed(row, bits) for row in dark.astype(int) << (bits - 8))
    np.testing.assert_array_equal(decoded(tiff(bits, 1, coded)), dark)


def colour_planes() -> bytes:
    """A TIFF of 16 bits by planes, of which OpenCV gives other memory."""
    planes = deep(RGB).astype("<u2")
    data = b"".join(planes[..., i].tobytes() for i in range(3))
    size, count = planes[..., 0].nbytes, 11
    start = 8 + 2 + 12 * count + 4
    arrays = start + len(data)
    entries = [
        *((256, 4, 1, RGB.shape[1]), (257, 4, 1, RGB.shape[0]), (258, 3, 3, arrays), (259, 3, 1, 1), (262, 3, 1, 2)),
        *((273, 4, 3, arrays + 6), (277, 3, 1, 3), (278, 4, 1, RGB.shape[0]), (279, 4, 3, arrays + 18)),
        *((284, 3, 1, 2), (339, 3, 1, 1)),
    ]
    body = b"".join(struct.pack("<HHLL", *entry) for entry in entries)
    tail = struct.pack("<HHH3L3L", 16, 16, 16, *(start + size * i for i in range(3)), *[size] * 3)
    return b"II*\0" + struct.pack("<LH", 8, count) + body + bytes(4) + data + tail


REFUSED = {
    "TIFF signed": (tiff(8, 1, GREY.tobytes(), (339, 3, 1, 2)), "signed"),
    "TIFF signed 16": (tiff(16, 1, deep(GREY).tobytes(), (339, 3, 1, 2)), "signed"),
    "TIFF float": (tiff(32, 1, GREY.astype("<f4").tobytes(), (339, 3, 1, 3)), "floating point"),
    "TIFF 32 bits": (tiff(32, 1, GREY.astype("<u4").tobytes()), "32 bits"),
    "TIFF 4 bits": (tiff(4, 1, b"".join(packed(row, 4) for row in GREY >> 4)), "4 bits"),
    "TIFF Lab": (tiff(8, 8, RGB.tobytes(), samples=3), "CIE Lab"),
    "TIFF 5 samples": (tiff(8, 2, np.dstack([RGB, GREY, GREY]).tobytes(), samples=5), "5 samples"),
    "TIFF planes of 16 bits": (colour_planes(), "colour planes"),
    "BMP as JPEG": (variants.bmp(24, [b"x" * 400], compression=4, raw=True), "compression 4"),
    "BMP of an unknown header": (variants.bmp(24, [b"x" * 20_000], size=44, raw=True), "kind"),
    "JPEG 12 bits": (variants.jpeg_variants()["grey"].replace(b"\xff\xc0\0\x0b\x08", b"\xff\xc0\0\x0b\x0c"), "12 bits"),
}


@pytest.mark.parametrize(("data", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_read_rightly_is_refused_with_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(SourceError, match=reason) as caught:
        decoded(data)
    assert caught.value.hint


def strip_of(data: bytes) -> tuple[int, int]:
    """Start and end of the last strip of a little endian TIFF."""
    (at,) = struct.unpack("<L", data[4:8])
    (count,) = struct.unpack("<H", data[at : at + 2])
    entries = [struct.unpack("<HHLL", data[e : e + 12]) for e in range(at + 2, at + 2 + 12 * count, 12)]
    found = {}
    for tag, kind, number, value in entries:
        code = {3: "H", 4: "L"}.get(kind, "")
        if tag in (273, 279):
            size = struct.calcsize(code)
            found[tag] = value if number == 1 else struct.unpack_from(f"<{code}", data, value + size * (number - 1))[0]
    return found[273], found[273] + found[279]


@pytest.mark.parametrize("name", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
@pytest.mark.parametrize("samples", [GREY, RGB, deep(GREY)], ids=["grey", "rgb", "grey 16"])
def test_a_damaged_strip_of_a_tiff_is_not_shown(name: str, samples: Any, capfd: pytest.CaptureFixture[str]) -> None:
    """Of the rest of such a strip OpenCV gives what the memory held, and True."""
    whole = variants.by_pillow(lambda image, out: image.save(out, "TIFF", compression=name), samples)
    start, end = strip_of(whole)
    middle = (start + end) // 2 if "deflate" not in name else start + 4
    with pytest.raises(SourceError, match=r"damaged|cannot be decoded"):
        decoded(whole[:middle] + (b"\0" if name == "packbits" else b"\xff") * (end - middle) + whole[end:])
    assert decoded(whole).shape == samples.shape, "the next one is not blamed for it"
    assert capfd.readouterr() == ("", "")


def test_a_tag_that_nobody_knows_is_no_damage() -> None:
    data = tiff(8, 1, GREY.tobytes(), (65_000, 3, 1, 7), (42_113, 2, 3, 0x303030))
    np.testing.assert_array_equal(decoded(data), GREY)


@pytest.mark.parametrize(
    ("data", "note"),
    [
        (png(8, 0, GREY, variants.chunk(b"tRNS", b"\0\x32")), "transparent"),
        (variants.png_variants()["rgba 8"], "over black"),
        (variants.png_variants()["palette 4, opacity"], "over black"),
        (variants.tiff_variants()["rgba"], "over black"),
        (tiff(8, 1, np.dstack([GREY, GREY]).tobytes(), (338, 3, 1, 2), samples=2), "over black"),
        (tiff(8, 1, np.dstack([GREY, np.full_like(GREY, 255)]).tobytes(), (338, 3, 1, 2), samples=2), None),
        (png(8, 6, np.dstack([RGB, np.full_like(GREY, 255)])), None),
        (png(8, 2, RGB), None),
    ],
)
def test_what_is_left_out_is_noted(data: bytes, note: str | None) -> None:
    (info,) = read_image_headers(data)
    notes = decode_samples(data, info)[1]
    assert (note is None) == (notes == ())
    assert note is None or note in notes[0]


def test_run_lengths_that_end_early_or_run_over() -> None:
    coded = variants.run_lengths(GREY[::-1], 8)
    greys = b"".join(bytes([i, i, i, 0]) for i in range(256))
    for cut in (5, 100, len(coded) // 2):
        with pytest.raises(SourceError, match="cut short"):
            decoded(variants.bmp(8, [coded[:-cut]], palette=greys, compression=1, raw=True))
    over = b"".join(b"\xff\x09\0\0" for _ in range(GREY.shape[0])) + b"\0\1"  # rows that are too long
    assert set(decoded(variants.bmp(8, [over], palette=greys, compression=1, raw=True)).ravel()) == {9}
    skip = b"\x05\x40\0\2\x03\x02\x04\xff\0\1"
    picture = decoded(variants.bmp(8, [skip], palette=greys, compression=1, raw=True))[::-1]
    assert picture[0, :5].tolist() == [64] * 5
    assert picture[2, 8:12].tolist() == [255] * 4
    assert np.count_nonzero(picture) == 9


def test_further_pictures_of_a_file_are_counted() -> None:
    one = variants.jpeg_variants()["grey"]
    for data, more in ((one, 0), (one * 2, 1), (one + bytes(500) + one + one, 2)):
        missing = read_image_file(data).missing
        assert (missing is None) == (more == 0)
        assert missing is None or missing.message.startswith(f"{more} more picture")
    thumbnail = one[:2] + b"\xff\xe1" + struct.pack(">H", len(one) + 2) + one + one[2:]
    assert read_image_file(thumbnail).missing is None


def test_further_pictures_behind_a_png_or_bmp_are_counted() -> None:
    one, other = png(8, 0, GREY), variants.jpeg_variants()["grey"]
    for data, more in (
        (one, 0),
        (one + bytes(99), 0),
        (one * 2, 1),
        (one + bytes(9) + one * 2, 3 - 1),
        (one + other, 1),
    ):
        missing = read_image_file(data).missing
        assert (missing is None) == (more == 0)
        assert missing is None or missing.message.startswith(f"{more} more picture")
        np.testing.assert_array_equal(decoded(data), GREY)
    bmp = variants.bmp_variants()["rgb 24"]
    for data, more in ((bmp, 0), (bmp + bytes(9), 0), (bmp * 3, 2), (bmp + bytes(3) + one, 1), (bmp + other, 1)):
        behind = read_image_file(data).missing
        assert (behind is None) == (more == 0)
        assert behind is None or behind.message.startswith(f"{more} more picture")
    missing = read_image_file(other + one).missing
    assert missing is not None
    assert missing.message.startswith("1 more picture of one file")


def test_a_jpeg_of_countless_segments_is_not_called_cut_short() -> None:
    one = variants.jpeg_variants()["grey"]
    comments = one[:2] + b"\xff\xfe\0\2" * 30_000 + one[2:]
    behind = one[:-2] + b"\xff\xfe\0\2" * 30_000 + one[-2:]
    fill = one[:2] + b"\xff" * 30_000 + one[2:]
    progressive = variants.jpeg_variants()["progressive"]
    between = progressive[:-2] + b"\xff\xfe\0\2" * 30_000 + progressive[-2:]
    for data in (comments, fill, between):
        with pytest.raises(SourceError, match="a JPEG of over 20000 segments is not read"):
            read_image_file(data)
    assert read_image_file(behind).pictures
    for data in (one[:-9], comments[:60_000], progressive[:-2]):
        with pytest.raises(SourceError, match="broken or cut short"):
            read_image_file(data)


def raw_profile(name: bytes, body: bytes) -> bytes:
    """A profile as ImageMagick writes it into a text."""
    return b"\n" + name + b"\n" + f"{len(body):8}".encode() + b"\n" + body.hex().encode() + b"\n"


def xmp(orientation: int, element: bool = False) -> bytes:
    said = f"<tiff:Orientation>{orientation}</tiff:Orientation>" if element else f'tiff:Orientation="{orientation}"'
    return f"<x:xmpmeta>{said}</x:xmpmeta>".encode()


@pytest.mark.parametrize("orientation", [1, 2, 3, 6, 8])
def test_the_orientation_in_the_text_of_a_png_is_followed(orientation: int) -> None:
    upright = apply_orientation(GREY, orientation)
    block = variants.exif(orientation)
    profile = raw_profile(b"exif", b"Exif\0\0" + block)
    for name, body in (
        (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(orientation)),
        (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(xmp(orientation, element=True))),
        (b"tEXt", b"XML:com.adobe.xmp\0" + xmp(orientation)),
        (b"zTXt", b"Raw profile type xmp\0\0" + zlib.compress(raw_profile(b"xmp", xmp(orientation)))),
        (b"tEXt", b"Raw profile type exif\0" + profile),
        (b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(profile)),
        (b"zTXt", b"Raw profile type APP1\0\0" + zlib.compress(profile)),
    ):
        np.testing.assert_array_equal(
            decoded(png(8, 0, GREY, variants.chunk(name, body))), upright, f"{name!r} {body!r}"
        )


def test_exif_counts_before_xmp_and_damaged_text_not_at_all() -> None:
    text = variants.chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(3))
    both = text + variants.chunk(b"eXIf", variants.exif(6))
    np.testing.assert_array_equal(decoded(png(8, 0, GREY, both)), apply_orientation(GREY, 6))
    for body in (
        b"XML:com.adobe.xmp",
        b"XML:com.adobe.xmp\0\1",
        b"XML:com.adobe.xmp\0\1\0\0\0zz",
        b"Comment\0\0" + xmp(3),
    ):
        np.testing.assert_array_equal(decoded(png(8, 0, GREY, variants.chunk(b"iTXt", body))), GREY)
    for body in (b"Raw profile type exif\0\0zz", b"Raw profile type exif\0\0" + zlib.compress(b"\nexif\n  9\nabc")):
        np.testing.assert_array_equal(decoded(png(8, 0, GREY, variants.chunk(b"zTXt", body))), GREY)
