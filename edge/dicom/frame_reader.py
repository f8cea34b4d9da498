"""Reads the frames of a DICOM file, single or multi-frame (cine), one by one, never all of them in memory."""

from __future__ import annotations

import os
import struct
import threading
from contextlib import closing, suppress
from functools import partial
from typing import TYPE_CHECKING, cast

from pydicom.pixels import get_decoder

from edge.contracts.errors import SourceError
from edge.dicom.codecs import (
    UNCOMPRESSED,
    NoDecoderError,
    check_frame,
    decode_frame,
    no_decoder_error,
    opencv_can_decode,
    pydicom_options,
    require_decoder,
)
from edge.dicom.colour_conversion import ColourConverter
from edge.dicom.element_values import first_value
from edge.dicom.encapsulated_frames import index_frames, read_fragments
from edge.dicom.frame_origin import read_frame_origin
from edge.dicom.frame_times import frame_times
from edge.dicom.header import read_header
from edge.dicom.pixel_layout import SUBSAMPLED, read_pixel_layout
from edge.dicom.prefetch import batch_size, prefetch, thread_count
from edge.dicom.regions import read_regions
from edge.dicom.row_bands import convert_in_bands
from edge.dicom.sample_bits import place_samples
from edge.dicom.suppress_warnings import suppress_pydicom_warnings
from edge.images.limits import check_cost
from edge.process.regular_file import open_regular

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path
    from types import TracebackType
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray

    from edge.dicom.encapsulated_frames import Fragment

__all__ = ["DicomFrameReader", "NoDecoderError", "require_decodable"]


def require_decodable(path: Path) -> SourceError | None:
    """Raise `NoDecoderError` if the header of a file tells that none of its frames can be decoded here.

    Returns:
        What else is wrong with the header, for who reads the file to say; None: nothing, or it cannot be read now.
    """
    with suppress(OSError), os.fdopen(open_regular(path), "rb") as file:
        try:
            header = read_header(file)
            layout = read_pixel_layout(header)
        except SourceError as error:
            return error.with_traceback(None)
        require_decoder(layout, header.transfer_syntax)
    return None


