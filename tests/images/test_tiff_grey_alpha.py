"""Grey TIFF with opacity is laid over black, as Pillow has it, in every way that its samples may be stored."""

from __future__ import annotations

import io
import struct
import zlib
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from picture_variants import GREY, HEIGHT, OPACITY, WIDTH, deep, tiff

from edge.contracts.errors import SourceError
from edge.images.headers import read_image_headers
from edge.images.orientation import apply_orientation
from edge.images.picture import decode_samples
from edge.sources.images import decode_image

if TYPE_CHECKING:
    from numpy.typing import NDArray

BOTH = np.dstack([GREY, OPACITY])
OVER_BLACK = ((GREY.astype(int) * OPACITY + 127) // 255).astype(np.uint8)


def decoded(data: bytes) -> NDArray[np.uint8]:
    (info,) = read_image_headers(data)
    assert "over black" in decode_samples(data, info)[1][0]
    return decode_image(data, info)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
@pytest.mark.parametrize("predictor", [1, 2])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_as_pillow_reads_it(compression: str, predictor: int, orientation: int) -> None:
    image_module = pytest.importorskip("PIL.Image", reason="needs Pillow, of the extra dev")
    out, info = io.BytesIO(), {274: orientation}
    if compression in ("tiff_lzw", "tiff_adobe_deflate"):
        info[317] = predictor
    image_module.fromarray(BOTH, "LA").save(out, "TIFF", compression=compression, tiffinfo=info)
    image: Any = image_module.open(io.BytesIO(out.getvalue()))
    assert image.mode == "LA"
    np.testing.assert_array_equal(np.asarray(image)[:, :, 0], apply_orientation(GREY, orientation))
    np.testing.assert_array_equal(decoded(out.getvalue()), apply_orientation(OVER_BLACK, orientation))


def test_samples_that_are_over_black_already() -> None:
    data = tiff(8, 1, np.dstack([OVER_BLACK, OPACITY]).tobytes(), (338, 3, 1, 1), samples=2)
    np.testing.assert_array_equal(decoded(data), OVER_BLACK)


def test_16_bits() -> None:
    data = tiff(16, 1, deep(BOTH).tobytes(), (338, 3, 1, 2), samples=2)
    assert np.abs(decoded(data).astype(int) - OVER_BLACK).max() <= 1


def test_planes() -> None:
    size = HEIGHT * WIDTH
    data = bytearray(tiff(8, 1, GREY.tobytes() + OPACITY.tobytes(), (284, 3, 1, 2), (338, 3, 1, 2), samples=2))
    places = len(data)
    first = places - 2 * size
    for tag, values in ((273, (first, first + size)), (279, (size, size))):  # two strips instead of one
        entry = data.index(tag.to_bytes(2, "little") + b"\4\0\1\0\0\0")
        data[entry + 4 : entry + 12] = (2).to_bytes(4, "little") + len(data).to_bytes(4, "little")
        data += b"".join(value.to_bytes(4, "little") for value in values)
    np.testing.assert_array_equal(decoded(bytes(data)), OVER_BLACK)


def tiled(samples: NDArray[np.uint8], predictor: int) -> bytes:
    """A deflated TIFF of grey and opacity in tiles of 64 x 64."""
    height, width = samples.shape[:2]
    padded = np.pad(samples, ((0, -height % 64), (0, -width % 64), (0, 0)))
    tiles = []
    for y in range(0, height, 64):
        for x in range(0, width, 64):
            tile = padded[y : y + 64, x : x + 64].copy()
            if predictor == 2:
                tile[:, 1:] -= tile[:, :-1].copy()
            tiles.append(zlib.compress(tile.tobytes()))
    starts = list(accumulate((len(tile) for tile in tiles), initial=1000))[:-1]
    tables = struct.pack(f"<{2 * len(tiles)}L", *starts, *(len(tile) for tile in tiles))
    entries = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 2, 8 << 16 | 8), (259, 3, 1, 8), (262, 3, 1, 1)]
    entries += [(277, 3, 1, 2), (317, 3, 1, predictor), (322, 3, 1, 64), (323, 3, 1, 64)]
    entries += [(324, 4, len(tiles), 500), (325, 4, len(tiles), 500 + 4 * len(tiles)), (338, 3, 1, 2)]
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHLL", *entry) for entry in entries)
    head = b"II*\0" + struct.pack("<L", 8) + directory + bytes(4)
    return (head.ljust(500, b"\0") + tables).ljust(1000, b"\0") + b"".join(tiles)


@pytest.mark.parametrize("predictor", [1, 2])
def test_tiles(predictor: int) -> None:
    data = tiled(np.tile(BOTH, (3, 3, 1)), predictor)
    np.testing.assert_array_equal(decoded(data), np.tile(OVER_BLACK, (3, 3)))


def test_an_end_that_is_missing_is_noticed() -> None:
    out = tiled(np.tile(BOTH, (3, 3, 1)), 2)
    with pytest.raises(SourceError):
        decoded(out[:-50])
    damaged = out[:1100] + bytes(40) + out[1140:]
    with pytest.raises(SourceError, match="damaged"):
        decoded(damaged)
