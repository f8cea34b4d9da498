"""Small colour pictures, and the same as JPEG and JPEG 2000, for tests of decoders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def smooth_colours() -> NDArray[np.uint8]:
    """(3, 48, 64, 3) RGB: three frames, smooth, every corner another colour."""
    y, x = np.mgrid[0:48, 0:64]
    frames = [np.stack([x * 4, y * 5, 255 - x * 2 - y * 2], axis=-1) // (k + 1) + 10 * k for k in range(3)]
    return np.stack(frames).astype(np.uint8)


def jpeg(rgb: NDArray[np.uint8], quality: int = 95) -> bytes:
    """A JFIF file in YCbCr of (H, W, 3) RGB, or a grey one of (H, W)."""
    picture = rgb if rgb.ndim == 2 else cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return data.tobytes()


def jpeg2000(rgb: NDArray[np.uint8]) -> bytes:
    """A JP2 file, lossless, of (H, W, 3) RGB."""
    done, data = cv2.imencode(
        ".jp2", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000]
    )
    assert done
    return data.tobytes()
