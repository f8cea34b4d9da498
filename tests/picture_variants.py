"""Picture files of every variant that programs write, made by hand or by Pillow, for the matrix of the decoders."""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

_Y, _X = np.mgrid[0:48, 0:61]
GREY = ((_X * 3 + _Y) % 200 + 20).astype(np.uint8)
GREY[:8, :8], GREY[-8:, -4:] = 0, 255
"""(48, 61): no side of it is like another, rows are padded in most formats."""
RGB = np.stack([_X * 4, _Y * 5, 255 - _X * 2 - _Y * 2], axis=-1).astype(np.uint8)
OPACITY = np.where(_X < 32, 255, 90).astype(np.uint8)
HEIGHT, WIDTH = GREY.shape


def packed(row: Sequence[int] | NDArray[Any], bits: int) -> bytes:
    """Samples of ``bits`` bits, the first in the highest."""
    text = "".join(format(int(value), f"0{bits}b") for value in row)
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big")


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">L", len(data)) + name + data + struct.pack(">L", zlib.crc32(name + data))


def png(bits: int, colour: int, samples: NDArray[Any], extra: bytes = b"", interlaced: bool = False) -> bytes:
    """A PNG of 8 or 16-bit samples, or packed grey or palette ones."""

    def lines(part: NDArray[Any]) -> bytes:
        if bits < 8:
            return b"".join(b"\0" + packed(row, bits) for row in part)
        return b"".join(b"\0" + row.astype(">u2" if bits == 16 else "u1").tobytes() for row in part)

    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    raw = b"".join(lines(samples[y::dy, x::dx]) for x, y, dx, dy in passes) if interlaced else lines(samples)
    head = struct.pack(">LLBBBBB", samples.shape[1], samples.shape[0], bits, colour, 0, 0, interlaced)
    end = chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + end


def deep(samples: NDArray[Any]) -> NDArray[np.uint16]:
    """8-bit samples spread over 16 bits."""
    return samples.astype(np.uint16) * 257


def exif(orientation: int) -> bytes:
    return b"MM\0*\0\0\0\x08" + struct.pack(">HHHLHHL", 1, 0x0112, 3, 1, orientation, 0, 0)


def png_variants() -> dict[str, bytes]:
    made = {}
    grey_alpha, rgb_alpha = np.dstack([GREY, OPACITY]), np.dstack([RGB, OPACITY])
    for bits in (1, 2, 4, 8):
        few = GREY >> (8 - bits)
        colours = chunk(b"PLTE", bytes(i * 37 % 256 for i in range(3 << bits)))
        made[f"grey {bits}"] = png(bits, 0, few)
        made[f"grey {bits}, colour key"] = png(bits, 0, few, chunk(b"tRNS", struct.pack(">H", 1)))
        made[f"palette {bits}"] = png(bits, 3, few, colours)
        made[f"palette {bits}, opacity"] = png(bits, 3, few, colours + chunk(b"tRNS", bytes([0, 128])))
    for name, samples, colour in (
        ("grey", GREY, 0),
        ("rgb", RGB, 2),
        ("grey+a", grey_alpha, 4),
        ("rgba", rgb_alpha, 6),
    ):
        made[f"{name} 8"] = png(8, colour, samples)
        made[f"{name} 16"] = png(16, colour, deep(samples))
        made[f"{name} interlaced"] = png(8, colour, samples, interlaced=True)
        made[f"{name} gamma"] = png(8, colour, samples, chunk(b"gAMA", struct.pack(">L", 100_000)))
    key = struct.pack(">HHH", *(int(value) for value in RGB[5, 5]))
    made["rgb, colour key"] = png(8, 2, RGB, chunk(b"tRNS", key))
    made["rgb 16, colour key"] = png(16, 2, deep(RGB), chunk(b"tRNS", struct.pack(">HHH", 257, 257, 257)))
    for orientation in range(1, 9):
        made[f"rgb, orientation {orientation}"] = png(8, 2, RGB, chunk(b"eXIf", exif(orientation)))
        made[f"grey, orientation {orientation}"] = png(8, 0, GREY, chunk(b"eXIf", exif(orientation)))
    return made


