"""Deflated TIFF strips whose bytes changed but still inflate: their checksums tell."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from edge.contracts.errors import SourceError
from edge.images.headers import read_image_headers
from edge.sources.images import decode_image

if TYPE_CHECKING:
    from numpy.typing import NDArray

PICTURE = (np.arange(64 * 48).reshape(48, 64) % 251).astype(np.uint8)
PLAIN, OLD = 8, 32946


def tiff(strips: list[bytes], compression: int = 8, order: str = "<", tiled: bool = False) -> bytes:
    """A TIFF of 64 x 48 grey samples in strips of 16 rows, or in one tile of 64 x 48."""
    entries = [(256, 64), (257, 48), (258, 8), (259, compression), (262, 1), (277, 1)]
    entries += [(322, 64), (323, 48)] if tiled else [(278, 16)]
    far = 8 + 2 + 12 * (len(entries) + 2) + 4
    at = far + 8 * len(strips)
    starts = [at + sum(map(len, strips[:index])) for index in range(len(strips))]
    tables = struct.pack(f"{order}{2 * len(strips)}L", *starts, *map(len, strips))
    places = starts + [len(strip) for strip in strips] if len(strips) == 1 else [far, far + 4 * len(strips)]
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}LH", 8, len(entries) + 2)
    where = ((324, places[0]), (325, places[1])) if tiled else ((273, places[0]), (279, places[1]))
    rows = [(tag, 4, 1, value) for tag, value in entries] + [(tag, 4, len(strips), value) for tag, value in where]
    directory = b"".join(struct.pack(f"{order}HHLL", *row) for row in sorted(rows))
    return head + directory + struct.pack(f"{order}L", 0) + tables + b"".join(strips)


def strips(count: int, picture: NDArray[np.uint8] = PICTURE) -> list[bytes]:
    return [zlib.compress(part.tobytes()) for part in np.split(picture, count)]


def decode(data: bytes) -> NDArray[np.uint8]:
    (info,) = read_image_headers(data)
    return decode_image(data, info)


@pytest.mark.parametrize("compression", [PLAIN, OLD])
@pytest.mark.parametrize("order", ["<", ">"])
def test_sound_strips_and_tiles_are_read(compression: int, order: str) -> None:
    np.testing.assert_array_equal(decode(tiff(strips(3), compression, order)), PICTURE)
    np.testing.assert_array_equal(decode(tiff(strips(1), compression, order, tiled=True)), PICTURE)


@pytest.mark.parametrize("compression", [PLAIN, OLD])
@pytest.mark.parametrize("damaged", [0, 1, 2])
def test_a_strip_with_other_samples_than_its_checksum_says_is_refused(damaged: int, compression: int) -> None:
    """As stored blocks, whose samples may be anything."""
    parts = [bytearray(zlib.compress(part.tobytes(), 0)) for part in np.split(PICTURE, 3)]
    parts[damaged][200] ^= 0x10
    with pytest.raises(SourceError, match="checksum"):
        decode(tiff([bytes(part) for part in parts], compression))


def test_a_tile_is_checked_as_well() -> None:
    (part,) = strips(1)
    with pytest.raises(SourceError, match="checksum"):
        decode(tiff([part[:-1] + bytes((part[-1] ^ 1,))], tiled=True))


def test_bytes_behind_a_strip_do_no_harm() -> None:
    np.testing.assert_array_equal(decode(tiff([part + b"\0\0\0" for part in strips(3)])), PICTURE)


def test_a_strip_without_its_checksum_is_read() -> None:
    """All its samples are there, and nothing contradicts them."""
    np.testing.assert_array_equal(decode(tiff([part[:-4] for part in strips(3)])), PICTURE)


def test_what_opencv_writes_is_read() -> None:
    coded = cv2.imencode(".tif", PICTURE, [cv2.IMWRITE_TIFF_COMPRESSION, PLAIN])[1].tobytes()
    np.testing.assert_array_equal(decode(coded), PICTURE)
