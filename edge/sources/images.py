"""Image source, ``images:///file-or-folder``: decodes PNG, JPEG, BMP and TIFF files to frames.

What is decided here, so that a file always gives the same pixels:

- Grey stays (H, W), colour is (H, W, 3) RGB.
- 16 bits become 8 by leaving out the low ones that are beyond what a clip uses (`edge.images.sample_depth` has the
  rule). Scanners write 12 bits into 16; stretching each picture to its own maximum would make a clip flicker.
- Transparency is laid over black, as ultrasound's background is. Colour profiles and gamma do not count.
- The orientation that EXIF gives is followed: boxes refer to the picture as viewers show it.
- The pages of a TIFF are frames of one clip; of every other file the first picture is one frame.
- What is left out is told: further pictures as ``skipped``, anything else in the notes of the frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.config.file_kinds import IMAGE_SUFFIXES
from edge.contracts.errors import SourceError
from edge.contracts.frames import FrameOrigin, SourceEvent
from edge.images.headers import ImageInfo, read_image_file
from edge.images.limits import check_picture_size
from edge.images.picture import decode_samples, needed_depth, white_to_bright
from edge.images.sample_depth import DEPTHS, check_depth, probed_pages, to_8_bits
from edge.sources.file_source import FilePicture, FileSource, ends_thread, printable_path, skipped_event
from edge.sources.image_file import OpenImageFile

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.config.settings import StreamSettings
    from edge.config.uri import Uri


class ImagesSource(FileSource):
    """Source of the pictures of one file or folder, found by suffix; which format a file has, its bytes say."""

    def __init__(self, uri: Uri, stream: StreamSettings) -> None:
        """Read the URI. Raises `UsageError` for a parameter: there are none."""
        uri.expect()
        super().__init__(uri, stream)
        self._depths: dict[tuple[Path, int, int], int] = {}
        """Bits that 16-bit pictures of one folder and size use, as far as they were read."""

    def accepts(self, path: Path) -> bool:
        """Implement `FileSource.accepts`: by the suffix of its name."""
        return path.suffix.lower() in IMAGE_SUFFIXES

    def open(self) -> None:
        """Implement `Source.open`: find the files."""
        self._depths.clear()
        super().open()

    def pictures(self, path: Path) -> Generator[FilePicture | SourceEvent]:
        """Implement `FileSource.pictures`: one frame; of a TIFF, all pages. Grey or RGB, see `decode_image`."""
        with OpenImageFile(path, self.decode_timeout_s) as opened:
            file = opened.headers(read_image_file)
            deep = [info for info in file.pictures if isinstance(info, ImageInfo) and info.deep]
            depth, depth_notes = self._clip_depth(path, opened, deep) if len(deep) > 1 else (None, ())
            for index, info in enumerate(file.pictures):
                try:
                    if isinstance(info, SourceError):
                        raise info
                    before = self._depths.get(_series(path, info), 0)
                    pixels, used, notes = opened.picture(decode_picture, info, depth, before)
                except BaseException as error:  # whatever a decoder trips over: the other pages need not
                    if len(file.pictures) == 1 or ends_thread(error):
                        raise
                    yield skipped_event(path, error, f"page {index + 1} of {len(file.pictures)}")
                    continue
                if info.deep and depth is None:  # the only one: decoded once
                    _, depth_notes = self._depth(path, info, used)
                notes = (*file.notes, *notes, *depth_notes)
                still = len(file.pictures) == 1
                origin = FrameOrigin(path=printable_path(path), frame_index=index, still=still, notes=notes)
                yield FilePicture(pixels, media_ns=0 if still else None, origin=origin)
            if file.missing is not None:
                raise file.missing

    def _clip_depth(self, path: Path, opened: OpenImageFile, deep: Sequence[ImageInfo]) -> tuple[int, tuple[str, ...]]:
        """Bits that all 16-bit pages of a file use, see `_depth`."""
        return self._depth(path, deep[0], max(_page_depth(opened, deep[index]) for index in probed_pages(len(deep))))

    def _depth(self, path: Path, info: ImageInfo, needed: int) -> tuple[int, tuple[str, ...]]:
        """Bits that pictures like this one use, which needs ``needed``, with those before it; and what to say of it."""
        key = _series(path, info)
        before = self._depths.get(key)
        depth = self._depths[key] = max(needed, before or 0)
        if before is None or before == depth:
            return depth, ()
        return depth, (f"read as {depth} bits, those before it as {before}: brightness does not compare",)


def decode_image(data: bytes, info: ImageInfo, depth: int | None = None) -> NDArray[np.uint8]:
    """Decode one picture of an image file.

    Args:
        data: the bytes of the whole file.
        info: which picture, from `read_image_headers`.
        depth: bits that 16-bit samples use; None: as many as this picture needs.

    Returns:
        (H, W) grey or (H, W, 3) RGB, uint8.

    Raises:
        SourceError: too large, broken or damaged, of a kind that is not read, or with more bits than ``depth``.
    """
    return decode_picture(data, info, depth)[0]


def decode_picture(
    data: bytes, info: ImageInfo, depth: int | None = None, at_least: int = 0
) -> tuple[NDArray[np.uint8], int, tuple[str, ...]]:
    """Decode one picture of an image file, here or in the decoder process: as `decode_image`, with what to say of it.

    Args:
        data: as for `decode_image`.
        info: the same.
        depth: the same.
        at_least: bits that 16-bit samples use at least, where ``depth`` is None.

    Returns:
        The pixels as `decode_image` gives them, the bits that 16-bit samples were taken to use, and what was left out.

    Raises:
        SourceError: as `decode_image`.
    """
    check_picture_size(info.width, info.height)
    samples, notes = decode_samples(data, info)
    used = max(needed_depth(samples, info), at_least) if depth is None else depth
    if depth is not None:
        check_depth(samples, depth)
    return np.ascontiguousarray(white_to_bright(to_8_bits(samples, used), info)), used, notes


def picture_depth(data: bytes, info: ImageInfo) -> int:
    """Bits that the samples of one picture of an image file use. Raises `SourceError` as `decode_image`."""
    check_picture_size(info.width, info.height)
    return needed_depth(decode_samples(data, info)[0], info)


def _page_depth(opened: OpenImageFile, info: ImageInfo) -> int:
    """Bits that one page uses; the fewest for one that cannot be read, which is told when its turn comes."""
    try:
        return opened.picture(picture_depth, info)
    except BaseException as error:
        if ends_thread(error):
            raise
        return min(DEPTHS)


def _series(path: Path, info: ImageInfo) -> tuple[Path, int, int]:
    """Key of the pictures that one depth holds for: those of one folder and size."""
    return path.parent, info.width, info.height