def bmp(bits: int, rows: Sequence[bytes], **header: Any) -> bytes:
    """A BMP; ``header``: height, compression, palette, masks, size of the header, colours used."""
    height, size = header.get("height", HEIGHT), header.get("size", 40)
    palette, masks = header.get("palette", b""), header.get("masks", b"")
    data = b"".join(row + bytes(-len(row) % 4) for row in rows) if not header.get("raw") else b"".join(rows)
    if size == 12:
        head = struct.pack("<LHHHH", 12, WIDTH, height, 1, bits)
    else:
        fields = (size, WIDTH, height, 1, bits, header.get("compression", 0), len(data), 0, 0, header.get("used", 0), 0)
        head = struct.pack("<LllHHLLllLL", *fields) + (masks if size > 40 else b"")
    head = head.ljust(size, b"\0") + (masks if size == 40 else b"") + palette
    return b"BM" + struct.pack("<LLL", 14 + len(head) + len(data), 0, 14 + len(head)) + head + data


def run_lengths(rows: NDArray[Any], bits: int) -> bytes:
    """Runs, and stretches without any, of each row."""
    out = b""
    for row in rows:
        at = 0
        while at < len(row):
            run = 1
            while run < min(255, len(row) - at) and row[at + run] == row[at]:
                run += 1
            if run > 1 or len(row) - at < 3:
                out += bytes([run, row[at] if bits == 8 else row[at] * 17])
                at += run
            else:
                count = min(9, len(row) - at)
                part = row[at : at + count]
                coded = part.tobytes() if bits == 8 else packed(part, 4)
                out += bytes([0, count]) + coded + bytes(len(coded) % 2)
                at += count
        out += b"\0\0"
    return out + b"\0\1"