class DicomFrameReader:
    """Open DICOM file that decodes its frames on request. Close it, or use it in ``with``."""

    def __init__(self, path: Path, *, grey: bool = False, timeout_s: float | None = None) -> None:
        """Open the file and read everything but the pixels.

        Args:
            path: the file.
            grey: give grey pictures, whatever it holds, and of JPEG frames decode no more than that.
            timeout_s: time limit in seconds for a frame that the decoder process decodes.

        Raises:
            OSError: the file cannot be read.
            SourceError: it is no DICOM, has no pixels, or says of them what cannot be.
        """
        self._file = os.fdopen(open_regular(path), "rb")
        try:
            self._header = read_header(self._file)
            self.layout = read_pixel_layout(self._header)
            elements = self._header.elements
            self.regions = read_regions(elements, self.layout.columns, self.layout.rows)
            self.origin = read_frame_origin(elements, str(path))
            self._fragments = self._index() if self._header.transfer_syntax.is_encapsulated else None
            self.frames = self._count()
            """Frames that are there; fewer than ``layout.frames`` if the file is cut short, more if that is wrong."""
            self.times = frame_times(elements, max(self.layout.frames, self.frames)) if self.frames else None
            """Nanoseconds since the first frame, by frame; None: the file does not say."""
            self._colours = ColourConverter(self._header, self.layout, grey=grey)
            self.notes = tuple(self._notes())
            """What is read otherwise than the file says, in words."""
            self._grey, self._timeout_s = grey, timeout_s
            self._reading = threading.Lock()
        except BaseException:
            self._file.close()
            raise

    def picture(self, index: int) -> NDArray[np.uint8]:
        """Decode frame ``index``, from 0: (H, W) grey or (H, W, 3) RGB, uint8.

        Raises:
            NoDecoderError: no frame of this file can be decoded here.
            SourceError: this frame is broken.
        """
        return self._finished(partial(self._decoded, index))

    def pictures(self) -> Generator[Callable[[], NDArray[np.uint8]]]:
        """Yield for every frame in turn a call that gives what `picture` gives or raises what it raises.

        Where it helps, the next frames are decoded meanwhile. Close it before the clip, or use `contextlib.closing`.
        """
        layout = self.layout
        pays = self._fragments is not None and opencv_can_decode(layout, self._header.transfer_syntax)
        size = layout.pixels * layout.samples
        threads = thread_count(self.frames, layout.pixels, size) if pays else 1
        batch = batch_size(self.frames, threads, size)
        with closing(prefetch(self._decoded, range(self.frames), threads, batch)) as all_decoded:
            for decoded in all_decoded:
                yield partial(self._finished, decoded)

    def close(self) -> None:
        """Close the file; no frame can be decoded afterwards."""
        self._header.stream.close()
        self._file.close()

    def __enter__(self) -> DicomFrameReader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _decoded(self, index: int) -> tuple[NDArray[Any], str]:
        """Samples of a frame, (H, W) or (H, W, 3), and their photometric interpretation. Threads may call it."""
        if self._fragments is None:
            return place_samples(self._native(index), self.layout), self.layout.photometric
        layout, syntax, fragments = self.layout, self._header.transfer_syntax, self._fragments[index]
        check_frame(layout, syntax, sum(length for _, length in fragments))
        with self._reading:  # there is one place in the file
            data = read_fragments(self._header.stream, fragments)
        return decode_frame(data, layout, syntax, grey=self._grey, timeout_s=self._timeout_s)

    def _finished(self, decoded: Callable[[], tuple[NDArray[Any], str]]) -> NDArray[np.uint8]:
        """Convert to 8 bits, in the order of frames: without a window, the first one decides how bright all are."""
        samples, photometric = decoded()
        self._colours.check(samples)
        return convert_in_bands(self._colours, samples, photometric)

    def _count(self) -> int:
        if self._fragments is not None:
            return len(self._fragments)
        if self._header.pixels_length is None:
            raise SourceError("its pixels have no length", hint="export the file again")
        return self.layout.frames_in(self._header.pixels_length)

    def _notes(self) -> Iterator[str]:
        said, there, size = self.layout.frames, self.frames, self._header.pixels_length
        if there > said:
            count = first_value(self._header.elements, "NumberOfFrames")
            says = "does not say how many" if count is None else f"says {count!s:.12}"
            yield f"more frames than announced: the header {says}, {there} are there; all are read"
        if self._fragments is None and size is not None and there >= said:
            left = size - -(-there * self.layout.frame_bits // 8)
            if left > max(2, self.layout.frame_bits // 800):
                yield f"{left} bytes after the last whole frame are left out"
        yield from (f"no millimetres: {region.uncalibrated}" for region in self.regions if region.uncalibrated)
        if self._colours.note:
            yield self._colours.note

    def _index(self) -> list[list[Fragment]]:
        with suppress_pydicom_warnings():
            extended = first_value(self._header.elements, "ExtendedOffsetTable")
        count = len(extended) // 8 if isinstance(extended, bytes) else 0
        offsets = struct.unpack(f"<{count}Q", extended[: 8 * count]) if count else ()
        size = -(-self.layout.frame_bits // 8) if self._header.transfer_syntax in UNCOMPRESSED else 0
        return index_frames(self._header.stream, self._header.pixels_at, self.layout.frames, offsets, size)

    @suppress_pydicom_warnings()
    def _native(self, index: int) -> NDArray[Any]:
        """Uncompressed (H, W) or (H, W, 3) samples: pydicom undoes byte order, planes, shared colour, unused bits."""
        try:
            decoder = get_decoder(self._header.transfer_syntax)
        except NotImplementedError:
            raise no_decoder_error(self._header.transfer_syntax) from None
        layout = self.layout
        check_cost(layout.columns, layout.rows, layout.samples * (1 + 3 * -(-layout.allocated // 8)), "such samples")
        options = pydicom_options(self.layout, self.frames, raw=True) | {"pixel_vr": self._header.pixels_vr}
        if self.layout.photometric in SUBSAMPLED:
            options["photometric_interpretation"] = "YBR_FULL_422"  # stored alike, and the one that pydicom knows
        self._header.stream.seek(self._header.pixels_at)
        try:
            samples, _ = decoder.as_array(self._header.stream, index=index, raw=True, **options)
        except Exception as error:  # whatever pydicom trips over
            raise SourceError(f"broken frame ({type(error).__name__})", hint="export the file again") from None
        return cast("NDArray[Any]", samples)
