"""Image source, ``images:///file-or-folder``: decodes PNG, JPEG, BMP and TIFF files to frames.

What is decided here, so that a file always gives the same pixels:

- Grey stays (H, W), colour is (H, W, 3) RGB.
- 16 bits become 8 by leaving out the low ones that are beyond what the picture uses: its brightest value decides
  whether that is 10, 12 or 16 bits. Scanners write 12 bits into 16; stretching each picture to its own maximum would
  make a clip flicker.
- Transparency is laid over black, as ultrasound's background is.
- The orientation that a JPEG's EXIF gives is followed: boxes refer to the picture as viewers show it.
- The pages of a TIFF are frames of one clip; every other file is one frame.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.contracts.errors import SourceError
from edge.contracts.frames import FrameOrigin, SourceEvent
from edge.images.decode import decode_with_opencv
from edge.images.headers import SUFFIXES, read_image_headers, tiff_page
from edge.images.limits import check_picture_size
from edge.sources.file_source import FilePicture, FileSource, ends_thread, printable_path, skipped_event
from edge.sources.image_file import OpenImageFile

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path
    from typing import Any

    from numpy.typing import NDArray

    from edge.config.settings import StreamSettings
    from edge.config.uri import Uri
    from edge.images.headers import ImageInfo


class ImagesSource(FileSource):
    """Source of the pictures of one file or folder, found by suffix; which format a file has, its bytes say."""

    def __init__(self, uri: Uri, stream: StreamSettings) -> None:
        """Read the URI. Raises `UsageError` for a parameter: there are none."""
        uri.expect()
        super().__init__(uri, stream)

    def accepts(self, path: Path) -> bool:
        """Implement `FileSource.accepts`: by the suffix of its name."""
        return path.suffix.lower() in SUFFIXES

    def pictures(self, path: Path) -> Generator[FilePicture | SourceEvent]:
        """Implement `FileSource.pictures`: one frame; of a TIFF, all pages. Grey or RGB, see `decode_image`."""
        with OpenImageFile(path, self.decode_timeout_s) as file:
            pages = file.headers(read_image_headers)
            for index, info in enumerate(pages):
                try:
                    pixels = file.picture(decode_image, info)
                except BaseException as error:  # whatever a decoder trips over: the other pages need not
                    if ends_thread(error):
                        raise
                    event = skipped_event(path, error)
                    page = f"page {index + 1} of {len(pages)}: " if len(pages) > 1 else ""
                    yield replace(event, detail=page + event.detail)
                    continue
                origin = FrameOrigin(path=printable_path(path), frame_index=index)
                yield FilePicture(pixels, media_ns=0 if len(pages) == 1 else None, origin=origin)


def decode_image(data: bytes, info: ImageInfo) -> NDArray[np.uint8]:
    """Decode one picture of an image file.

    Args:
        data: the bytes of the whole file.
        info: which picture, from `read_image_headers`.

    Returns:
        (H, W) grey or (H, W, 3) RGB, uint8.

    Raises:
        SourceError: too large, broken or damaged.
    """
    check_picture_size(info.width, info.height)
    if info.kind == "tiff":
        data = tiff_page(data, info)
    # Only of a PNG is transparency wanted. The fourth byte of a BMP is not it, and the other flags follow EXIF.
    flags = cv2.IMREAD_UNCHANGED if info.kind == "png" else cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH
    image = decode_with_opencv(data, flags)
    if image is None or image.dtype not in (np.uint8, np.uint16):
        raise SourceError(f"a {info.kind.upper()} that cannot be decoded", hint="convert it to an 8-bit PNG")
    if image.ndim == 3 and image.shape[2] == 4:
        image = _over_black(image)
    if image.ndim == 3 and info.grey:
        image = image[:, :, 0]
    image = to_8_bits(image)
    return np.ascontiguousarray(image if image.ndim == 2 else image[:, :, ::-1])


def to_8_bits(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Convert uint8 or uint16 samples of any shape to uint8.

    uint8 stays as it is. Of uint16 8 bits are kept: the highest of the 8, 10, 12 or 16 that the brightest value needs.
    """
    if image.dtype == np.uint16:
        used = int(image.max()).bit_length()
        image = image >> next(bits - 8 for bits in (8, 10, 12, 16) if used <= bits)
    return image.astype(np.uint8, copy=False)


def _over_black(image: NDArray[Any]) -> NDArray[Any]:
    """Lay (H, W, 4) BGRA over black: (H, W, 3) BGR of the same dtype, in integers, rounded."""
    full = int(np.iinfo(image.dtype).max)
    if image[:, :, 3].min() == full:
        return image[:, :, :3]
    laid = np.empty((*image.shape[:2], 3), image.dtype)
    for row, target in zip(image, laid, strict=True):  # row by row: what lies between is four times as large
        opacity = row[:, 3:].astype(np.uint32)
        target[:] = (row[:, :3] * opacity + full // 2) // full
    return laid