def bmp_variants() -> dict[str, bytes]:
    made = {}
    upward, colours = GREY[::-1], RGB[::-1, :, ::-1]
    for bits in (1, 4, 8):
        few = upward >> (8 - bits)
        rows = [packed(row, bits) for row in few]
        four = b"".join(bytes([i * 53 % 256, i * 91 % 256, i * 17 % 256, 0]) for i in range(1 << bits))
        three = b"".join(four[at : at + 3] for at in range(0, len(four), 4))
        made[f"palette {bits}"] = bmp(bits, rows, palette=four)
        made[f"palette {bits}, from the top"] = bmp(bits, rows[::-1], palette=four, height=-HEIGHT)
        made[f"palette {bits}, OS/2"] = bmp(bits, rows, palette=three, size=12)
        made[f"palette {bits}, OS/2 2"] = bmp(bits, rows, palette=four, size=64)
        if bits > 1:
            coded = [run_lengths(few, bits)]
            made[f"run lengths {bits}"] = bmp(bits, coded, palette=four, compression=3 - bits // 4, raw=True)
            flat = [run_lengths(few // 4 * 4, bits)]
            made[f"long runs {bits}"] = bmp(bits, flat, palette=four, compression=3 - bits // 4, raw=True)
    greys = b"".join(bytes([i, i, i, 0]) for i in range(256))
    made["grey 8"] = bmp(8, [row.tobytes() for row in upward], palette=greys)
    made["grey run lengths"] = bmp(8, [run_lengths(upward, 8)], palette=greys, compression=1, raw=True)
    made["few colours"] = bmp(8, [(row // 20).tobytes() for row in upward], palette=greys[: 14 * 4 * 13], used=14)
    rows = [row.tobytes() for row in colours]
    made["rgb 24"] = bmp(24, rows)
    made["rgb 24, from the top"] = bmp(24, rows[::-1], height=-HEIGHT)
    made["rgb 24, OS/2"] = bmp(24, rows, size=12)
    made["rgb 24, version 5"] = bmp(24, rows, size=124)
    padded = np.dstack([colours, np.zeros_like(upward)])
    made["rgb 32"] = bmp(32, [row.tobytes() for row in padded])
    red, green, blue = (RGB[::-1, :, i].astype(np.uint16) >> 3 for i in range(3))
    made["rgb 555"] = bmp(16, [row.astype("<u2").tobytes() for row in red << 10 | green << 5 | blue])
    wide = RGB[::-1, :, 1].astype(np.uint16) >> 2
    masks = struct.pack("<LLL", 0xF800, 0x7E0, 0x1F)
    made["rgb 565"] = bmp(
        16, [row.astype("<u2").tobytes() for row in red << 11 | wide << 5 | blue], masks=masks, compression=3
    )
    return made


def tiff(bits: int, photometric: int, data: bytes, *entries: tuple[int, int, int, int], samples: int = 1) -> bytes:
    """A TIFF of one strip; further ``entries`` as (tag, type, count, value)."""
    found = [
        *((256, 4, 1, WIDTH), (257, 4, 1, HEIGHT), (258, 3, 1, bits), (259, 3, 1, 1), (262, 3, 1, photometric)),
        *((277, 3, 1, samples), (278, 4, 1, HEIGHT), (279, 4, 1, len(data)), *entries),
    ]
    start = 8 + 2 + 12 * (len(found) + 1) + 4
    found = sorted([*found, (273, 4, 1, start)])
    body = b"".join(struct.pack("<HHLL", *entry) for entry in found)
    return b"II*\0" + struct.pack("<LH", 8, len(found)) + body + bytes(4) + data


def by_pillow(save: Callable[[Any, io.BytesIO], None], samples: NDArray[Any], mode: str | None = None) -> bytes:
    from PIL import Image

    image, out = Image.fromarray(samples), io.BytesIO()
    save(image if mode is None else image.convert(mode), out)
    return out.getvalue()


def tiff_variants() -> dict[str, bytes]:
    made = {}
    for name in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        for kind, samples in (("grey", GREY), ("rgb", RGB)):
            made[f"{kind}, {name}"] = by_pillow(
                lambda image, out, name=name: image.save(out, "TIFF", compression=name), samples
            )
    for mode, kind in (("1", "bits"), ("CMYK", "CMYK"), ("YCbCr", "YCbCr"), ("P", "palette")):
        made[kind] = by_pillow(lambda image, out: image.save(out, "TIFF"), RGB, mode)
    made["fax"] = by_pillow(lambda image, out: image.save(out, "TIFF", compression="group4"), GREY, "1")
    made["rgba"] = by_pillow(lambda image, out: image.save(out, "TIFF"), np.dstack([RGB, OPACITY]))
    made["big"] = by_pillow(lambda image, out: image.save(out, "TIFF", big_tiff=True), GREY)
    for orientation in range(1, 9):
        made[f"orientation {orientation}"] = by_pillow(
            lambda image, out, o=orientation: image.save(out, "TIFF", tiffinfo={274: o}), RGB
        )
    made["white is zero"] = tiff(8, 0, (255 - GREY).tobytes())
    made["reversed bits"] = tiff(8, 1, bytes(int(f"{v:08b}"[::-1], 2) for v in GREY.ravel()), (266, 3, 1, 2))
    made["predictor"] = by_pillow(
        lambda image, out: image.save(out, "TIFF", compression="tiff_lzw", tiffinfo={317: 2}), GREY
    )
    return made


def jpeg_variants() -> dict[str, bytes]:
    made = {"grey": by_pillow(lambda image, out: image.save(out, "JPEG"), GREY)}
    for shared in (0, 1, 2):
        made[f"rgb, subsampling {shared}"] = by_pillow(
            lambda image, out, s=shared: image.save(out, "JPEG", subsampling=s), RGB
        )
    made["progressive"] = by_pillow(lambda image, out: image.save(out, "JPEG", progressive=True), RGB)
    made["CMYK"] = by_pillow(lambda image, out: image.save(out, "JPEG"), RGB, "CMYK")
    made["not converted"] = by_pillow(lambda image, out: image.save(out, "JPEG", keep_rgb=True), RGB)
    for orientation in range(1, 9):
        made[f"orientation {orientation}"] = by_pillow(
            lambda image, out, o=orientation: image.save(out, "JPEG", exif=b"Exif\0\0" + exif(o)), RGB
        )
    return made
